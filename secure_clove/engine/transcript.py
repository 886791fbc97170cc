"""What the coordinator has seen of single clients: replies that travelled on their own."""

from collections.abc import Mapping
from dataclasses import dataclass

from secure_clove.engine.each import EachServer
from secure_clove.engine.messages import REPLY_STEP, Reply
from secure_clove.engine.pipeline import from_ring
from secure_clove.engine.plan import Config
from secure_clove.engine.ports import Store, Transaction
from secure_clove.engine.state import FederationState, SessionState
from secure_clove.errors import NotFoundError
from secure_clove.foundation.codec import decode
from secure_clove.foundation.ids import ClientId, Digest, FederationId
from secure_clove.foundation.trees import Tree
from secure_clove.secagg import ring


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


def transcript(store: Store, name: FederationId) -> tuple[Seen, ...]:
    """Return every session of single replies of a federation, in order of rounds.

    This is all that its coordinator ever held of single clients, besides masked vectors.

    Raises:
        NotFoundError: no such federation.
    """
    with store.transaction() as tx:
        saved = tx.federation(name)
        if saved is None:
            raise NotFoundError("no such federation")
        config = decode(decode(saved, FederationState).config.body, Config)
        seen = []
        for sid in tx.sessions(name):
            found = tx.session(sid)
            state = decode(found[1], SessionState) if found else None
            if state is not None and state.each is not None:
                seen.append(
                    Seen(
                        round=state.session.round,
                        exchange=state.session.phase.partition("/")[0],
                        asks=state.asks,
                        replies=read_replies(tx, config, sid, state.each),
                    )
                )
    return tuple(sorted(seen, key=lambda session: session.round))
