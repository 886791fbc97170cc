"""What the coordinator has seen: replies that travelled on their own, and masked sums."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from secure_clove.engine.each import EachServer
from secure_clove.engine.messages import REPLY_STEP, Reply
from secure_clove.engine.pipeline import from_ring
from secure_clove.engine.plan import Config
from secure_clove.engine.ports import Store, Transaction
from secure_clove.engine.sessions import StoredBodies
from secure_clove.engine.state import FederationState, SessionState
from secure_clove.errors import NotFoundError
from secure_clove.foundation.codec import decode
from secure_clove.foundation.ids import ClientId, Digest, FederationId
from secure_clove.foundation.trees import Tree
from secure_clove.secagg import ring
from secure_clove.secagg.keys import public_coin
from secure_clove.secagg.server import SumServer
from secure_clove.secagg.stages import STEPS, Stage


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """One finished session of single replies.

    Attributes:
        round: Counted from 1.
        exchange: Its name.
        asks: Hash of what each client was asked.
        replies: What each client answered, as the coordinator reads it.
    """

    round: int
    exchange: str
    asks: Mapping[ClientId, Digest]
    replies: Mapping[ClientId, Tree]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Summed:
    """One finished masked session.

    Attributes:
        round: Counted from 1.
        exchange: Its name.
        group: Whose sum it is, of the groups of the exchange.
        members: U3, who is in the sum.
        ask: Hash of what all of them were asked.
        coin: Of the session (protocol.md, R1.6).
        total: The sum.
        sent: Bytes of every message, by step and sender.
    """

    round: int
    exchange: str
    group: int
    members: tuple[ClientId, ...]
    ask: Digest
    coin: bytes
    total: Tree
    sent: Mapping[str, Mapping[ClientId, int]]


def read_replies(
    tx: Transaction, config: Config, sid: str, server: EachServer
) -> dict[ClientId, Tree]:
    """Return the replies of one session of single replies, by client."""
    bits, length = server.session.ring_bits, server.session.length
    exchange = config.exchange(server.session.phase.partition("/")[0])
    found: dict[ClientId, Tree] = {}
    for client in sorted(server.heard):
        reply = decode(tx.body(sid, REPLY_STEP, client), Reply)
        words = ring.widen(ring.from_bytes(reply.values, length=length, bits=bits))
        found[client] = from_ring(config, exchange, words, bits=bits, clients=1)
    return found


def read_total(tx: Transaction, config: Config, sid: str, server: SumServer) -> Tree:
    """Return the sum of one finished masked session, unmasked again from what was stored."""
    exchange = config.exchange(server.session.phase.partition("/")[0])
    words = server.total(StoredBodies(tx, sid))
    bits = server.session.ring_bits
    return from_ring(config, exchange, words, bits=bits, clients=len(server.u3))


def transcript(store: Store, name: FederationId) -> tuple[Seen, ...]:
    """Return every session of single replies of a federation, in order of rounds.

    This and `summed` is all that its coordinator ever held, besides masked vectors.

    Raises:
        NotFoundError: no such federation.
    """
    with store.transaction() as tx:
        config = _config(tx, name)
        seen = [
            Seen(
                round=state.session.round,
                exchange=state.session.phase.partition("/")[0],
                asks=state.asks,
                replies=read_replies(tx, config, sid, state.each),
            )
            for sid, state in _sessions(tx, name)
            if state.each is not None
        ]
    return tuple(sorted(seen, key=lambda session: session.round))


def summed(store: Store, name: FederationId) -> tuple[Summed, ...]:
    """Return every masked sum of a federation, in the order of rounds and exchanges.

    The coordinator's state keeps the sums of the running exchange alone, but a coordinator that
    remembers has them all, and the stored messages give them again.

    Raises:
        NotFoundError: no such federation.
        AbortedError: a stored message is damaged.
    """
    with store.transaction() as tx:
        config = _config(tx, name)
        found = [
            _summed(tx, config, sid, state, state.masked)
            for sid, state in _sessions(tx, name)
            if state.masked is not None and state.masked.stage is Stage.UNMASKED
        ]
    order = [exchange.name for exchange in config.build().exchanges]
    return tuple(sorted(found, key=lambda s: (s.round, order.index(s.exchange), s.group)))


def _summed(
    tx: Transaction, config: Config, sid: str, state: SessionState, server: SumServer
) -> Summed:
    return Summed(
        round=state.session.round,
        exchange=state.session.phase.partition("/")[0],
        group=state.group,
        members=server.u3,
        ask=state.session.asks[0],
        coin=public_coin(state.session.sid, server.h1),
        total=read_total(tx, config, sid, server),
        sent={step: _sizes(tx, sid, step) for step in STEPS},
    )


def _sizes(tx: Transaction, sid: str, step: str) -> dict[ClientId, int]:
    senders = sorted(tx.body_senders(sid, step))
    return {client: len(tx.body(sid, step, client)) for client in senders}


def _config(tx: Transaction, name: FederationId) -> Config:
    saved = tx.federation(name)
    if saved is None:
        raise NotFoundError("no such federation")
    return decode(decode(saved, FederationState).config.body, Config)


def _sessions(tx: Transaction, name: FederationId) -> Iterator[tuple[str, SessionState]]:
    for sid in tx.sessions(name):
        found = tx.session(sid)
        if found is not None:
            yield sid, decode(found[1], SessionState)
