"""One contract for the coordinator's store, in memory and in a folder."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from secure_clove.errors import CohortTooSmallError, NotFoundError, StoreError
from secure_clove.foundation.ids import ClientId, Digest, FederationId, digest
from secure_clove.stores.sql import SqlStore
from tests.builders import killed_after_ready

WARD, BANK = FederationId("ward"), FederationId("bank")
ANN, BOB = ClientId("ann"), ClientId("bob")
SID, OTHER = "ab" * 32, "cd" * 32


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    made = SqlStore(None if request.param == "memory" else tmp_path / "store")
    yield made
    made.close()


def fill(store: SqlStore) -> Digest:
    """Write one of everything."""
    with store.transaction() as tx:
        tx.save_federation(WARD, b"state")
        tx.save_session(SID, WARD, b"session")
        tx.save_body(SID, "advert", ANN, b"hello")
        tx.announce(WARD, "round", b"report")
        return tx.save_artefact(b"model")


# ---- what is written is read


def test_an_empty_store_knows_nothing(store: SqlStore) -> None:
    with store.transaction() as tx:
        assert tx.federation(WARD) is None
        assert tx.federations() == ()
        assert tx.session(SID) is None
        assert tx.sessions(WARD) == ()
        assert tx.events(WARD) == ()


def test_what_was_written_is_read_in_the_next_transaction(store: SqlStore) -> None:
    content = fill(store)
    with store.transaction() as tx:
        assert tx.federation(WARD) == b"state"
        assert tx.session(SID) == (WARD, b"session")
        assert tx.body(SID, "advert", ANN) == b"hello"
        assert tx.artefact(content) == b"model"
        assert [(e.kind, e.body) for e in tx.events(WARD)] == [("round", b"report")]


def test_what_was_written_is_read_in_the_same_transaction(store: SqlStore) -> None:
    with store.transaction() as tx:
        tx.save_federation(WARD, b"new")
        assert tx.federation(WARD) == b"new"


def test_a_saved_state_replaces_the_one_before(store: SqlStore) -> None:
    fill(store)
    with store.transaction() as tx:
        tx.save_federation(WARD, b"later")
        tx.save_session(SID, WARD, b"later too")
    with store.transaction() as tx:
        assert tx.federation(WARD) == b"later"
        assert tx.session(SID) == (WARD, b"later too")


def test_federations_are_named_in_order(store: SqlStore) -> None:
    with store.transaction() as tx:
        for name in (WARD, BANK):
            tx.save_federation(name, b"")
        assert tx.federations() == (BANK, WARD)


def test_sessions_are_listed_by_federation(store: SqlStore) -> None:
    with store.transaction() as tx:
        tx.save_session(OTHER, WARD, b"")
        tx.save_session(SID, WARD, b"")
        tx.save_session("ef" * 32, BANK, b"")
        assert tx.sessions(WARD) == (SID, OTHER)


@pytest.mark.parametrize(
    ("sid", "step", "client"),
    [(OTHER, "advert", ANN), (SID, "shares", ANN), (SID, "advert", BOB)],
)
def test_a_message_that_was_never_stored_is_not_found(
    store: SqlStore, sid: str, step: str, client: ClientId
) -> None:
    fill(store)
    with store.transaction() as tx, pytest.raises(NotFoundError):
        tx.body(sid, step, client)


def test_a_second_message_for_a_step_is_refused(store: SqlStore) -> None:
    fill(store)
    with pytest.raises(StoreError), store.transaction() as tx:
        tx.save_body(SID, "advert", ANN, b"another")
    with store.transaction() as tx:
        assert tx.body(SID, "advert", ANN) == b"hello"


def test_events_are_numbered_upwards_in_the_order_of_their_announcement(store: SqlStore) -> None:
    with store.transaction() as tx:
        for body in (b"1", b"2", b"3"):
            tx.announce(WARD, "round", body)
    with store.transaction() as tx:
        events = tx.events(WARD)
    assert [event.body for event in events] == [b"1", b"2", b"3"]
    assert [event.number for event in events] == sorted({event.number for event in events})


def test_events_can_be_read_from_a_number_on(store: SqlStore) -> None:
    with store.transaction() as tx:
        for body in (b"1", b"2", b"3"):
            tx.announce(WARD, "round", body)
        first, second, third = tx.events(WARD)
        assert tx.events(WARD, first.number) == (second, third)
        assert tx.events(WARD, third.number) == ()


def test_a_federation_reads_its_own_events_only(store: SqlStore) -> None:
    with store.transaction() as tx:
        tx.announce(WARD, "round", b"ours")
        tx.announce(BANK, "round", b"theirs")
        assert [event.body for event in tx.events(BANK)] == [b"theirs"]


# ---- artefacts


def test_an_artefact_is_found_by_its_hash(store: SqlStore) -> None:
    with store.transaction() as tx:
        assert tx.save_artefact(b"model") == digest(b"model")
        assert tx.artefact(digest(b"model")) == b"model"


def test_adding_an_artefact_again_changes_nothing(store: SqlStore) -> None:
    with store.transaction() as tx:
        assert tx.save_artefact(b"model") == tx.save_artefact(b"model")


def test_an_empty_artefact_is_one(store: SqlStore) -> None:
    with store.transaction() as tx:
        assert tx.artefact(tx.save_artefact(b"")) == b""


@pytest.mark.parametrize(
    "content",
    [
        *("", ".", "..", "../secret", "/etc/passwd"),
        *("0" * 64, "0" * 63, "A" * 64, "../" + "a" * 61, "a" * 64 + "\n", "a" * 63 + "\0"),
    ],
)
def test_what_is_no_hash_of_ours_is_not_found(store: SqlStore, content: str) -> None:
    with store.transaction() as tx, pytest.raises(NotFoundError, match="no such artefact"):
        tx.artefact(Digest(content))


# ---- transactions


def test_an_exception_undoes_the_whole_transaction(store: SqlStore) -> None:
    def fail_at_the_end() -> None:
        with store.transaction() as tx:
            tx.save_federation(WARD, b"state")
            tx.save_session(SID, WARD, b"session")
            tx.save_body(SID, "advert", ANN, b"hello")
            tx.announce(WARD, "round", b"report")
            raise CohortTooSmallError("too few")

    with pytest.raises(CohortTooSmallError, match="too few"):
        fail_at_the_end()
    with store.transaction() as tx:
        assert tx.federation(WARD) is None
        assert tx.session(SID) is None
        assert tx.events(WARD) == ()
        with pytest.raises(NotFoundError):
            tx.body(SID, "advert", ANN)


def test_an_exception_leaves_what_was_there_before(store: SqlStore) -> None:
    fill(store)

    def fail_at_the_end() -> None:
        with store.transaction() as tx:
            tx.save_federation(WARD, b"later")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_at_the_end()
    with store.transaction() as tx:
        assert tx.federation(WARD) == b"state"


def test_a_store_goes_on_after_an_exception(store: SqlStore) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction():
        raise ZeroDivisionError
    fill(store)


def test_two_threads_take_turns(store: SqlStore) -> None:
    with store.transaction() as tx:
        tx.save_federation(WARD, b"0")

    def count() -> None:
        for _ in range(10):
            with store.transaction() as tx:
                tx.save_federation(WARD, str(int(tx.federation(WARD) or b"") + 1).encode())

    threads = [Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.transaction() as tx:
        assert tx.federation(WARD) == b"30"


def test_a_refusal_of_the_database_does_not_show_what_was_to_be_written(store: SqlStore) -> None:
    fill(store)
    with pytest.raises(StoreError) as refused, store.transaction() as tx:
        tx.save_body(SID, "advert", ANN, b"hunter2")
    chain = f"{refused.value} {refused.value.__cause__} {refused.value.__context__}"
    assert "hunter2" not in chain


# ---- on disk


def test_everything_survives_closing_and_opening_again(tmp_path: Path) -> None:
    first = SqlStore(tmp_path)
    content = fill(first)
    first.close()
    second = SqlStore(tmp_path)
    with second.transaction() as tx:
        assert tx.federation(WARD) == b"state"
        assert tx.session(SID) == (WARD, b"session")
        assert tx.body(SID, "advert", ANN) == b"hello"
        assert tx.artefact(content) == b"model"
    second.close()


def test_numbers_of_events_go_on_after_opening_again(tmp_path: Path) -> None:
    for _ in range(2):
        store = SqlStore(tmp_path)
        with store.transaction() as tx:
            tx.announce(WARD, "round", b"")
        store.close()
    store = SqlStore(tmp_path)
    with store.transaction() as tx:
        first, second = tx.events(WARD)
    store.close()
    assert first.number < second.number


def test_the_folder_is_made_if_it_is_missing(tmp_path: Path) -> None:
    SqlStore(tmp_path / "a" / "b").close()
    assert (tmp_path / "a" / "b" / "coordinator.sqlite").is_file()


@pytest.mark.parametrize("name", ["a?b=c", "100%", "a#b", "ä b", ":memory:"])
def test_the_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    store = SqlStore(tmp_path / name)
    fill(store)
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "coordinator.sqlite").is_file()


@pytest.mark.parametrize("damaged", [b"", b"mode", b"model!", b"nodel"])
def test_a_damaged_artefact_is_refused(tmp_path: Path, damaged: bytes) -> None:
    store = SqlStore(tmp_path)
    content = fill(store)
    (tmp_path / "artefacts" / content).write_bytes(damaged)
    with store.transaction() as tx, pytest.raises(StoreError, match="damaged on disk"):
        tx.artefact(content)
    store.close()


def test_an_artefact_leaves_one_file_under_its_hash(tmp_path: Path) -> None:
    store = SqlStore(tmp_path)
    content = fill(store)
    with store.transaction() as tx:
        tx.save_artefact(b"model")
    store.close()
    assert [path.name for path in (tmp_path / "artefacts").iterdir()] == [content]


def test_a_secret_beside_the_artefacts_cannot_be_reached(tmp_path: Path) -> None:
    store = SqlStore(tmp_path)
    name = "b" * 64
    (tmp_path / name).write_bytes(b"secret")
    with store.transaction() as tx:
        for content in (f"../{name}", str(tmp_path / name), f"artefacts/../../{name}"):
            with pytest.raises(NotFoundError):
                tx.artefact(Digest(content))
    store.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "coordinator.sqlite").write_bytes(b"not a database, but long enough to be read")
    with pytest.raises(StoreError, match="the database refused"):
        SqlStore(tmp_path)


def test_commits_are_written_through_to_the_disk(tmp_path: Path) -> None:
    store = SqlStore(tmp_path)
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    store.close()


def test_a_transaction_holds_the_pen_from_its_beginning(tmp_path: Path) -> None:
    store = SqlStore(tmp_path)
    other = sqlite3.connect(tmp_path / "coordinator.sqlite", timeout=0)
    with store.transaction(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.close()
    store.close()


STOPS_BEFORE_COMMIT = """
import sys
from pathlib import Path
from secure_clove.stores.sql import SqlStore

store = SqlStore(Path(sys.argv[1]))
with store.transaction() as tx:
    tx.save_artefact(b"model of the killed")
    tx.save_session("ab" * 32, "ward", b"half")
    tx.save_body("ab" * 32, "masked", "ann", b"half")
    tx.announce("ward", "round", b"half")
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_a_process_killed_before_its_commit_leaves_nothing_half_written(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    store = SqlStore(folder)
    fill(store)
    store.close()
    killed_after_ready(STOPS_BEFORE_COMMIT, folder, cwd=tmp_path)
    store = SqlStore(folder)
    with store.transaction() as tx:
        assert tx.session(SID) == (WARD, b"session")
        assert [event.body for event in tx.events(WARD)] == [b"report"]
        with pytest.raises(NotFoundError):
            tx.body(SID, "masked", ANN)
        tx.save_body(SID, "masked", ANN, b"whole")  # the client sends it again
    store.close()
