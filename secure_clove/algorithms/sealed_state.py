"""What the coordinator and the clients of sealed CLoVE remember between exchanges."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from secure_clove.algorithms.motion import Trail
from secure_clove.clustering.sketch import Moments
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.trees import Tree, Vector

NOBODY = np.zeros(0)
"""In the place of a vector that there is not."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """Clusters as everybody may know them. All vectors are coordinates in the sum-zero plane.

    Attributes:
        round: In which round they were found, counted from 1; 0: none were.
        centroids: ``(k, K + P - 1)``.
        owners: Model of each centroid; empty before clusters are matched to models.
    """

    round: int = 0
    centroids: Vector = field(default_factory=lambda: np.zeros((0, 0)))
    owners: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SealedState:
    """What the coordinator of sealed CLoVE knows: no vector and no loss of any client.

    Attributes:
        table: ``(K + P, d)``, the current models and, behind them, the probes.
        trail: Of the models' moves.
        saved: ``(K + P, d)``, the table that `found` was measured on.
        step: Name of the exchange to hold now; empty: the round is over.
        moments: Of the cohort's vectors, in this round's clustering.
        candidates: Centroids ``(k, K + P - 1)`` by number of clusters, before one is chosen.
        found: The clusters that stand.
        assignment: Model of each client; empty where membership is hidden.
        placed: Who can tell its cluster by `found`.
        rejoining: Whose cluster was too small and who chooses again.
        round: Counted from 1.
        cohort: Who takes part in this round.
        clusterings: Clusterings held so far.
        is_settled: Whether clustering is over.
        stable_share: Share of the cohort that declared stability in the last training.
        accuracy: Noised held-out accuracy of the models sent out last.
    """

    table: Vector
    saved: Vector
    step: str = ""
    moments: Moments | None = None
    candidates: Mapping[str, Vector] = field(default_factory=dict)
    found: Found = field(default_factory=Found)
    assignment: Mapping[ClientId, int] = field(default_factory=dict)
    placed: tuple[ClientId, ...] = ()
    rejoining: tuple[ClientId, ...] = ()
    round: int = 0
    cohort: tuple[ClientId, ...] = ()
    clusterings: int = 0
    is_settled: bool = False
    stable_share: float | None = None
    accuracy: float | None = None
    trail: Trail = field(default_factory=Trail)

    @property
    def unplaced(self) -> tuple[ClientId, ...]:
        """Clients of the cohort that cannot tell their cluster."""
        return tuple(client for client in self.cohort if client not in self.placed)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SealedOwn:
    """What a client of sealed CLoVE remembers; its vector is noised before it gets here.

    Attributes:
        round: In which round the vector was made.
        vector: ``(K + P - 1,)``, its embedding of that round; empty before the first.
        axes: ``(r, K + P - 1)`` directions of the frequencies of that round's sketch.
        scale: Their scale.
        asked: In which round that sketch was asked for.
        pick: The model it belongs to; -1: none yet.
        history: Models it was assigned, oldest first.
    """

    round: int = 0
    vector: Vector = field(default_factory=NOBODY.copy)
    axes: Vector = field(default_factory=lambda: np.zeros((0, 0)))
    scale: float = 1.0
    asked: int = 0
    pick: int = -1
    history: tuple[int, ...] = ()


def published(state: SealedState) -> Tree:
    """Return the clusters as every client may know them."""
    return {
        "centroids": state.found.centroids,
        "owners": np.array(state.found.owners, dtype=np.float64),
        "found": np.array(float(state.found.round)),
    }
