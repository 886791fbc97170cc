"""A client killed at any moment: no half entry, no entry lost, no reply without its entry."""

import math
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import pytest

from secure_clove.engine.ports import Mark
from secure_clove.errors import StoreError
from secure_clove.foundation.ids import FederationId
from secure_clove.privacy.events import Release
from secure_clove.privacy.ledger import Entry, Ledger
from secure_clove.stores.journal import SqlJournal, read_ledger
from tests.builders import run_python

WARD = FederationId("ward")
ROUNDS = 3

CLIENT = f"""
import os
os.environ["OMP_NUM_THREADS"] = "1"  # a process with threads must not fork

import resource, signal, sys
from itertools import count
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.engine import Engine

from secure_clove.engine.ports import Mark
from secure_clove.privacy.events import Release
from secure_clove.privacy.ledger import Ledger
from secure_clove.stores.journal import SqlJournal

# Ends at the given moment. "call": SIGKILL before a commit, between commit and reply, or after it.
# "tick": SIGKILL before that instruction of the database. "byte": the kernel ends it inside the
# write that would take the write-ahead log that many bytes further, with what fits written.
def client(folder, kind, moment, order):
    moments = count()

    def now(at):
        if kind == at and next(moments) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    @event.listens_for(Engine, "connect")
    def watch(connection, _):
        connection.set_progress_handler(lambda: now("tick"), 1)

    journal, ledger = SqlJournal(folder / "journal.sqlite"), Ledger(limit=1e9, delta=1e-5)
    if kind == "byte":
        most = (folder / "journal.sqlite-wal").stat().st_size + moment
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    for number in range(1, {ROUNDS} + 1):
        where = dict(federation="ward", round=number)
        releases = (Release(name="update", multiplier=10), Release(name="metrics", multiplier=5))
        grown = ledger.charge(*releases, phase="train", attempt=1, **where)
        mark = Mark(exchange="train", attempt=1, sid="ab" * 32, **where)
        entries = grown.entries[len(ledger.entries):]
        now("call")
        if order == "right":
            journal.commit(entries, mark)
        now("call")
        (folder / f"sent-{{number}}").touch()
        now("call")
        if order == "wrong":
            journal.commit(entries[:1], mark)
            rest = Mark(exchange="rest", attempt=1, sid="ab" * 32, **where)
            journal.commit(entries[1:], rest)
        ledger = grown

root, order = Path(sys.argv[1]), sys.argv[2]
for kind, stride in (pair.split("=") for pair in sys.argv[3:]):
    for moment in count(0, int(stride)):
        folder = root / f"{{kind}}-{{moment:06}}"
        folder.mkdir()
        child = os.fork()
        if not child:
            client(folder, kind, moment, order)
            os._exit(0)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if ended >= 0:
            break
    print(kind, ended, moment // int(stride))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a client left behind.

    Attributes:
        sent: Replies that went out.
        entries: Of the ledger.
        marks: Of the log.
    """

    sent: int
    entries: tuple[Entry, ...]
    marks: tuple[Mark, ...]

    @property
    def is_whole(self) -> bool:
        """Whether every round that was begun is in the ledger entirely or not at all."""
        return self.entries == ledger_of(len(self.marks)).entries

    @property
    def is_charged(self) -> bool:
        """Whether every reply has its entries, and at most one round waits for its reply."""
        return self.sent <= len(self.marks) <= self.sent + 1


def charged(ledger: Ledger, number: int) -> Ledger:
    releases = (Release(name="update", multiplier=10), Release(name="metrics", multiplier=5))
    return ledger.charge(*releases, federation=WARD, round=number, phase="train", attempt=1)


def ledger_of(rounds: int) -> Ledger:
    return reduce(charged, range(1, rounds + 1), Ledger(limit=math.inf, delta=1e-5))


def killed(root: Path, order: str, **strides: int) -> list[Path]:
    """Kill a client at one moment after another until it is through; return its folders."""
    pairs = (f"{kind}={stride}" for kind, stride in strides.items())
    for line in run_python(CLIENT, root, order, *pairs, cwd=root).splitlines():
        _, ended, times = line.split()
        assert int(ended) == 0
        assert int(times) >= 3 * ROUNDS
    return sorted(root.iterdir())


def left(folder: Path) -> Left:
    journal = SqlJournal(folder / "journal.sqlite")
    entries, marks = journal.entries(), journal.marks(WARD)
    journal.close()
    return Left(sent=len(list(folder.glob("sent-*"))), entries=entries, marks=marks)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return what clients left that were killed at every call, write and few instructions."""
    return killed(tmp_path_factory.mktemp("killed"), "right", call=1, tick=23, byte=1031)


def test_whenever_it_is_killed_the_ledger_can_be_read_as_it_lies(folders: list[Path]) -> None:
    for folder in folders:
        if any(folder.glob("sent-*")):
            found = Ledger(entries=read_ledger(folder / "journal.sqlite"), limit=1, delta=1e-5)
            found.verify()
            assert found.entries == ledger_of(len(found.entries) // 2).entries


def test_whenever_it_is_killed_an_entry_is_there_entirely_or_not_at_all(
    folders: list[Path],
) -> None:
    found = [left(folder) for folder in folders]
    assert all(one.is_whole for one in found)
    assert {len(one.marks) for one in found} == set(range(ROUNDS + 1))


def test_whenever_it_is_killed_no_reply_went_out_without_its_entry(folders: list[Path]) -> None:
    assert all(left(folder).is_charged for folder in folders)


def test_whenever_it_is_killed_it_goes_on_where_it_stopped(folders: list[Path]) -> None:
    for folder in folders:
        journal = SqlJournal(folder / "journal.sqlite")
        before = Ledger(entries=journal.entries(), limit=math.inf, delta=1e-5)
        number = len(before.entries) // 2 + 1
        after = charged(before, number)
        mark = Mark(federation=WARD, round=number, exchange="train", attempt=1, sid="cd" * 32)
        journal.commit(after.entries[len(before.entries) :], mark)
        assert journal.entries() == ledger_of(number).entries
        with pytest.raises(StoreError):
            journal.commit((), mark)
        journal.close()


def test_a_client_that_did_it_otherwise_would_be_found_out(tmp_path: Path) -> None:
    found = [left(folder) for folder in killed(tmp_path, "wrong", call=1, tick=37)]
    assert not all(one.is_whole for one in found)
    assert not all(one.is_charged for one in found)
