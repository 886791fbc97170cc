"""The coordinator's store in a SQL database; bulk artefacts beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    insert,
    select,
    update,
)

from secure_clove.engine.ports import Event
from secure_clove.errors import NotFoundError
from secure_clove.foundation.ids import ClientId, Digest, FederationId
from secure_clove.stores.artefacts import Artefacts, FileArtefacts, MemoryArtefacts
from secure_clove.stores.engine import guarded, open_sqlite

SCHEMA = MetaData()

FEDERATIONS = Table(
    "federations",
    SCHEMA,
    Column("name", String, primary_key=True),
    Column("state", LargeBinary, nullable=False),
)
SESSIONS = Table(
    "sessions",
    SCHEMA,
    Column("sid", String, primary_key=True),
    Column("federation", String, nullable=False),
    Column("state", LargeBinary, nullable=False),
)
BODIES = Table(
    "bodies",
    SCHEMA,
    Column("sid", String, primary_key=True),
    Column("step", String, primary_key=True),
    Column("client", String, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
EVENTS = Table(
    "events",
    SCHEMA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("federation", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
)


class SqlTransaction:
    """One transaction; see `secure_clove.engine.ports.Transaction`."""

    def __init__(self, connection: Connection, artefacts: Artefacts) -> None:
        self._sql, self._artefacts = connection, artefacts

    @property
    def connection(self) -> Connection:
        """The open connection, for tables that an application keeps beside these."""
        return self._sql

    def federation(self, name: FederationId) -> bytes | None:
        """Return the saved state of a federation."""
        query = select(FEDERATIONS.c.state).where(FEDERATIONS.c.name == name)
        return self._sql.execute(query).scalar_one_or_none()

    def federations(self) -> tuple[FederationId, ...]:
        """Return the names of all federations."""
        query = select(FEDERATIONS.c.name).order_by(FEDERATIONS.c.name)
        return tuple(self._sql.execute(query).scalars())

    def save_federation(self, name: FederationId, state: bytes) -> None:
        """Save the state of a federation."""
        change = update(FEDERATIONS).where(FEDERATIONS.c.name == name).values(state=state)
        if not self._sql.execute(change).rowcount:
            self._sql.execute(insert(FEDERATIONS).values(name=name, state=state))

    def session(self, sid: str) -> tuple[FederationId, bytes] | None:
        """Return a session's federation and saved state."""
        query = select(SESSIONS.c.federation, SESSIONS.c.state).where(SESSIONS.c.sid == sid)
        row = self._sql.execute(query).one_or_none()
        return (row[0], row[1]) if row else None

    def sessions(self, federation: FederationId) -> tuple[str, ...]:
        """Return the hex sids of every session a federation ever had."""
        query = select(SESSIONS.c.sid).where(SESSIONS.c.federation == federation)
        return tuple(self._sql.execute(query.order_by(SESSIONS.c.sid)).scalars())

    def save_session(self, sid: str, federation: FederationId, state: bytes) -> None:
        """Save the state of a session."""
        change = update(SESSIONS).where(SESSIONS.c.sid == sid).values(state=state)
        if not self._sql.execute(change).rowcount:
            self._sql.execute(insert(SESSIONS).values(sid=sid, federation=federation, state=state))

    def body(self, sid: str, step: str, client: ClientId) -> bytes:
        """Return a stored message."""
        query = select(BODIES.c.body).where(
            BODIES.c.sid == sid, BODIES.c.step == step, BODIES.c.client == client
        )
        body = self._sql.execute(query).scalar_one_or_none()
        if body is None:
            raise NotFoundError(f"no '{step}' of this client was stored")
        return bytes(body)

    def save_body(self, sid: str, step: str, client: ClientId, body: bytes) -> None:
        """Store a message, once."""
        self._sql.execute(insert(BODIES).values(sid=sid, step=step, client=client, body=body))

    def artefact(self, content: Digest) -> bytes:
        """Return bytes by their hash."""
        return self._artefacts.get(content)

    def save_artefact(self, data: bytes) -> Digest:
        """Store bytes under their hash. A file without a row that names it does no harm."""
        return self._artefacts.add(data)

    def announce(self, federation: FederationId, kind: str, body: bytes) -> None:
        """Append an event to the outbox."""
        self._sql.execute(insert(EVENTS).values(federation=federation, kind=kind, body=body))

    def events(self, federation: FederationId, after: int = 0) -> tuple[Event, ...]:
        """Return the events numbered above ``after``, oldest first."""
        query = (
            select(EVENTS.c.number, EVENTS.c.kind, EVENTS.c.body)
            .where(EVENTS.c.federation == federation, EVENTS.c.number > after)
            .order_by(EVENTS.c.number)
        )
        rows = self._sql.execute(query)
        return tuple(Event(number=number, kind=kind, body=body) for number, kind, body in rows)


class SqlStore:
    """A store in a folder, or in memory; see `secure_clove.engine.ports.Store`.

    Args:
        folder: Holds ``coordinator.sqlite`` and ``artefacts/``; None keeps everything in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self._artefacts: Artefacts = (
            MemoryArtefacts() if folder is None else FileArtefacts(folder / "artefacts")
        )
        self.engine = open_sqlite(None if folder is None else folder / "coordinator.sqlite")
        self._turn = RLock()
        with guarded():
            SCHEMA.create_all(self.engine)

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """Open a transaction: committed on leaving, undone on an exception.

        Raises:
            StoreError: the database refused.
        """
        with guarded(), self._turn, self.engine.begin() as connection:
            yield SqlTransaction(connection, self._artefacts)

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()
