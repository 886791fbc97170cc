"""The coordinator's store in a SQL database; bulk artefacts beside it."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from threading import RLock

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from secure_clove.engine.ports import Event
from secure_clove.errors import NotFoundError
from secure_clove.foundation.ids import ClientId, Digest, FederationId, digest
from secure_clove.stores.artefacts import Artefacts, FileArtefacts, MemoryArtefacts
from secure_clove.stores.engine import guarded, open_sqlite

SCHEMA = MetaData()

FEDERATIONS = Table(
    "federations",
    SCHEMA,
    Column("name", String, primary_key=True),
    Column("stamp", String, nullable=False),
    Column("state", LargeBinary, nullable=False),
)
ARRIVALS = Table(
    "arrivals",
    SCHEMA,
    Column("federation", String, primary_key=True),
    Column("client", String, primary_key=True),
    Column("number", Integer, nullable=False),  # counted from 1
    Index("arrivals_by_number", "federation", "number"),
)
SESSIONS = Table(
    "sessions",
    SCHEMA,
    Column("sid", String, primary_key=True),
    Column("federation", String, nullable=False),
    Column("stamp", String, nullable=False),
    Column("state", LargeBinary, nullable=False),
)
BODIES = Table(
    "bodies",
    SCHEMA,
    Column("sid", String, primary_key=True),
    Column("step", String, primary_key=True),
    Column("client", String, primary_key=True),
    Column("content", String, nullable=False),
    Column("body", LargeBinary),  # none: the bytes are the artefact of that content
)
STEPS = Table(
    "steps",
    SCHEMA,
    Column("sid", String, primary_key=True),
    Column("step", String, primary_key=True),
    Column("messages", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)
INBOXES = Table(
    "inboxes",
    SCHEMA,
    Column("sid", String, primary_key=True),
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


ROW_BYTES = 1 << 16
"""A longer message, such as a masked vector, lies among the artefacts."""

AT_ONCE = 256
"""How many rows are written with one statement."""

# What every message asks for, built once: building a statement takes longer than running it.
OF_SESSION = SESSIONS.c.sid == bindparam("of_sid")
OF_STEP = and_(STEPS.c.sid == bindparam("of_sid"), STEPS.c.step == bindparam("of_step"))
OF_BODY = and_(
    BODIES.c.sid == bindparam("of_sid"),
    BODIES.c.step == bindparam("of_step"),
    BODIES.c.client == bindparam("of_client"),
)
SESSION_STAMP = select(SESSIONS.c.stamp).where(OF_SESSION)
FEDERATION_STAMP = select(FEDERATIONS.c.stamp).where(FEDERATIONS.c.name == bindparam("of_name"))
BODY = select(BODIES.c.content, BODIES.c.body).where(OF_BODY)
BODY_DIGEST = select(BODIES.c.content).where(OF_BODY)
BODY_COUNT = select(STEPS.c.messages).where(OF_STEP)
ADD_BODY = insert(BODIES)
COUNT_BODY = (
    update(STEPS)
    .where(OF_STEP)
    .values(messages=STEPS.c.messages + 1, bytes=STEPS.c.bytes + bindparam("more"))
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

    def federation_stamp(self, name: FederationId) -> Digest | None:
        """Return the content hash of a federation's saved state."""
        return self._sql.execute(FEDERATION_STAMP, {"of_name": name}).scalar_one_or_none()

    def federations(self) -> tuple[FederationId, ...]:
        """Return the names of all federations."""
        query = select(FEDERATIONS.c.name).order_by(FEDERATIONS.c.name)
        return tuple(self._sql.execute(query).scalars())

    def save_federation(self, name: FederationId, state: bytes) -> None:
        """Save the state of a federation."""
        values = {"stamp": digest(state), "state": state}
        change = update(FEDERATIONS).where(FEDERATIONS.c.name == name).values(values)
        if not self._sql.execute(change).rowcount:
            self._sql.execute(insert(FEDERATIONS).values(name=name, **values))

    def arrive(self, name: FederationId, client: ClientId) -> bool:
        """Note that a client is there; return False if that was noted already."""
        one = and_(ARRIVALS.c.federation == name, ARRIVALS.c.client == client)
        if self._sql.execute(select(ARRIVALS.c.number).where(one)).first() is not None:
            return False
        number = self.arrivals(name) + 1
        row = insert(ARRIVALS).values(federation=name, client=client, number=number)
        self._sql.execute(row)
        return True

    def arrivals(self, name: FederationId) -> int:
        """Return how many clients are noted: the number of the last one."""
        query = select(func.max(ARRIVALS.c.number)).where(ARRIVALS.c.federation == name)
        return self._sql.execute(query).scalar_one() or 0

    def take_arrivals(self, name: FederationId) -> tuple[ClientId, ...]:
        """Return the clients that are noted and forget the notes."""
        query = select(ARRIVALS.c.client).where(ARRIVALS.c.federation == name)
        found = tuple(self._sql.execute(query.order_by(ARRIVALS.c.client)).scalars())
        self._sql.execute(delete(ARRIVALS).where(ARRIVALS.c.federation == name))
        return found

    def session(self, sid: str) -> tuple[FederationId, bytes] | None:
        """Return a session's federation and saved state."""
        query = select(SESSIONS.c.federation, SESSIONS.c.state).where(SESSIONS.c.sid == sid)
        row = self._sql.execute(query).one_or_none()
        return (row[0], row[1]) if row else None

    def session_stamp(self, sid: str) -> Digest | None:
        """Return the content hash of a session's saved state."""
        return self._sql.execute(SESSION_STAMP, {"of_sid": sid}).scalar_one_or_none()

    def sessions(self, federation: FederationId) -> tuple[str, ...]:
        """Return the hex sids of every session a federation ever had."""
        query = select(SESSIONS.c.sid).where(SESSIONS.c.federation == federation)
        return tuple(self._sql.execute(query.order_by(SESSIONS.c.sid)).scalars())

    def save_session(self, sid: str, federation: FederationId, state: bytes) -> None:
        """Save the state of a session."""
        values = {"stamp": digest(state), "state": state}
        change = update(SESSIONS).where(SESSIONS.c.sid == sid).values(values)
        if not self._sql.execute(change).rowcount:
            self._sql.execute(insert(SESSIONS).values(sid=sid, federation=federation, **values))

    def body(self, sid: str, step: str, client: ClientId) -> bytes:
        """Return a stored message."""
        row = self._sql.execute(BODY, _body(sid, step, client)).one_or_none()
        if row is None:
            raise NotFoundError(f"no '{step}' of this client was stored")
        return self._artefacts.get(row.content) if row.body is None else bytes(row.body)

    def body_digest(self, sid: str, step: str, client: ClientId) -> Digest | None:
        """Return the content hash of a stored message; None if none was stored."""
        return self._sql.execute(BODY_DIGEST, _body(sid, step, client)).scalar_one_or_none()

    def body_count(self, sid: str, step: str) -> int:
        """Return how many messages of a step were stored; they are counted as they come."""
        of = {"of_sid": sid, "of_step": step}
        return self._sql.execute(BODY_COUNT, of).scalar_one_or_none() or 0

    def body_senders(self, sid: str, step: str) -> Mapping[ClientId, Digest]:
        """Return the senders of a step's stored messages, with their content hashes."""
        query = select(BODIES.c.client, BODIES.c.content)
        rows = self._sql.execute(query.where(BODIES.c.sid == sid, BODIES.c.step == step))
        return {client: content for client, content in rows}

    def body_bytes(self, sid: str) -> int:
        """Return how many bytes the stored messages of a session have together."""
        query = select(STEPS.c.bytes).where(STEPS.c.sid == sid)
        return sum(self._sql.execute(query).scalars())

    def save_body(self, sid: str, step: str, client: ClientId, body: bytes) -> None:
        """Store a message, once; a long one among the artefacts."""
        is_long = len(body) > ROW_BYTES
        content = self._artefacts.add(body) if is_long else digest(body)
        kept = {"content": content, "body": None if is_long else body}
        self._sql.execute(ADD_BODY, {"sid": sid, "step": step, "client": client, **kept})
        counted = {"of_sid": sid, "of_step": step, "more": len(body)}
        if not self._sql.execute(COUNT_BODY, counted).rowcount:
            first = insert(STEPS).values(sid=sid, step=step, messages=1, bytes=len(body))
            self._sql.execute(first)

    def inbox(self, sid: str, client: ClientId) -> bytes | None:
        """Return what waits for one client of a session; None if nothing does."""
        query = select(INBOXES.c.body).where(INBOXES.c.sid == sid, INBOXES.c.client == client)
        return self._sql.execute(query).scalar_one_or_none()

    def save_inboxes(self, sid: str, inboxes: Iterable[tuple[ClientId, bytes]]) -> None:
        """Store what waits for each client of a session, once."""
        rows = ({"sid": sid, "client": client, "body": body} for client, body in inboxes)
        while some := list(islice(rows, AT_ONCE)):
            self._sql.execute(insert(INBOXES), some)

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


def _body(sid: str, step: str, client: ClientId) -> dict[str, str]:
    return {"of_sid": sid, "of_step": step, "of_client": client}


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
