"""A client refuses whatever a dishonest coordinator, peer or caller tries."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from secure_clove.errors import (
    BadSignatureError,
    CohortTooSmallError,
    LocalProtocolError,
    MalformedError,
    RemoteProtocolError,
    UnknownClientError,
)
from secure_clove.foundation.codec import decode
from secure_clove.foundation.ids import ClientId, digest
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.secagg.client import SumClient
from secure_clove.secagg.keys import public_key
from secure_clove.secagg.messages import (
    Advert,
    Consistency,
    Directory,
    Inbox,
    Shares,
    Signatures,
    Survivors,
    Unmask,
)
from secure_clove.secagg.session import Carriage
from tests.secagg.party import Party, identity, ids, inputs, roster, session

ENTROPY = SimulatedEntropy(7)
A, B, C, _ = ids(4)


def opened(**changes: Any) -> tuple[SumClient, Advert]:
    about = session(**changes)
    return SumClient.open(about, me=A, identity=identity(A), roster=roster(ids(6)), entropy=ENTROPY)


def directory(party: Party, **forged: Advert) -> Directory:
    honest = party.server.directory(party.bodies).adverts
    return Directory(adverts=tuple(forged.get(a.sender, a) for a in honest))


def signed(advert: Advert, party: Party) -> Advert:
    """The advert as its own sender would have signed it."""
    parts = (advert.sender, advert.share_key, advert.mask_key, advert.commitment)
    signature = identity(advert.sender).sign(party.session.sid, "R0", *parts)
    return replace(advert, signature=signature)


def advert_of(party: Party, client: ClientId) -> Advert:
    return decode(party.stored["advert", client], Advert)


# R0


def test_a_session_that_does_not_travel_masked_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        opened(carriage=Carriage.EACH)


def test_a_cohort_without_me_is_refused() -> None:
    with pytest.raises(UnknownClientError):
        opened(cohort=ids(6)[1:])


def test_a_cohort_beyond_the_roster_is_refused() -> None:
    with pytest.raises(UnknownClientError):
        opened(cohort=tuple(sorted([*ids(6), ClientId("stranger")])))


def test_an_identity_that_is_not_the_rosters_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        SumClient.open(
            session(), me=A, identity=identity(B), roster=roster(ids(6)), entropy=ENTROPY
        )


@pytest.mark.parametrize(("count", "min_cohort"), [(2, 1), (4, 5)])
def test_too_small_a_cohort_is_refused(count: int, min_cohort: int) -> None:
    with pytest.raises(CohortTooSmallError):
        opened(cohort=ids(6)[:count], min_cohort=min_cohort)


def test_keys_are_never_used_in_another_session() -> None:
    first, second = opened()[1], opened(attempt=2)[1]

    assert not {first.share_key, first.mask_key} & {second.share_key, second.mask_key}


# R1


def test_an_advert_from_outside_the_cohort_is_refused() -> None:
    party = Party(session(4)).until("shares")
    outsider = signed(replace(advert_of(party, A), sender=ClientId("z")), party)

    with pytest.raises(UnknownClientError):
        party.clients[A].share(Directory(adverts=(*directory(party).adverts, outsider)), ENTROPY)


def test_a_swapped_key_is_refused() -> None:
    party = Party(session(4)).until("shares")
    swapped = replace(advert_of(party, B), mask_key=public_key(bytes(range(32))))

    with pytest.raises(BadSignatureError):
        party.clients[A].share(directory(party, **{B: swapped}), ENTROPY)


def test_an_altered_advert_of_mine_is_refused_even_if_it_is_well_signed() -> None:
    party = Party(session(4)).until("shares")
    altered = signed(replace(advert_of(party, A), commitment=bytes(32)), party)

    with pytest.raises(RemoteProtocolError, match="my own advert"):
        party.clients[A].share(directory(party, **{A: altered}), ENTROPY)


def test_a_directory_without_me_is_refused() -> None:
    party = Party(session(5)).until("shares")
    others = tuple(a for a in directory(party).adverts if a.sender != A)

    with pytest.raises(RemoteProtocolError, match="my own advert"):
        party.clients[A].share(Directory(adverts=others), ENTROPY)


@pytest.mark.parametrize("field", ["share_key", "mask_key"])
def test_equal_public_keys_are_refused(field: str) -> None:
    party = Party(session(4)).until("shares")
    copied = advert_of(party, C).share_key
    copy = signed(replace(advert_of(party, B), **{field: copied}), party)  # type: ignore[arg-type]

    with pytest.raises(RemoteProtocolError, match="equal"):
        party.clients[A].share(directory(party, **{B: copy}), ENTROPY)


def test_a_key_of_low_order_is_refused() -> None:
    party = Party(session(4)).until("shares")
    weak = signed(replace(advert_of(party, B), share_key=bytes(32)), party)

    with pytest.raises(MalformedError, match="low order"):
        party.clients[A].share(directory(party, **{B: weak}), ENTROPY)


@pytest.mark.parametrize(("keep", "min_cohort"), [(2, 1), (4, 5)])
def test_too_small_a_u1_is_refused(keep: int, min_cohort: int) -> None:
    party = Party(session(6, min_cohort=min_cohort)).until("shares")
    few = Directory(adverts=directory(party).adverts[:keep])

    with pytest.raises(CohortTooSmallError):
        party.clients[A].share(few, ENTROPY)


@pytest.mark.parametrize(
    "changes",
    [
        {"asks": (digest(b"another model"),)},
        {"attempt": 2},
        {"round": 2},
        {"phase": "losses"},
        {"config": digest(b"less noise")},
        {"min_cohort": 4},
        {"length": 7},
        {"ring_bits": 64},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_adverts_made_for_another_session_are_refused(changes: dict[str, object]) -> None:
    party, other = Party(session(4)).until("shares"), Party(session(4, **changes)).until("shares")
    mixed = directory(party, **{B: advert_of(other, B)})

    with pytest.raises(BadSignatureError):
        party.clients[A].share(mixed, ENTROPY)


@pytest.mark.parametrize(("count", "expected"), [(3, 3), (5, 4), (6, 5), (7, 5), (10, 7), (25, 17)])
def test_the_threshold_is_computed_from_u1(count: int, expected: int) -> None:
    party = Party(session(count))
    party.step("advert")
    party.message("shares", min(party.session.cohort))

    assert party.clients[min(party.session.cohort)].threshold == expected


# R2


def inbox(party: Party, me: ClientId) -> dict[ClientId, bytes]:
    return dict(party.server.inbox(me, party.bodies).sealed)


def test_reflected_shares_are_refused() -> None:
    party = Party(session(4)).until("masked")
    mine = decode(party.stored["shares", A], Shares).sealed

    with pytest.raises(BadSignatureError):
        party.clients[A].receive_shares(Inbox(sealed=mine))


def test_an_envelope_for_somebody_else_is_refused() -> None:
    party = Party(session(4)).until("masked")
    sealed = inbox(party, A) | {B: inbox(party, C)[B]}

    with pytest.raises(BadSignatureError):
        party.clients[A].receive_shares(Inbox(sealed=sealed))


@pytest.mark.parametrize("sender", [A, ClientId("z")], ids=["myself", "outside U1"])
def test_an_envelope_from_where_none_can_come_is_refused(sender: ClientId) -> None:
    party = Party(session(4)).until("masked")
    sealed = inbox(party, A) | {sender: inbox(party, A)[B]}

    with pytest.raises(UnknownClientError):
        party.clients[A].receive_shares(Inbox(sealed=sealed))


@pytest.mark.parametrize(("keep", "min_cohort"), [(3, 3), (4, 6)], ids=["T", "min_cohort"])
def test_too_small_a_u2_is_refused(keep: int, min_cohort: int) -> None:
    party = Party(session(6, min_cohort=min_cohort)).until("masked")
    sealed = dict(list(inbox(party, A).items())[:keep])

    with pytest.raises(CohortTooSmallError):
        party.clients[A].receive_shares(Inbox(sealed=sealed))


@pytest.mark.parametrize(
    "vector",
    [
        np.zeros(5, dtype=np.uint64),
        np.zeros((1, 6), dtype=np.uint64),
        np.full(6, 2**32, dtype=np.uint64),
        np.zeros(6),
        np.zeros(6, dtype=np.int64),
    ],
    ids=["short", "matrix", "outside the ring", "floats", "signed"],
)
def test_a_vector_that_is_not_of_the_ring_is_never_masked(vector: Any) -> None:
    party = Party(session(4)).until("masked")
    client = party.clients[A].receive_shares(party.server.inbox(A, party.bodies))

    with pytest.raises(LocalProtocolError):
        client.mask(vector)


def test_masking_leaves_the_input_as_it_was() -> None:
    party = Party(session(4)).until("masked")
    party.message("masked", A)

    np.testing.assert_array_equal(party.vectors[A], inputs(party.session)[A])


# R3


def survivors(alive: tuple[ClientId, ...], dropped: tuple[ClientId, ...] = ()) -> Survivors:
    return Survivors(alive=tuple(sorted(alive)), dropped=tuple(sorted(dropped)))


@pytest.mark.parametrize(
    ("alive", "dropped"),
    [
        ((*ids(6), ClientId("z")), ()),
        (ids(6)[1:], (A,)),
        (ids(6)[:5], ()),
        (ids(6)[:5], (ids(6)[5], ClientId("z"))),
    ],
    ids=["outside U2", "without me", "one neither alive nor dropped", "a stranger dropped"],
)
def test_a_false_u3_is_not_signed(
    alive: tuple[ClientId, ...], dropped: tuple[ClientId, ...]
) -> None:
    party = Party(session(6)).until("consistency")

    with pytest.raises(RemoteProtocolError):
        party.clients[A].agree(survivors(alive, dropped))


@pytest.mark.parametrize(("alive", "min_cohort"), [(4, 3), (5, 6)], ids=["T", "min_cohort"])
def test_too_small_a_u3_is_not_signed(alive: int, min_cohort: int) -> None:
    party = Party(session(6, min_cohort=min_cohort)).until("consistency")

    with pytest.raises(CohortTooSmallError):
        party.clients[A].agree(survivors(ids(6)[:alive], ids(6)[alive:]))


def test_a_client_alive_and_dropped_at_once_is_refused() -> None:
    with pytest.raises(MalformedError):
        survivors(ids(6), (B,))


def test_duplicates_cannot_be_counted_toward_a_threshold() -> None:
    with pytest.raises(MalformedError):
        Survivors(alive=(A, A, B, B, C), dropped=())
    advert = opened()[1]
    with pytest.raises(MalformedError):
        Directory(adverts=(advert, advert))


def test_a_second_u3_is_not_signed() -> None:
    party = Party(session(6)).until("consistency")
    client, _ = party.clients[A].agree(survivors(ids(6)))

    with pytest.raises(LocalProtocolError):
        client.agree(survivors(ids(6)[:5], ids(6)[5:]))


# R4


def signatures_over(party: Party, alive: tuple[ClientId, ...]) -> dict[ClientId, bytes]:
    dropped = tuple(client for client in party.server.u2 if client not in alive)
    return {c: party.clients[c].agree(survivors(alive, dropped))[1].signature for c in alive}


def test_split_views_of_u3_are_refused() -> None:
    party = Party(session(6)).until("consistency")
    all_six, five = signatures_over(party, ids(6)), signatures_over(party, ids(6)[:5])
    client, _ = party.clients[A].agree(survivors(ids(6)))

    with pytest.raises(BadSignatureError):
        client.unmask(Signatures(signatures=all_six | {B: five[B]}))


def test_clients_with_other_views_of_u2_do_not_unmask_for_each_other() -> None:
    party = Party(session(7)).until("masked")
    fewer = inbox(party, A)
    del fewer[B]
    mine, _ = party.clients[A].receive_shares(Inbox(sealed=fewer)).mask(party.vectors[A])
    party.step("masked", without=[A, B])
    alive = tuple(client for client in ids(7) if client != B)  # the same U3 for everybody
    mine, _ = mine.agree(survivors(alive))
    others = [party.clients[c].agree(survivors(alive, (B,)))[1] for c in alive if c != A]

    with pytest.raises(BadSignatureError):
        mine.unmask(Signatures(signatures={said.sender: said.signature for said in others}))


def test_every_signature_is_checked_and_not_only_the_first_t() -> None:
    party = Party(session(7)).until("consistency")
    told = survivors(ids(7))
    said = {c: party.clients[c].agree(told)[1].signature for c in ids(7)}
    mine, _ = party.clients[A].agree(told)
    last = ids(7)[-1]

    mine.unmask(Signatures(signatures=said))
    with pytest.raises(BadSignatureError):
        mine.unmask(Signatures(signatures=said | {last: said[A]}))


def test_too_few_signatures_are_refused() -> None:
    party = Party(session(6)).until("unmask")
    signatures = dict(party.server.signatures(party.bodies).signatures)
    few = {c: signatures[c] for c in ids(6)[:4]}

    with pytest.raises(RemoteProtocolError, match="5 are needed"):
        party.clients[A].unmask(Signatures(signatures=few))


def test_one_invalid_signature_among_enough_valid_ones_is_refused() -> None:
    party = Party(session(6)).until("unmask")
    signatures = dict(party.server.signatures(party.bodies).signatures)

    with pytest.raises(BadSignatureError):
        party.clients[A].unmask(Signatures(signatures=signatures | {B: signatures[C]}))


def test_a_signer_outside_u3_is_refused() -> None:
    party = Party(session(6)).until("masked")
    party.step("masked", without=[B])
    party.step("consistency")
    signatures = dict(party.server.signatures(party.bodies).signatures)

    with pytest.raises(UnknownClientError):
        party.clients[A].unmask(Signatures(signatures=signatures | {B: signatures[A]}))


def test_the_answer_holds_seeds_of_the_living_and_keys_of_the_dropped_never_both() -> None:
    party = Party(session(6)).until("masked")
    party.step("masked", without=[B])
    party.step("consistency")
    answer = party.message("unmask", A)

    assert isinstance(answer, Unmask)
    assert set(answer.seeds) == set(ids(6)) - {B}
    assert set(answer.keys) == {B}


def test_a_message_with_both_shares_of_one_client_cannot_exist() -> None:
    with pytest.raises(MalformedError):
        Unmask(sender=A, seeds={B: bytes(33)}, keys={B: bytes(33)})


def test_a_second_unmask_is_refused() -> None:
    party = Party(session(4)).until("unmask")
    signatures = party.server.signatures(party.bodies)
    client, _ = party.clients[A].unmask(signatures)

    with pytest.raises(LocalProtocolError):
        client.unmask(signatures)


# Turns


def test_every_step_out_of_turn_is_refused() -> None:
    party = Party(session(4))
    stages: list[SumClient] = []
    for step in ("advert", "shares", "masked", "consistency", "unmask"):
        party.step(step)
        stages.append(party.clients[A])
    calls: list[Callable[[SumClient], object]] = [
        lambda c: c.share(party.server.directory(party.bodies), ENTROPY),
        lambda c: c.receive_shares(party.server.inbox(A, party.bodies)),
        lambda c: c.agree(party.server.survivors()),
        lambda c: c.unmask(party.server.signatures(party.bodies)),
    ]
    for done, client in enumerate(stages):
        for position, call in enumerate(calls):
            if position != done:
                with pytest.raises(LocalProtocolError):
                    call(client)
        with pytest.raises(LocalProtocolError):
            client.mask(party.vectors[A])


def test_what_a_client_refuses_leaves_it_ready_for_the_honest_message() -> None:
    party = Party(session(4)).until("consistency")
    with pytest.raises(RemoteProtocolError):
        party.clients[A].agree(survivors(ids(4)[1:], (A,)))

    assert isinstance(party.message("consistency", A), Consistency)
