"""Tables that only the service needs, in the coordinator's database: enrolments, seen nonces.

Every function works inside a transaction of the `SqlStore` that it is given.
"""

from collections.abc import Iterable, Mapping
from hmac import compare_digest

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from secure_clove.errors import ConflictError, UnknownClientError
from secure_clove.foundation.ids import ClientId, FederationId
from secure_clove.transport.signing import Claim
from secure_clove.transport.wire import token_hash

FRESH_S = 60
"""Seconds that the clocks of a client and the coordinator may differ, delivery included."""

SCHEMA = MetaData()

ENROLMENTS = Table(
    "enrolments",
    SCHEMA,
    Column("federation", String, primary_key=True),
    Column("client", String, primary_key=True),
    Column("token_hash", String, nullable=False),
    Column("public_key", LargeBinary),
    UniqueConstraint("federation", "public_key"),
)
NONCES = Table(
    "nonces",
    SCHEMA,
    Column("keyid", String, primary_key=True),
    Column("nonce", String, primary_key=True),
    Column("created", Integer, nullable=False),
    Index("nonces_by_age", "created"),
)


def admit(sql: Connection, claims: Iterable[Claim], now: int) -> list[bool]:
    """Note signed requests, and forget those too old to be made again; say which were new.

    Args:
        sql: Of the transaction.
        claims: Of requests whose signatures are true.
        now: Seconds since the epoch.
    """
    sql.execute(delete(NONCES).where(NONCES.c.created < now - FRESH_S))
    return [_is_new(sql, claim) for claim in claims]


def _is_new(sql: Connection, claim: Claim) -> bool:
    row = upsert(NONCES).values(keyid=claim.keyid, nonce=claim.nonce, created=claim.created)
    return bool(sql.execute(row.on_conflict_do_nothing()).rowcount)


def offer(sql: Connection, federation: FederationId, tokens: Mapping[ClientId, str]) -> None:
    """Keep the token hashes of a new federation; the same ones again change nothing.

    Raises:
        ConflictError: it was founded with other tokens.
    """
    query = select(ENROLMENTS.c.client, ENROLMENTS.c.token_hash).where(
        ENROLMENTS.c.federation == federation
    )
    known = {client: kept for client, kept in sql.execute(query)}
    if known and known != tokens:
        raise ConflictError("the federation was founded with other enrolment tokens")
    rows = [
        {"federation": federation, "client": client, "token_hash": kept}
        for client, kept in tokens.items()
    ]
    if rows and not known:
        sql.execute(insert(ENROLMENTS), rows)


def owner(sql: Connection, federation: FederationId, token: str) -> ClientId:
    """Return whose enrolment token this is.

    Every hash is compared in constant time, whichever fits.

    Raises:
        UnknownClientError: nobody's.
    """
    wanted, found = token_hash(token), None
    query = select(ENROLMENTS.c.client, ENROLMENTS.c.token_hash).where(
        ENROLMENTS.c.federation == federation
    )
    for client, kept in sql.execute(query):
        if compare_digest(kept, wanted):
            found = ClientId(client)
    if found is None:
        raise UnknownClientError("no such enrolment token; ask the operator for yours")
    return found


def enrol(sql: Connection, federation: FederationId, client: ClientId, public: bytes) -> None:
    """Keep a client's identity key.

    Raises:
        ConflictError: another client has this key.
    """
    keys = enrolled(sql, federation)
    if any(key == public for other, key in keys.items() if other != client):
        raise ConflictError(
            "another client of this federation has this identity key; make a new one"
        )
    of_client = (ENROLMENTS.c.federation == federation) & (ENROLMENTS.c.client == client)
    sql.execute(update(ENROLMENTS).where(of_client).values(public_key=public))


def enrolled(sql: Connection, federation: FederationId) -> dict[ClientId, bytes | None]:
    """Return the identity key of every client that may enrol, None for those that have not."""
    query = (
        select(ENROLMENTS.c.client, ENROLMENTS.c.public_key)
        .where(ENROLMENTS.c.federation == federation)
        .order_by(ENROLMENTS.c.client)
    )
    return {ClientId(client): key for client, key in sql.execute(query)}
