"""What the coordinator keeps at hand is never ahead of its store, behind it, or all there is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from secure_clove.engine import sessions
from secure_clove.engine.coordinator import Coordinator
from secure_clove.engine.sessions import Sessions
from secure_clove.engine.state import Phase
from secure_clove.errors import NotFoundError, StageClosedError, StoreError
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId, Digest
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.secagg.messages import Directory, Inbox
from secure_clove.secagg.stages import Stage
from secure_clove.stores.sql import SqlTransaction
from tests.engine.builders import NAME, Toy

FEDAVG = {"algorithm": "fedavg", "rounds": 2}


def started(**settings: Any) -> Toy:
    toy = Toy(changes=FEDAVG, **settings)
    toy.start()
    return toy


def move(toy: Toy, coordinator: Coordinator) -> None:
    """Let all participants talk to another coordinator of the same store."""
    toy.coordinator = coordinator
    for participant in toy.participants.values():
        participant._carrier._coordinator = coordinator  # type: ignore[attr-defined]


def stamps(toy: Toy) -> tuple[Digest | None, ...]:
    with toy.store.transaction() as tx:
        sids = tx.sessions(NAME)
        return tx.federation_stamp(NAME), *(tx.session_stamp(sid) for sid in sids)


def the_session(toy: Toy) -> str:
    (sid,) = toy.coordinator.state(NAME).open
    return sid


def until_shared(toy: Toy) -> str:
    """Let everybody join, advertise and share."""
    for _ in range(4):
        toy.turn()
    return the_session(toy)


def test_two_coordinators_of_one_store_take_turns_without_losing_anything() -> None:
    alone, shared = started(clients=6), started(clients=6)
    both = [Coordinator(shared.store, SimulatedEntropy(0, "nonce")) for _ in range(2)]
    for turn, name in enumerate(shared.names * 60):
        move(shared, both[turn % 2])
        shared.participants[name].step()
    alone.run()

    assert shared.coordinator.state(NAME).phase is Phase.CLOSED
    assert shared.coordinator.state(NAME).algorithm == alone.coordinator.state(NAME).algorithm


def test_a_message_that_closes_no_stage_leaves_both_saved_states_as_they_are() -> None:
    toy = started(clients=6)
    toy.turn()
    toy.turn()  # the last to look began the round and has advertised
    sid, before = the_session(toy), stamps(toy)
    toy.turn(toy.names[:4])
    with toy.store.transaction() as tx:
        assert tx.body_count(sid, "advert") == 5
    assert stamps(toy) == before

    toy.turn(toy.names[4:5])
    assert stamps(toy) != before


def test_bytes_received_are_those_of_the_stored_messages() -> None:
    toy = started(clients=6)
    toy.run()
    with toy.store.transaction() as tx:
        stored = sum(tx.body_bytes(sid) for sid in tx.sessions(NAME))

    assert stored > 0
    assert sum(report.bytes_up for report in toy.coordinator.reports(NAME)) == stored


def test_what_is_served_is_what_the_machine_says() -> None:
    toy = started(clients=6)
    sid = until_shared(toy)
    first = toy.coordinator.fetch(sid, "directory", toy.names[0])
    inboxes = {name: toy.coordinator.fetch(sid, "inbox", name) for name in toy.names}

    assert first is not None
    assert len(decode(first, Directory).adverts) == 6
    assert toy.coordinator.fetch(sid, "directory", toy.names[1]) is first
    for name, inbox in inboxes.items():
        assert inbox is not None
        assert decode(inbox, Inbox).sealed.keys() == set(toy.names) - {name}


def test_a_restarted_coordinator_serves_the_same() -> None:
    toy = started(clients=6)
    sid = until_shared(toy)
    resources = [(what, name) for what in ("directory", "inbox") for name in toy.names]
    before = [toy.coordinator.fetch(sid, *resource) for resource in resources]
    move(toy, Coordinator(toy.store, SimulatedEntropy(1, "nonce")))

    assert [toy.coordinator.fetch(sid, *resource) for resource in resources] == before


def test_who_missed_a_step_gets_no_inbox() -> None:
    toy = started(clients=12)
    for _ in range(3):
        toy.turn()
    lost, *others = toy.names
    toy.turn(others)
    toy.pass_deadline()

    with pytest.raises(StageClosedError, match="missed"):
        toy.coordinator.fetch(the_session(toy), "inbox", lost)


def test_a_session_that_does_not_exist_is_not_found() -> None:
    toy = started(clients=6)

    with pytest.raises(NotFoundError):
        toy.coordinator.fetch("ab" * 32, "inbox", toy.names[0])


def test_what_a_failed_transaction_would_have_saved_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    toy = started(clients=6)
    toy.turn()
    toy.turn()
    for _ in range(2):
        toy.turn(toy.names[:5])
    sid = the_session(toy)
    inboxes = SqlTransaction.save_inboxes

    def full(*_: object) -> None:  # a disk fault that cannot be made otherwise
        raise StoreError("the database refused")

    monkeypatch.setattr(SqlTransaction, "save_inboxes", full)
    with pytest.raises(StoreError):
        toy.turn(toy.names[5:])
    monkeypatch.setattr(SqlTransaction, "save_inboxes", inboxes)
    with toy.store.transaction() as tx:
        _, found = Sessions().load(tx, sid)
        assert tx.body_count(sid, "shares") == 5
    assert found.masked is not None
    assert found.masked.stage is Stage.ADVERTISED
    assert toy.coordinator.fetch(sid, "inbox", toy.names[0]) is None


@contextmanager
def seats(count: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "MOST_SEATS", count)
        yield


def test_sessions_are_let_go_of_and_read_again() -> None:
    with seats(1):
        toy = Toy(clients=9, changes={"rounds": 3})
        toy.start()
        toy.run()
        assert len(toy.coordinator._sessions._known) == 1
    roomy = Toy(clients=9, changes={"rounds": 3})
    roomy.start()
    roomy.run()

    assert len(roomy.coordinator._sessions._known) > 1
    assert toy.coordinator.state(NAME) == roomy.coordinator.state(NAME)


# ---- presence


def test_a_round_begins_when_the_last_client_shows_up_though_the_coordinator_was_restarted() -> (
    None
):
    toy = started(clients=6)
    for name in toy.names[:5]:
        toy.coordinator.current(NAME, name, toy.now)
    toy.coordinator = Coordinator(toy.store, SimulatedEntropy(0, "nonce"))
    assert toy.coordinator.state(NAME).round == 0

    found = toy.coordinator.current(NAME, toy.names[5], toy.now)
    assert found.round == 1
    assert found.invitation is not None
    assert found.invitation.session.cohort == tuple(toy.names)


def test_showing_up_twice_counts_once() -> None:
    toy = started(clients=6)
    for _ in range(6):
        toy.coordinator.current(NAME, toy.names[0], toy.now)

    assert toy.coordinator.state(NAME).round == 0


def test_a_gathering_with_one_client_has_a_deadline_and_begins_with_enough() -> None:
    toy = started(clients=6)
    assert toy.coordinator.deadline() is None
    for name in toy.names[:4]:
        toy.coordinator.current(NAME, name, toy.now)
    deadline = toy.coordinator.deadline()
    assert deadline is not None
    toy.coordinator.tick(deadline)

    state = toy.coordinator.state(NAME)
    assert (state.round, state.present) == (1, tuple(toy.names[:4]))


def test_who_shows_up_during_a_round_is_in_the_next_one() -> None:
    toy = started(clients=6)
    toy.turn(toy.names[:5])
    toy.turn(toy.names[:5])
    toy.pass_deadline()
    late = toy.names[5]
    toy.turn([late])
    toy.turn([late])
    toy.run(until_round=2)

    assert [report.cohort for report in toy.coordinator.reports(NAME)] == [5, 6]
    assert encode(toy.coordinator.state(NAME))


def test_a_latecomer_begins_a_round_that_was_only_short_of_clients() -> None:
    toy = started(clients=6)
    for name in toy.names[:2]:
        toy.coordinator.current(NAME, name, toy.now)
    toy.pass_deadline()
    assert toy.coordinator.state(NAME).round == 0

    found = toy.coordinator.current(NAME, ClientId(toy.names[2]), toy.now)
    assert (found.round, found.invitation is not None) == (1, True)
