"""What an adversary really sees, cut from the transcript that a coordinator has kept."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from secure_clove.algorithms.base import Use
from secure_clove.engine.each import EachServer
from secure_clove.engine.messages import REPLY_STEP, Reply
from secure_clove.engine.pipeline import from_ring, unpack
from secure_clove.engine.plan import Config
from secure_clove.engine.state import FederationState, SessionState
from secure_clove.errors import StoreError
from secure_clove.foundation.codec import decode
from secure_clove.foundation.ids import ClientId, FederationId
from secure_clove.foundation.trees import Tree, Vector
from secure_clove.secagg import ring
from secure_clove.stores.sql import SESSIONS, SqlStore, SqlTransaction

DATABASE = "coordinator.sqlite"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SingleReplies:
    """One exchange whose replies travelled on their own.

    Attributes:
        round: Counted from 1.
        exchange: Its name.
        asks: What each client was asked about.
        replies: What each client that answered sent, decoded and nothing more: noise included.
    """

    round: int
    exchange: str
    asks: Mapping[ClientId, Tree] = field(repr=False)
    replies: Mapping[ClientId, Tree] = field(repr=False)

    def vectors(self, part: str) -> Mapping[ClientId, Vector]:
        """Return one named array of every reply."""
        return {client: tree[part] for client, tree in self.replies.items()}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CoordinatorView:
    """Everything a curious coordinator has about single clients.

    Attributes:
        config: What the federation agreed on, its noise multipliers among it.
        singles: Exchanges of single replies, oldest first; masked sums name no client.
    """

    config: Config
    singles: tuple[SingleReplies, ...]

    @property
    def embeddings(self) -> tuple[SingleReplies, ...]:
        """The exchanges in which clients released a loss embedding."""
        uses = {exchange.name: exchange.uses for exchange in self.config.build().exchanges}
        return tuple(seen for seen in self.singles if Use.EMBEDDING in uses[seen.exchange])

    @property
    def releases(self) -> Mapping[ClientId, int]:
        """How many loss embeddings each client released."""
        return Counter(client for seen in self.embeddings for client in seen.replies)


def coordinator_view(folder: Path) -> CoordinatorView:
    """Return the view of the coordinator whose store lies in ``folder``.

    Args:
        folder: Holds ``coordinator.sqlite`` and ``artefacts/`` of one federation.

    Raises:
        StoreError: there is no such store, or it holds none or several federations.
        MalformedError: a stored message or state is damaged.
    """
    if not (folder / DATABASE).is_file():
        raise StoreError(f"'{folder}' holds no {DATABASE}; name the folder of a finished run")
    store = SqlStore(folder)
    try:
        with store.engine.begin() as sql:
            query = select(SESSIONS.c.sid, SESSIONS.c.state).order_by(SESSIONS.c.sid)
            found = [(str(sid), decode(bytes(state), SessionState)) for sid, state in sql.execute(query)]
        with store.transaction() as tx:
            config = _only_config(tx)
            seen = [_singles(tx, config, sid, state) for sid, state in found if state.each]
    finally:
        store.close()
    return CoordinatorView(
        config=config, singles=tuple(sorted(seen, key=lambda one: (one.round, one.exchange)))
    )


def _only_config(tx: SqlTransaction) -> Config:
    names = tx.federations()
    if len(names) != 1:
        raise StoreError(f"one federation expected in the store, found {len(names)}")
    return decode(_state(tx, names[0]).config.body, Config)


def _state(tx: SqlTransaction, name: FederationId) -> FederationState:
    saved = tx.federation(name)
    if saved is None:
        raise StoreError("the federation vanished from the store while it was read")
    return decode(saved, FederationState)


def _singles(tx: SqlTransaction, config: Config, sid: str, state: SessionState) -> SingleReplies:
    machine = state.machine
    if not isinstance(machine, EachServer):
        raise StoreError("a session of single replies was expected")
    name = machine.session.phase.partition("/")[0]
    return SingleReplies(
        round=machine.session.round,
        exchange=name,
        asks={client: unpack(tx.artefact(ask)) for client, ask in state.asks.items()},
        replies={
            client: _decoded(config, name, machine, tx.body(sid, REPLY_STEP, client))
            for client in sorted(machine.heard)
        },
    )


def _decoded(config: Config, name: str, machine: EachServer, body: bytes) -> Tree:
    """Return one reply as the coordinator decodes it."""
    bits, length = machine.session.ring_bits, machine.session.length
    reply = decode(body, Reply)
    words = ring.widen(ring.from_bytes(reply.values, length=length, bits=bits))
    exchange = config.exchange(name)
    return from_ring(config, exchange, words, blocks=1, bits=bits, clients=1)[0]
