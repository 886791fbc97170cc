"""What an adversary really sees, cut from the transcript that a coordinator has kept."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from secure_clove.algorithms.base import Use
from secure_clove.engine.asks import Ask
from secure_clove.engine.plan import Config
from secure_clove.engine.state import FederationState
from secure_clove.engine.transcript import Seen, transcript
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
        MalformedError: a stored message or state is damaged, or of another release.
    """
    if not (folder / DATABASE).is_file():
        raise StoreError(f"'{folder}' holds no {DATABASE}; name the folder of a finished run")
    store = SqlStore(folder)
    try:
        with store.transaction() as tx:
            name, config = _only_federation(tx)
        seen = transcript(store, name)
        with store.transaction() as tx:
            singles = tuple(_singles(tx, session) for session in seen)
    finally:
        store.close()
    return CoordinatorView(config=config, singles=singles)


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
