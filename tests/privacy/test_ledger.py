"""The ledger: what it refuses, what it counts once, and that edits show."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_clove.errors import BudgetExceededError, ConfigError, LocalProtocolError, StoreError
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import FederationId
from secure_clove.privacy.accounting import epsilon, totals
from secure_clove.privacy.calibration import multiplier_for
from secure_clove.privacy.events import Release
from secure_clove.privacy.ledger import GENESIS, Entry, Ledger

WARD, BANK = FederationId("ward"), FederationId("bank")
DELTA = 1e-5
NOISY = Release(name="embedding", multiplier=15)
NAKED = Release(name="embedding", multiplier=0)
UPDATE = Release(name="update", multiplier=15)


def charge(
    ledger: Ledger,
    *releases: Release,
    federation: FederationId = WARD,
    round: int = 1,
    phase: str = "losses",
    attempt: int = 1,
) -> Ledger:
    return ledger.charge(
        *releases, federation=federation, round=round, phase=phase, attempt=attempt
    )


def ledger_of(rounds: int, limit: float = math.inf) -> Ledger:
    ledger = Ledger(limit=limit, delta=DELTA)
    for number in range(1, rounds + 1):
        ledger = charge(ledger, NOISY, round=number)
    return ledger


def test_a_new_ledger_is_empty_and_has_spent_nothing() -> None:
    ledger = Ledger(limit=1, delta=DELTA)
    assert ledger.entries == ()
    assert ledger.totals().total == 0


def test_charging_leaves_the_old_ledger_as_it_was() -> None:
    ledger = Ledger(limit=1, delta=DELTA)
    charge(ledger, NOISY)
    assert ledger.entries == ()


def test_the_totals_are_those_of_the_releases() -> None:
    ledger = charge(ledger_of(2), UPDATE, phase="train")
    assert ledger.totals() == totals([NOISY, NOISY, UPDATE], DELTA)


def test_a_release_that_would_pass_the_limit_is_refused() -> None:
    ledger = ledger_of(1, limit=0.25)
    with pytest.raises(BudgetExceededError) as refused:
        charge(ledger, NOISY, round=2)
    assert refused.value.after == epsilon([NOISY, NOISY], DELTA)
    assert (refused.value.limit, len(ledger.entries)) == (0.25, 1)


def test_releases_calibrated_to_the_limit_all_fit() -> None:
    each = Release(name="embedding", multiplier=multiplier_for(0.25, DELTA, 3))
    ledger = Ledger(limit=0.25, delta=DELTA)
    for number in (1, 2, 3):
        ledger = charge(ledger, each, round=number)
    assert ledger.totals().total == pytest.approx(0.25)


def test_of_several_releases_all_are_entered_or_none() -> None:
    limit = epsilon([NOISY], DELTA)
    with pytest.raises(BudgetExceededError):
        charge(Ledger(limit=limit, delta=DELTA), NOISY, UPDATE)


def test_metrics_do_not_use_up_the_budget_of_the_training_examples() -> None:
    ledger = ledger_of(1, limit=epsilon([NOISY], DELTA))
    grown = charge(ledger, Release(name="metrics", multiplier=15), phase="evaluate")
    assert len(grown.entries) == 2


@pytest.mark.parametrize("limit", [0, 0.5, 1e9])
def test_a_release_without_noise_is_refused_under_any_finite_limit(limit: float) -> None:
    with pytest.raises(BudgetExceededError):
        charge(Ledger(limit=limit, delta=DELTA), NAKED)


def test_a_release_without_noise_is_allowed_without_a_limit() -> None:
    assert charge(Ledger(limit=math.inf, delta=DELTA), NAKED).totals().total == math.inf


def test_charging_the_same_again_changes_nothing() -> None:
    ledger = ledger_of(2)
    assert charge(ledger, NOISY, round=1) is ledger


def test_charging_the_same_again_is_allowed_with_the_budget_used_up() -> None:
    ledger = ledger_of(1, limit=epsilon([NOISY], DELTA))
    assert charge(ledger, NOISY) is ledger


def test_charging_nothing_changes_nothing() -> None:
    ledger = ledger_of(1)
    assert charge(ledger) is ledger


@pytest.mark.parametrize("other", [{"round": 2}, {"attempt": 2}, {"phase": "sketch"}])
def test_another_round_phase_or_attempt_is_charged(other: dict[str, int]) -> None:
    ledger = Ledger(limit=math.inf, delta=DELTA)
    once = charge(ledger, NOISY)
    assert len(charge(once, NOISY, **other).entries) == 2  # type: ignore[arg-type]


def test_another_federation_is_charged_to_the_same_budget() -> None:
    ledger = charge(ledger_of(1), NOISY, federation=BANK)
    assert ledger.totals().total == epsilon([NOISY, NOISY], DELTA)


def test_the_same_attempt_with_less_noise_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="other noise"):
        charge(ledger_of(1), replace(NOISY, multiplier=1))


def test_two_releases_of_a_name_in_one_charge_are_refused() -> None:
    with pytest.raises(LocalProtocolError, match="at most one release of a name"):
        charge(ledger_of(1), NOISY, NOISY, round=2)


def test_an_untouched_ledger_is_verified() -> None:
    ledger_of(4).verify()


def test_an_empty_ledger_is_verified() -> None:
    ledger_of(0).verify()


def test_a_ledger_is_verified_after_encoding() -> None:
    ledger = ledger_of(3)
    read = decode(encode(ledger), Ledger)
    read.verify()
    assert read == ledger


@pytest.mark.parametrize(
    "change",
    [
        {"release": replace(NOISY, multiplier=30)},
        {"round": 9},
        {"phase": "none"},
        {"attempt": 2},
        {"federation": BANK},
    ],
)
@pytest.mark.parametrize("index", [0, 1, 2])
def test_an_edited_entry_breaks_the_chain(index: int, change: dict[str, object]) -> None:
    entries = list(ledger_of(4).entries)
    entries[index] = replace(entries[index], **change)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match=f"broken at entry {index + 1}"):
        replace(ledger_of(0), entries=tuple(entries)).verify()


@settings(deadline=None)
@given(st.permutations(range(4)))
def test_any_reordering_breaks_the_chain(order: list[int]) -> None:
    entries = ledger_of(4).entries
    moved = replace(ledger_of(0), entries=tuple(entries[i] for i in order))
    if order != sorted(order):
        with pytest.raises(StoreError, match="broken at entry"):
            moved.verify()


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_removed_entry_breaks_the_chain(index: int) -> None:
    entries = ledger_of(4).entries
    cut = entries[:index] + entries[index + 1 :]
    with pytest.raises(StoreError, match=f"broken at entry {index}"):
        replace(ledger_of(0), entries=cut).verify()


def test_renumbering_after_a_removal_does_not_mend_the_chain() -> None:
    entries = ledger_of(4).entries[1:]
    renumbered = tuple(replace(entry, sequence=i) for i, entry in enumerate(entries))
    with pytest.raises(StoreError, match="broken at entry 0"):
        replace(ledger_of(0), entries=renumbered).verify()


def test_a_missing_or_changed_last_entry_changes_the_head() -> None:
    ledger = ledger_of(3)
    cut = replace(ledger, entries=ledger.entries[:-1])
    edited = replace(cut, entries=(*cut.entries, replace(ledger.entries[-1], attempt=2)))
    assert len({ledger.head, cut.head, edited.head}) == 3


def test_the_head_of_an_empty_ledger_is_the_genesis() -> None:
    assert ledger_of(0).head == GENESIS


@pytest.mark.parametrize("limit", [-1, math.nan])
def test_an_impossible_limit_is_refused(limit: float) -> None:
    with pytest.raises(ConfigError, match="limit"):
        Ledger(limit=limit, delta=DELTA)


@pytest.mark.parametrize("delta", [0, 1, math.nan])
def test_an_impossible_delta_is_refused(delta: float) -> None:
    with pytest.raises(ConfigError, match="delta"):
        Ledger(limit=1, delta=delta)


@pytest.mark.parametrize("change", [{"sequence": -1}, {"round": 0}, {"attempt": 0}])
def test_an_entry_at_an_impossible_position_is_refused(change: dict[str, int]) -> None:
    entry: Entry = ledger_of(1).entries[0]
    with pytest.raises(ConfigError, match="count"):
        replace(entry, **change)  # type: ignore[arg-type]
