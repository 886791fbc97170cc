"""One way to open a database: SQLite with durable writes, in a file or in memory."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, StaticPool, create_engine, event

BUSY_MS = 30_000
"""How long a writer waits for another one."""


def open_sqlite(path: Path | None) -> Engine:
    """Return an engine on a file, or on memory that ends with the process.

    Write-ahead log, foreign keys, and ``synchronous=FULL``: what was committed survives a crash.
    Transactions begin as writers, so a read that leads to a write cannot be overtaken.
    """
    if path is None:
        memory: dict[str, Any] = {"check_same_thread": False}
        engine = create_engine("sqlite://", poolclass=StaticPool, connect_args=memory)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin_as_writer)
    return engine


def _configure(connection: Any, _: object) -> None:  # noqa: ANN401  a DBAPI connection
    connection.isolation_level = None  # SQLAlchemy's own BEGIN is the only one
    for pragma in (
        f"busy_timeout={BUSY_MS}",
        "journal_mode=WAL",
        "foreign_keys=ON",
        "synchronous=FULL",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_as_writer(connection: Any) -> None:  # noqa: ANN401  as above
    connection.exec_driver_sql("BEGIN IMMEDIATE")
