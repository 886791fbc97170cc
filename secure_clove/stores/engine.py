"""One way to open a database: SQLite with durable writes, in a file or in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, StaticPool, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from secure_clove.errors import StoreError

BUSY_MS = 30_000
"""How long a writer waits for another one."""


def open_sqlite(path: Path | None) -> Engine:
    """Return an engine on a file, or on memory that ends with the process.

    Write-ahead log, foreign keys, and ``synchronous=FULL``: what was committed survives a crash.
    Transactions begin as writers, so a read that leads to a write cannot be overtaken.
    """
    if path is None:
        memory: dict[str, Any] = {"check_same_thread": False}
        engine = create_engine(
            "sqlite://", poolclass=StaticPool, connect_args=memory, hide_parameters=True
        )
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        url = URL.create("sqlite", database=str(path))
        engine = create_engine(url, hide_parameters=True)  # a traceback would print message bodies
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin_as_writer)
    return engine


@contextmanager
def guarded() -> Iterator[None]:
    """Turn what the database refuses into the library's own error.

    Raises:
        StoreError: the file is no database, is damaged, or refuses what was asked.
    """
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreError(f"the database refused: {type(error).__name__}") from error


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
