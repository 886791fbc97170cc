"""Faults of the protocol put into the library, each of which the evidence of this folder shows.

Monkeypatching is the one way to have them: an honest library has none of these faults.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from secure_clove.errors import MalformedError
from secure_clove.foundation.ids import ClientId
from secure_clove.secagg import checks, envelope
from secure_clove.secagg.client import SumClient
from secure_clove.secagg.keys import frame, share_key
from secure_clove.secagg.messages import Signatures, Unmask
from tests.conformance.attacks import ATTACKS, NAMES
from tests.conformance.liars import staged

Patch = pytest.MonkeyPatch


def without_a_threshold(monkeypatch: Patch) -> None:
    """Signatures are verified and not counted."""
    monkeypatch.setattr(checks, "threshold", lambda count: 0)


def without_a_direction(monkeypatch: Patch) -> None:
    """An envelope that goes one way opens on the way back too."""

    def undirected(agreed: bytes, *, source: ClientId, target: ClientId, **bound: bytes) -> bytes:
        low, high = sorted([source, target])
        return share_key(agreed, source=low, target=high, **bound)

    def associated(address: envelope.Address) -> bytes:
        return frame(address.sid, address.h1, *sorted([address.source, address.target]))

    monkeypatch.setattr(envelope, "share_key", undirected)
    monkeypatch.setattr(envelope.Address, "associated", property(associated))


@pytest.mark.parametrize(
    ("attack", "mutant"),
    [
        ("as many signatures as the smallest cohort", without_a_threshold),
        ("reflected shares", without_a_direction),
    ],
)
def test_a_client_that_lacks_a_check_falls_for_the_attack(
    attack: str, mutant: Callable[[Patch], None], monkeypatch: Patch
) -> None:
    mutant(monkeypatch)
    stage = staged()
    ATTACKS[attack].arm(stage.boss)
    fooled = set(NAMES) - {
        name for name, error in stage.play().items() if isinstance(error, ATTACKS[attack].error)
    }
    assert fooled


def with_both_shares(client: SumClient, signatures: Signatures) -> tuple[SumClient, Unmask]:
    """Answer R4 with all that is held."""
    seeds = {peer: held.seed for peer, held in client.held.items()}
    keys = {peer: held.key for peer, held in client.held.items()}
    return replace(client, held={}), Unmask(sender=client.me, seeds=seeds, keys=keys)


def test_a_client_that_would_give_both_shares_cannot_say_so(monkeypatch: Patch) -> None:
    """What it would give away: test_pitfalls, "clients that gave both shares ..."."""
    monkeypatch.setattr(SumClient, "unmask", with_both_shares)
    refusals = staged().play()
    assert {type(error) for error in refusals.values()} == {MalformedError}
