"""A client's own memory: all or nothing, once only, and there after a crash."""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from secure_clove.engine.ports import Mark
from secure_clove.errors import ConfigError, StoreError
from secure_clove.foundation.ids import ClientId, FederationId
from secure_clove.privacy.events import Release
from secure_clove.privacy.ledger import Entry, Ledger
from secure_clove.stores.journal import SqlJournal, read_ledger
from tests.builders import killed_after_ready

WARD, BANK = FederationId("ward"), FederationId("bank")
MARK = Mark(federation=WARD, round=1, exchange="train", attempt=1, sid="ab" * 32)


@pytest.fixture(params=["memory", "file"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlJournal]:
    made = SqlJournal(None if request.param == "memory" else tmp_path / "journal.sqlite")
    yield made
    made.close()


def chain(count: int) -> tuple[Entry, ...]:
    """Return a ledger of one update a round."""
    ledger = Ledger(limit=math.inf, delta=1e-5)
    for number in range(1, count + 1):
        ledger = ledger.charge(
            Release(name="update", multiplier=10),
            federation=WARD,
            round=number,
            phase="train",
            attempt=1,
        )
    return ledger.entries


def test_a_new_journal_is_empty(journal: SqlJournal) -> None:
    assert journal.entries() == ()
    assert journal.marks(WARD) == ()
    assert journal.own(WARD) is None
    assert journal.name(WARD) is None


def test_a_commit_writes_entries_and_mark(journal: SqlJournal) -> None:
    journal.commit(chain(2), MARK)
    assert journal.entries() == chain(2)
    assert journal.marks(WARD) == (MARK,)


def test_a_mark_may_come_without_entries(journal: SqlJournal) -> None:
    journal.commit((), MARK)
    assert (journal.entries(), journal.marks(WARD)) == ((), (MARK,))


def test_the_ledger_is_read_in_order_and_its_chain_holds(journal: SqlJournal) -> None:
    for number, entry in enumerate(chain(12), start=1):
        journal.commit([entry], replace(MARK, round=number))
    read = Ledger(entries=journal.entries(), limit=math.inf, delta=1e-5)
    read.verify()
    assert read.entries == chain(12)


def test_marks_are_read_in_the_order_of_their_writing(journal: SqlJournal) -> None:
    marks = [replace(MARK, round=r, exchange=x) for r, x in ((2, "b"), (1, "z"), (3, "a"))]
    for mark in marks:
        journal.commit((), mark)
    assert list(journal.marks(WARD)) == marks


def test_a_federation_reads_its_own_marks_only(journal: SqlJournal) -> None:
    journal.commit((), MARK)
    assert journal.marks(BANK) == ()


@pytest.mark.parametrize("change", [{}, {"sid": "cd" * 32}])
def test_a_second_mark_for_an_attempt_is_refused(
    journal: SqlJournal, change: dict[str, str]
) -> None:
    journal.commit((), MARK)
    with pytest.raises(StoreError, match="nothing was sent"):
        journal.commit((), replace(MARK, sid=change.get("sid", MARK.sid)))
    assert journal.marks(WARD) == (MARK,)


@pytest.mark.parametrize(
    "other",
    [
        replace(MARK, attempt=2),
        replace(MARK, round=2),
        replace(MARK, exchange="losses"),
        replace(MARK, federation=BANK),
    ],
)
def test_a_mark_for_another_answer_is_taken(journal: SqlJournal, other: Mark) -> None:
    journal.commit((), MARK)
    journal.commit((), other)
    assert journal.marks(other.federation)[-1] == other


def test_a_refused_mark_takes_its_entries_with_it(journal: SqlJournal) -> None:
    journal.commit(chain(1), MARK)
    with pytest.raises(StoreError):
        journal.commit(chain(2)[1:], MARK)
    assert journal.entries() == chain(1)


def test_a_refused_entry_takes_its_mark_with_it(journal: SqlJournal) -> None:
    journal.commit(chain(1), MARK)
    with pytest.raises(StoreError):
        journal.commit(chain(1), replace(MARK, round=2))
    assert journal.marks(WARD) == (MARK,)


def test_of_several_entries_all_are_written_or_none(journal: SqlJournal) -> None:
    journal.commit(chain(1), MARK)
    with pytest.raises(StoreError):
        journal.commit((*chain(3)[1:], chain(1)[0]), replace(MARK, round=2))
    assert journal.entries() == chain(1)


def test_a_journal_goes_on_after_a_refusal(journal: SqlJournal) -> None:
    journal.commit((), MARK)
    with pytest.raises(StoreError):
        journal.commit((), MARK)
    journal.commit(chain(1), replace(MARK, round=2))
    assert journal.entries() == chain(1)


def test_the_own_state_kept_last_is_read(journal: SqlJournal) -> None:
    journal.keep(WARD, b"first")
    journal.keep(WARD, b"second")
    journal.keep(BANK, b"other")
    assert (journal.own(WARD), journal.own(BANK)) == (b"second", b"other")


def test_the_first_key_of_a_federation_stays_pinned(journal: SqlJournal) -> None:
    assert journal.pin(WARD, b"a" * 32) == b"a" * 32
    assert journal.pin(WARD, b"b" * 32) == b"a" * 32


def test_each_federation_has_a_pin_of_its_own(journal: SqlJournal) -> None:
    journal.pin(WARD, b"a" * 32)
    assert journal.pin(BANK, b"b" * 32) == b"b" * 32


def test_the_enrolled_name_is_remembered(journal: SqlJournal) -> None:
    journal.remember(WARD, ClientId("ann"))
    assert (journal.name(WARD), journal.name(BANK)) == ("ann", None)


def test_a_second_name_in_one_federation_is_refused(journal: SqlJournal) -> None:
    journal.remember(WARD, ClientId("ann"))
    with pytest.raises(StoreError):
        journal.remember(WARD, ClientId("bob"))
    assert journal.name(WARD) == "ann"


def test_a_refusal_does_not_show_what_was_to_be_written(journal: SqlJournal) -> None:
    journal.commit((), MARK)
    with pytest.raises(StoreError) as refused:
        journal.commit((), replace(MARK, sid="hunter2"))
    assert "hunter2" not in f"{refused.value} {refused.value.__cause__}"


# ---- on disk


def test_everything_survives_closing_and_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "site" / "journal.sqlite"
    first = SqlJournal(path)
    first.commit(chain(3), MARK)
    first.keep(WARD, b"own")
    first.pin(WARD, b"a" * 32)
    first.remember(WARD, ClientId("ann"))
    first.close()
    second = SqlJournal(path)
    assert second.entries() == chain(3)
    assert second.marks(WARD) == (MARK,)
    assert second.own(WARD) == b"own"
    assert second.pin(WARD, b"b" * 32) == b"a" * 32
    assert second.name(WARD) == "ann"
    second.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"not a database, but long enough to be read as the head of one" * 9)
    with pytest.raises(StoreError, match="the database refused"):
        SqlJournal(path)


# ---- read only


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """Return a journal of three entries that nobody has open, in a folder with an awkward name."""
    path = tmp_path / "site ?#%20" / "journal.sqlite"
    journal = SqlJournal(path)
    journal.commit(chain(3), MARK)
    journal.close()
    return path


def damage(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def test_a_ledger_can_be_read_without_touching_anything(closed: Path) -> None:
    before = closed.read_bytes()
    assert read_ledger(closed) == chain(3)
    assert closed.read_bytes() == before
    assert [path.name for path in closed.parent.iterdir()] == ["journal.sqlite"]


def test_a_ledger_can_be_read_while_the_client_runs(closed: Path) -> None:
    journal = SqlJournal(closed)
    journal.commit(chain(4)[3:], replace(MARK, round=2))
    assert read_ledger(closed) == chain(4)
    journal.commit(chain(5)[4:], replace(MARK, round=3))
    journal.close()
    assert read_ledger(closed) == chain(5)


def test_a_journal_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no journal at"):
        read_ledger(tmp_path / "journal.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_journal_is_refused_as_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"not a database, but long enough to be read as the head of one" * 9)
    with pytest.raises(StoreError, match="the database refused"):
        read_ledger(path)


def test_a_database_without_a_ledger_is_refused(tmp_path: Path) -> None:
    damage(tmp_path / "other.sqlite", "CREATE TABLE other (x INTEGER)")
    with pytest.raises(StoreError, match="the database refused"):
        read_ledger(tmp_path / "other.sqlite")


def test_an_entry_that_cannot_be_read_is_named(closed: Path) -> None:
    damage(closed, "UPDATE ledger SET entry = x'00' WHERE sequence = 1")
    with pytest.raises(StoreError, match="entry 1 of the privacy ledger cannot be read"):
        read_ledger(closed)
    journal = SqlJournal(closed)
    with pytest.raises(StoreError, match="entry 1 of the privacy ledger cannot be read"):
        journal.entries()
    journal.close()


def test_an_entry_taken_out_of_the_table_breaks_the_chain(closed: Path) -> None:
    damage(closed, "DELETE FROM ledger WHERE sequence = 1")
    with pytest.raises(StoreError, match="broken at entry 1"):
        Ledger(entries=read_ledger(closed), limit=1, delta=1e-5).verify()


# ---- killed; every other moment is in test_journal_killed.py

STOPS_AFTER_COMMIT = """
import sys
from pathlib import Path
from secure_clove.engine.ports import Mark
from secure_clove.privacy.events import Release
from secure_clove.privacy.ledger import Ledger
from secure_clove.stores.journal import SqlJournal

journal = SqlJournal(Path(sys.argv[1]))
ledger = Ledger(limit=float("inf"), delta=1e-5)
mark = Mark(federation="ward", round=1, exchange="train", attempt=1, sid="ab" * 32)
where = {"federation": "ward", "round": 1, "phase": "train", "attempt": 1}
journal.commit(ledger.charge(Release(name="update", multiplier=10), **where).entries, mark)
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_commit_survives_being_killed_right_after_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    killed_after_ready(STOPS_AFTER_COMMIT, path, cwd=tmp_path)
    journal = SqlJournal(path)
    assert journal.entries() == chain(1)
    assert journal.marks(WARD) == (MARK,)
    with pytest.raises(StoreError):
        journal.commit((), MARK)
    journal.close()
