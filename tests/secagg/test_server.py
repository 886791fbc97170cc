"""The coordinator stores what the protocol allows, once, in time, and nothing else."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from secure_clove.errors import (
    AbortedError,
    BadSignatureError,
    CohortTooSmallError,
    ConflictError,
    LocalProtocolError,
    MalformedError,
    NotFoundError,
    RemoteProtocolError,
    StageClosedError,
    TooLargeError,
    UnknownClientError,
)
from secure_clove.foundation.codec import encode
from secure_clove.foundation.ids import ClientId
from secure_clove.secagg.messages import Masked, Reply, Shares, Unmask, body_limit
from secure_clove.secagg.server import Stage, SumServer
from secure_clove.secagg.session import Carriage
from tests.secagg.party import STAGE_MS, STEPS, Party, identity, ids, roster, session

A, B, *_ = ids(4)


def receive(party: Party, step: str, message: Reply, *, by: ClientId | None = None) -> SumServer:
    sender = message.sender if by is None else by
    return party.server.receive(step, sender, encode(message), party.now, party.bodies)


@pytest.mark.parametrize("step", STEPS)
def test_the_same_body_again_changes_nothing_even_after_the_stage_closed(step: str) -> None:
    party = Party(session(4)).until(step)
    message = party.message(step, A)
    party.send(step, message)
    assert receive(party, step, message) is party.server
    for client in ids(4)[1:]:
        party.send(step, party.message(step, client))

    assert receive(party, step, message) is party.server


@pytest.mark.parametrize("step", STEPS)
def test_a_second_different_body_is_refused(step: str) -> None:
    party = Party(session(4)).until(step)
    party.send(step, party.message(step, A))

    with pytest.raises(ConflictError):
        party.server.receive(step, A, b"another", party.now, party.bodies)


@pytest.mark.parametrize("step", STEPS)
def test_a_late_message_is_refused_and_not_stored(step: str) -> None:
    party = Party(session(7)).until(step)
    late = party.message(step, A)
    party.step(step, without=[A])

    with pytest.raises(StageClosedError):
        party.send(step, late)
    assert A not in party.heard(step)
    assert (step, A) not in party.stored


def test_a_message_at_the_deadline_is_late_even_if_nobody_ticked() -> None:
    party = Party(session(4))
    late = party.message("advert", A)
    for client in ids(4)[1:]:
        party.send("advert", party.message("advert", client))
    party.now = party.server.deadline_ms

    with pytest.raises(StageClosedError):
        party.send("advert", late)


@pytest.mark.parametrize("step", STEPS[1:])
def test_an_early_message_is_refused(step: str) -> None:
    party = Party(session(4))

    with pytest.raises(StageClosedError):
        party.server.receive(step, A, b"anything", party.now, party.bodies)


@pytest.mark.parametrize(("missed", "step"), list(pairwise(STEPS)))
def test_who_missed_a_step_is_out(missed: str, step: str) -> None:
    party = Party(session(7)).until(missed)
    party.step(missed, without=[A])

    with pytest.raises(StageClosedError, match="missed"):
        party.server.receive(step, A, b"anything", party.now, party.bodies)


@pytest.mark.parametrize("step", STEPS)
def test_a_message_brought_by_another_client_is_refused(step: str) -> None:
    party = Party(session(4)).until(step)

    with pytest.raises(MalformedError, match="another sender"):
        receive(party, step, party.message(step, A), by=B)


@pytest.mark.parametrize("step", ["advert", "masked", "consistency"])
def test_a_message_that_its_sender_did_not_sign_is_refused(step: str) -> None:
    party = Party(session(4)).until(step)
    honest: Any = party.message(step, A)
    forged = replace(honest, signature=identity(B).sign("forged"))

    with pytest.raises(BadSignatureError):
        receive(party, step, forged)


def test_masked_values_other_than_the_signed_ones_are_refused() -> None:
    party = Party(session(4)).until("masked")
    message = party.message("masked", A)
    assert isinstance(message, Masked)
    altered = replace(message, values=memoryview(bytes(len(message.values))))

    with pytest.raises(BadSignatureError):
        receive(party, "masked", altered)


@pytest.mark.parametrize("step", STEPS)
def test_a_body_that_is_no_message_is_refused(step: str) -> None:
    party = Party(session(4)).until(step)

    with pytest.raises(MalformedError):
        party.server.receive(step, A, b"\x80", party.now, party.bodies)


@pytest.mark.parametrize("step", STEPS)
def test_a_body_over_the_limit_is_refused_unread(step: str) -> None:
    party = Party(session(4)).until(step)
    body = bytes(body_limit(party.session, step) + 1)

    with pytest.raises(TooLargeError):
        party.server.receive(step, A, body, party.now, party.bodies)


def test_a_pickle_is_refused() -> None:
    party = Party(session(4))

    with pytest.raises(MalformedError):
        party.server.receive("advert", A, b"\x80\x04K\x01.", party.now, party.bodies)


def test_a_vector_of_another_length_is_refused() -> None:
    party = Party(session(4)).until("masked")
    message = party.message("masked", A)
    assert isinstance(message, Masked)

    with pytest.raises(MalformedError):
        receive(party, "masked", replace(message, values=message.values[:-4]))


@pytest.mark.parametrize("peers", [ids(4)[2:], ids(4), (*ids(4)[1:], ClientId("z"))])
def test_envelopes_for_other_than_exactly_the_neighbours_are_refused(
    peers: tuple[ClientId, ...],
) -> None:
    party = Party(session(4)).until("shares")
    message = Shares(sender=A, sealed=dict.fromkeys(peers, bytes(82)))

    with pytest.raises(MalformedError):
        receive(party, "shares", message)


@pytest.mark.parametrize(
    ("seeds", "keys"),
    [
        (ids(5)[:3], (ids(5)[4],)),
        (ids(5)[:4], ()),
        (ids(5), ()),
        ((*ids(5)[:3], ids(5)[4]), (ids(5)[3],)),
    ],
    ids=["a seed missing", "a key missing", "seed of the dropped", "swapped"],
)
def test_shares_of_other_than_the_agreed_kinds_are_refused(
    seeds: tuple[ClientId, ...], keys: tuple[ClientId, ...]
) -> None:
    party = Party(session(5)).until("masked")
    party.step("masked", without=[ids(5)[4]])
    party.step("consistency")
    share = bytes(33)
    answer = Unmask(sender=A, seeds=dict.fromkeys(seeds, share), keys=dict.fromkeys(keys, share))

    with pytest.raises(MalformedError):
        receive(party, "unmask", answer)


def test_a_stranger_is_refused() -> None:
    party = Party(session(4))

    with pytest.raises(UnknownClientError):
        party.server.receive("advert", ClientId("z"), b"", party.now, party.bodies)


def test_a_client_of_the_roster_outside_the_cohort_is_refused() -> None:
    server = SumServer.open(session(4), roster([*ids(4), ClientId("z")]), 0)

    with pytest.raises(UnknownClientError):
        server.receive("advert", ClientId("z"), b"", 0, Party(session(4)).bodies)


def test_an_unknown_step_or_resource_is_not_found() -> None:
    party = Party(session(4))

    with pytest.raises(NotFoundError):
        party.server.receive("total", A, b"", party.now, party.bodies)
    with pytest.raises(NotFoundError):
        party.server.available("total")
    with pytest.raises(NotFoundError):
        body_limit(party.session, "total")


def test_a_refused_message_leaves_the_state_as_it_was() -> None:
    party = Party(session(4)).until("masked")
    before = encode(party.server)
    with pytest.raises(RemoteProtocolError):
        party.server.receive("masked", A, b"\x80", party.now, party.bodies)

    assert encode(party.server) == before


def test_a_tick_before_the_deadline_changes_nothing() -> None:
    party = Party(session(4))

    assert party.server.tick(STAGE_MS - 1, party.bodies) is party.server


def test_every_stage_gets_its_whole_time_however_late_the_last_one_closed() -> None:
    party = Party(session(4))
    for client in ids(4)[1:]:
        party.send("advert", party.message("advert", client))

    assert party.server.tick(10 * STAGE_MS, party.bodies).deadline_ms == 11 * STAGE_MS


def test_too_few_adverts_abort_the_session() -> None:
    party = Party(session(5, min_cohort=4))
    party.step("advert", without=ids(5)[:2])

    assert party.server.stage is Stage.ABORTED
    assert party.server.reason.startswith("3 of 5 clients answered R0")


def test_an_aborted_session_says_why_to_whoever_asks() -> None:
    party = Party(session(4))
    party.step("advert", without=ids(4))

    for ask in (
        lambda: party.server.directory(party.bodies),
        lambda: party.server.total(party.bodies),
        lambda: party.server.receive("shares", A, b"", party.now, party.bodies),
    ):
        with pytest.raises(AbortedError, match="0 of 4"):
            ask()
    assert not party.server.available("directory")


def test_resources_appear_when_their_stage_is_reached() -> None:
    party = Party(session(4))
    resources = ("directory", "inbox", "survivors", "signatures")
    for done, step in enumerate(STEPS):
        assert [party.server.available(r) for r in resources] == [done > i for i in range(4)]
        party.step(step)

    assert all(party.server.available(resource) for resource in resources)


def test_nothing_is_handed_out_early() -> None:
    party = Party(session(4))

    for ask in (
        lambda: party.server.directory(party.bodies),
        lambda: party.server.inbox(A, party.bodies),
        party.server.survivors,
        lambda: party.server.signatures(party.bodies),
        lambda: party.server.total(party.bodies),
    ):
        with pytest.raises(StageClosedError):
            ask()


def test_t_signatures_are_handed_out_however_many_signed() -> None:
    party = Party(session(7)).until("unmask")

    assert len(party.server.u4) == 7
    assert tuple(party.server.signatures(party.bodies).signatures) == ids(7)[:5]


def test_the_inbox_of_who_dropped_out_is_closed() -> None:
    party = Party(session(7)).until("shares")
    party.step("shares", without=[A])

    with pytest.raises(StageClosedError):
        party.server.inbox(A, party.bodies)
    assert set(party.server.inbox(B, party.bodies).sealed) == set(ids(7)) - {A, B}


def test_a_session_that_cannot_be_a_secure_sum_is_not_opened() -> None:
    with pytest.raises(LocalProtocolError):
        SumServer.open(session(4, carriage=Carriage.EACH), roster(ids(4)), 0)
    with pytest.raises(UnknownClientError):
        SumServer.open(session(4), roster(ids(4)[1:]), 0)
    with pytest.raises(CohortTooSmallError):
        SumServer.open(session(2, min_cohort=1), roster(ids(2)), 0)
    with pytest.raises(CohortTooSmallError):
        SumServer.open(session(4, min_cohort=5), roster(ids(4)), 0)
