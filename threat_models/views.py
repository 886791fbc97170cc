"""What an adversary really sees, cut from the transcript that a coordinator has kept."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from secure_clove.algorithms.base import Content, Use
from secure_clove.engine.asks import Ask
from secure_clove.engine.plan import Config
from secure_clove.engine.state import FederationState
from secure_clove.engine.transcript import Seen, Summed, summed, transcript
from secure_clove.errors import StoreError
from secure_clove.foundation.codec import decode
from secure_clove.foundation.ids import ClientId, FederationId
from secure_clove.foundation.trees import Tree
from secure_clove.stores.sql import SqlStore, SqlTransaction

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskedSum:
    """One masked session as its coordinator sees it.

    Attributes:
        round: Counted from 1.
        exchange: Its name.
        group: Whose sum it is, of the groups of the exchange.
        members: Who is in the sum; everybody knows it.
        ask: What all of them were asked about.
        total: The sum, decoded.
        coin: Of the session; with it the coordinator draws the frequencies of a sketch.
        sent: Bytes of every message, by step and sender.
    """

    round: int
    exchange: str
    group: int
    members: tuple[ClientId, ...]
    ask: Tree = field(repr=False)
    total: Tree = field(repr=False)
    coin: bytes = b""
    sent: Mapping[str, Mapping[ClientId, int]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CoordinatorView:
    """Everything a curious coordinator has of its clients, besides masked vectors.

    No store keeps when a message came, so no attack on a view uses times.

    Attributes:
        config: What the federation agreed on, its noise multipliers among it.
        singles: Exchanges of single replies, oldest first.
        sums: Every sum there ever was, oldest first.
    """

    config: Config
    singles: tuple[SingleReplies, ...]
    sums: tuple[MaskedSum, ...] = ()

    @property
    def embeddings(self) -> tuple[SingleReplies, ...]:
        """The exchanges in which clients sent their loss embeddings."""
        shown = {
            exchange.name
            for exchange in self.config.build().exchanges
            if any(part.content is Content.EMBEDDING for part in exchange.parts)
        }
        return tuple(seen for seen in self.singles if seen.exchange in shown)

    @property
    def releases(self) -> Mapping[ClientId, int]:
        """How many loss embeddings each client released, on their own or in sums."""
        uses = {exchange.name: exchange.uses for exchange in self.config.build().exchanges}
        alone = [(seen.exchange, seen.replies.keys()) for seen in self.singles]
        masked = [(seen.exchange, seen.members) for seen in self.sums]
        return Counter(
            client
            for exchange, clients in (*alone, *masked)
            if Use.EMBEDDING in uses[exchange]
            for client in clients
        )

    def summed(self, exchange: str) -> tuple[MaskedSum, ...]:
        """Return the sums of one exchange, oldest first."""
        return tuple(seen for seen in self.sums if seen.exchange == exchange)


def coordinator_view(folder: Path) -> CoordinatorView:
    """Return the view of the coordinator whose store lies in ``folder``.

    Args:
        folder: Holds ``coordinator.sqlite`` and ``artefacts/`` of one federation.

    Raises:
        StoreError: there is no such store, or it holds none or several federations.
        MalformedError: a stored message or state is damaged, or of another release.
        AbortedError: the messages of a masked session do not add up any more.
    """
    if not (folder / DATABASE).is_file():
        raise StoreError(f"'{folder}' holds no {DATABASE}; name the folder of a finished run")
    store = SqlStore(folder)
    try:
        with store.transaction() as tx:
            name, config = _only_federation(tx)
        seen, totals = transcript(store, name), summed(store, name)
        with store.transaction() as tx:
            singles = tuple(_singles(tx, session) for session in seen)
            sums = tuple(_sum(tx, session) for session in totals)
    finally:
        store.close()
    return CoordinatorView(config=config, singles=singles, sums=sums)


def _only_federation(tx: SqlTransaction) -> tuple[FederationId, Config]:
    names = tx.federations()
    saved = tx.federation(names[0]) if len(names) == 1 else None
    if saved is None:
        raise StoreError(f"one federation expected in the store, found {len(names)}")
    return names[0], decode(decode(saved, FederationState).config.body, Config)


def _singles(tx: SqlTransaction, seen: Seen) -> SingleReplies:
    contents = set(seen.asks.values())
    asks = {content: dict(Ask(tx.artefact(content), tx.artefact)) for content in contents}
    return SingleReplies(
        round=seen.round,
        exchange=seen.exchange,
        asks={client: asks[content] for client, content in seen.asks.items()},
        replies=seen.replies,
    )


def _sum(tx: SqlTransaction, seen: Summed) -> MaskedSum:
    return MaskedSum(
        round=seen.round,
        exchange=seen.exchange,
        group=seen.group,
        members=seen.members,
        ask=dict(Ask(tx.artefact(seen.ask), tx.artefact)),
        total=seen.total,
        coin=seen.coin,
        sent=seen.sent,
    )
