"""A client's own memory: privacy ledger, protocol log, own state and pinned keys, on its disk."""

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import (
    URL,
    Column,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    insert,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from secure_clove.engine.ports import Mark
from secure_clove.errors import ConfigError, MalformedError, StoreError
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId, FederationId
from secure_clove.privacy.ledger import Entry
from secure_clove.stores.engine import guarded, open_sqlite

SCHEMA = MetaData()

LEDGER = Table(
    "ledger",
    SCHEMA,
    Column("sequence", Integer, primary_key=True),
    Column("entry", LargeBinary, nullable=False),
)
LOG = Table(
    "log",
    SCHEMA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("federation", String, nullable=False),
    Column("round", Integer, nullable=False),
    Column("exchange", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("sid", String, nullable=False),
    UniqueConstraint("federation", "round", "exchange", "attempt"),
)
OWN = Table(
    "own",
    SCHEMA,
    Column("federation", String, primary_key=True),
    Column("state", LargeBinary, nullable=False),
)
NAMES = Table(
    "names",
    SCHEMA,
    Column("federation", String, primary_key=True),
    Column("client", String, nullable=False),
)
KEYS = Table(
    "federation_keys",
    SCHEMA,
    Column("federation", String, primary_key=True),
    Column("key", LargeBinary, nullable=False),
)


class SqlJournal:
    """See `secure_clove.engine.ports.Journal`.

    Args:
        path: SQLite file; None keeps everything in memory, for simulations.
    """

    def __init__(self, path: Path | None) -> None:
        self._engine = open_sqlite(path)
        with guarded():
            SCHEMA.create_all(self._engine)

    def entries(self) -> tuple[Entry, ...]:
        """Return the ledger, oldest first."""
        return _entries(self._engine)

    def marks(self, federation: FederationId) -> tuple[Mark, ...]:
        """Return the protocol log of one federation, oldest first."""
        query = select(LOG).where(LOG.c.federation == federation).order_by(LOG.c.number)
        with guarded(), self._engine.begin() as sql:
            return tuple(
                Mark(
                    federation=federation,
                    round=row.round,
                    exchange=row.exchange,
                    attempt=row.attempt,
                    sid=row.sid,
                )
                for row in sql.execute(query)
            )

    def commit(self, entries: Iterable[Entry], mark: Mark) -> None:
        """Write ledger entries and the log line in one durable transaction."""
        rows = [{"sequence": entry.sequence, "entry": encode(entry)} for entry in entries]
        line = {name: getattr(mark, name) for name in mark.__dataclass_fields__}
        try:
            with self._engine.begin() as sql:
                if rows:
                    sql.execute(insert(LEDGER), rows)
                sql.execute(insert(LOG).values(**line))
        except SQLAlchemyError as error:
            raise StoreError("the ledger could not be written, so nothing was sent") from error

    def own(self, federation: FederationId) -> bytes | None:
        """Return the algorithm's client state, if any was kept."""
        query = select(OWN.c.state).where(OWN.c.federation == federation)
        with guarded(), self._engine.begin() as sql:
            return sql.execute(query).scalar_one_or_none()

    def keep(self, federation: FederationId, own: bytes) -> None:
        """Keep the algorithm's client state."""
        with guarded(), self._engine.begin() as sql:
            change = update(OWN).where(OWN.c.federation == federation).values(state=own)
            if not sql.execute(change).rowcount:
                sql.execute(insert(OWN).values(federation=federation, state=own))

    def pin(self, federation: FederationId, key: bytes) -> bytes:
        """Return the federation key known for this name, remembering ``key`` if there is none."""
        query = select(KEYS.c.key).where(KEYS.c.federation == federation)
        with guarded(), self._engine.begin() as sql:
            known = sql.execute(query).scalar_one_or_none()
            if known is None:
                sql.execute(insert(KEYS).values(federation=federation, key=key))
            return key if known is None else bytes(known)

    def name(self, federation: FederationId) -> ClientId | None:
        """Return the name this client is enrolled under, if it is."""
        query = select(NAMES.c.client).where(NAMES.c.federation == federation)
        with guarded(), self._engine.begin() as sql:
            found = sql.execute(query).scalar_one_or_none()
        return None if found is None else ClientId(found)

    def remember(self, federation: FederationId, client: ClientId) -> None:
        """Keep the name this client is enrolled under."""
        with guarded(), self._engine.begin() as sql:
            sql.execute(insert(NAMES).values(federation=federation, client=client))

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()


def read_ledger(path: Path) -> tuple[Entry, ...]:
    """Return the ledger of a journal without changing the journal, oldest entry first.

    The client may be running. Whether the entries form a chain is for `Ledger.verify` to say.

    Args:
        path: The SQLite file, with its ``-wal`` file beside it if there is one.

    Raises:
        ConfigError: there is no such file.
        StoreError: it is no journal, its folder cannot be used, or an entry cannot be read.
    """
    if not path.is_file():
        raise ConfigError(
            f"no journal at {path}; a site keeps its own in the folder beside its key, such as "
            "site.key.d/journal.sqlite"
        )
    file = path.resolve()
    asked = {"uri": "true", "mode": "ro"}
    if not Path(f"{file}-wal").exists():
        asked["immutable"] = "1"  # nobody writes: leave no file beside it, and need no right to
    engine = create_engine(URL.create("sqlite", database=file.as_uri(), query=asked))
    try:
        return _entries(engine)
    finally:
        engine.dispose()


def _entries(engine: Engine) -> tuple[Entry, ...]:
    query = select(LEDGER.c.entry).order_by(LEDGER.c.sequence)
    with guarded(), engine.begin() as sql:
        return tuple(_entry(*found) for found in enumerate(sql.execute(query).scalars()))


def _entry(index: int, encoded: bytes) -> Entry:
    try:
        return decode(encoded, Entry)
    except MalformedError as error:
        raise StoreError(
            f"entry {index} of the privacy ledger cannot be read; restore the ledger from a backup "
            "before taking part again"
        ) from error
