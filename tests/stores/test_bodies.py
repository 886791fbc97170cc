"""Messages in the coordinator's store: who sent what, counted as they come, long ones aside."""

from collections.abc import Iterator
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from sqlalchemy import select

from secure_clove.errors import StoreError
from secure_clove.foundation.ids import ClientId, FederationId, digest
from secure_clove.stores.sql import BODIES, ROW_BYTES, SqlStore

WARD = FederationId("ward")
ANN, BOB = ClientId("ann"), ClientId("bob")
SID, OTHER = "ab" * 32, "cd" * 32
LONG = bytes(ROW_BYTES + 1)


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    made = SqlStore(None if request.param == "memory" else tmp_path / "store")
    yield made
    made.close()


def test_of_what_was_never_stored_there_is_nothing(store: SqlStore) -> None:
    with store.transaction() as tx:
        assert tx.body_digest(SID, "advert", ANN) is None
        assert tx.body_count(SID, "advert") == 0
        assert tx.body_senders(SID, "advert") == {}
        assert tx.body_bytes(SID) == 0
        assert tx.inbox(SID, ANN) is None
        assert tx.session_stamp(SID) is None
        assert tx.federation_stamp(WARD) is None


@settings(deadline=None, max_examples=25)
@given(
    st.dictionaries(
        st.tuples(
            st.sampled_from([SID, OTHER]),
            st.sampled_from(["advert", "masked"]),
            st.sampled_from("abcdef").map(ClientId),
        ),
        st.binary(max_size=9) | st.just(LONG),
        max_size=12,
    )
)
def test_senders_counts_and_bytes_are_those_of_the_stored_messages(
    messages: dict[tuple[str, str, ClientId], bytes],
) -> None:
    store = SqlStore(None)
    for (sid, step, client), body in messages.items():
        with store.transaction() as tx:
            tx.save_body(sid, step, client, body)

    with store.transaction() as tx:
        for sid in (SID, OTHER):
            mine = {key[1:]: body for key, body in messages.items() if key[0] == sid}
            assert tx.body_bytes(sid) == sum(map(len, mine.values()))
            for step in ("advert", "masked"):
                told = {c: digest(body) for (s, c), body in mine.items() if s == step}
                assert tx.body_senders(sid, step) == told
                assert tx.body_count(sid, step) == len(told)
        for key, body in messages.items():
            assert tx.body(*key) == body
            assert tx.body_digest(*key) == digest(body)
    store.close()


@pytest.mark.parametrize("body", [b"short", LONG])
def test_a_message_of_any_length_is_read_as_it_was_written(store: SqlStore, body: bytes) -> None:
    with store.transaction() as tx:
        tx.save_body(SID, "masked", ANN, body)
    with store.transaction() as tx:
        assert tx.body(SID, "masked", ANN) == body


def test_only_a_long_message_lies_among_the_artefacts(store: SqlStore) -> None:
    with store.transaction() as tx:
        tx.save_body(SID, "masked", ANN, LONG)
        tx.save_body(SID, "masked", BOB, LONG[:-1])
    with store.transaction() as tx:
        rows = tx.connection.execute(select(BODIES.c.client, BODIES.c.body)).all()
        assert {row.client: row.body is None for row in rows} == {ANN: True, BOB: False}
        assert tx.artefact(digest(LONG)) == LONG


def test_a_long_message_damaged_on_disk_is_refused(tmp_path: Path) -> None:
    store = SqlStore(tmp_path)
    with store.transaction() as tx:
        tx.save_body(SID, "masked", ANN, LONG)
    (tmp_path / "artefacts" / digest(LONG)).write_bytes(LONG[:-1])
    with store.transaction() as tx, pytest.raises(StoreError, match="damaged on disk"):
        tx.body(SID, "masked", ANN)
    store.close()


def test_a_message_of_an_undone_transaction_is_not_counted(store: SqlStore) -> None:
    def fail_at_the_end() -> None:
        with store.transaction() as tx:
            tx.save_body(SID, "masked", ANN, LONG)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_at_the_end()
    with store.transaction() as tx:
        assert tx.body_count(SID, "masked") == 0
        assert tx.body_digest(SID, "masked", ANN) is None
        tx.save_body(SID, "masked", ANN, LONG)
        assert tx.body_count(SID, "masked") == 1


def test_what_waits_for_a_client_is_found_by_session_and_client(store: SqlStore) -> None:
    many = {ClientId(f"c{number}"): bytes([number]) for number in range(200)}
    with store.transaction() as tx:
        tx.save_inboxes(SID, many.items())
        tx.save_inboxes(OTHER, [(ANN, b"other")])
    with store.transaction() as tx:
        assert {client: tx.inbox(SID, client) for client in many} == many
        assert tx.inbox(SID, ANN) is None
        assert tx.inbox(OTHER, ANN) == b"other"


def test_what_waits_for_a_client_is_written_once(store: SqlStore) -> None:
    with store.transaction() as tx:
        tx.save_inboxes(SID, [(ANN, b"first")])
    with pytest.raises(StoreError), store.transaction() as tx:
        tx.save_inboxes(SID, [(ANN, b"second")])


def test_a_stamp_is_the_content_hash_of_the_saved_state(store: SqlStore) -> None:
    for state in (b"first", b"second"):
        with store.transaction() as tx:
            tx.save_federation(WARD, state)
            tx.save_session(SID, WARD, state + b"!")
        with store.transaction() as tx:
            assert tx.federation_stamp(WARD) == digest(state)
            assert tx.session_stamp(SID) == digest(state + b"!")
