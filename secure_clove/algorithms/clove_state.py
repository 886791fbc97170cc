"""What the coordinator and the clients of CLoVE remember between exchanges."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from secure_clove.algorithms.motion import Trail
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.trees import Vector


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CloveState:
    """What the coordinator of CLoVE knows.

    Attributes:
        clusters: Number K of models that are trained.
        table: ``(K + P, d)``, the current models and, behind them, the probes.
        trail: Of the models' moves.
        saved: ``(K + P, d)``, the table that `centroids` were measured on.
        centroids: ``(k, K + P)`` cluster centres in embedding space, one a cluster; k <= K.
        centroid_models: Model of each centroid.
        assignment: Model of each client that has one.
        stale: Clients that were away when the clustering ended: they keep their model until they
            come back, and are placed anew then.
        round: Counted from 1.
        cohort: Who takes part in this round.
        clusterings: Clusterings held so far.
        is_settled: Whether clustering is over.
        has_placed: Whether this round's placing is done.
        has_trained: Whether this round's training is done.
        stable_share: Share of the cohort that declared stability in the last training.
        accuracy: Noised held-out accuracy of the models sent out last.
    """

    clusters: int
    table: Vector
    saved: Vector
    centroids: Vector
    centroid_models: tuple[int, ...] = ()
    assignment: Mapping[ClientId, int] = field(default_factory=dict)
    stale: tuple[ClientId, ...] = ()
    round: int = 0
    cohort: tuple[ClientId, ...] = ()
    clusterings: int = 0
    is_settled: bool = False
    has_placed: bool = False
    has_trained: bool = False
    stable_share: float | None = None
    accuracy: float | None = None
    trail: Trail = field(default_factory=Trail)

    @property
    def models(self) -> Vector:
        """``(K, d)``, current."""
        return self.table[: self.clusters]

    @property
    def probes(self) -> Vector:
        """``(P, d)``, evaluated beside them and never trained."""
        return self.table[self.clusters :]

    @property
    def unplaced(self) -> tuple[ClientId, ...]:
        """Clients of the cohort without a model that still stands."""
        standing = self.assignment.keys() - set(self.stale)
        return tuple(client for client in self.cohort if client not in standing)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloveOwn:
    """What a client of CLoVE remembers: the models it was assigned, oldest first."""

    history: tuple[int, ...] = ()
