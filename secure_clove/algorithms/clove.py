"""CLoVE: cluster clients by what K models lose on their data, then average inside clusters.

Source: clove.txt, Algorithm 1 with known K and Option I (model averaging); stability as declared by
the clients, section 3. After stability a client without a model gets that of the nearest centroid,
with the models and centroids saved at stability (line 15).

Beside the K models, `probes` more initial models may be evaluated that nobody ever trains. The
sensitivity of a directional embedding is 1/n whatever its length, but in more dimensions the
signatures of different labels stand further apart, so groups show through more noise (ADR 0009).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from secure_clove.algorithms.averaging import TRAINING, accuracy, averaged, trained, training_parts
from secure_clove.algorithms.base import (
    Content,
    Exchange,
    Learner,
    Part,
    Replies,
    Reveal,
    Standing,
    Use,
    check_initial,
)
from secure_clove.clustering.embedding import project
from secure_clove.clustering.kmeans import cluster, dissolve, nearest
from secure_clove.clustering.matching import match
from secure_clove.clustering.stability import is_stable
from secure_clove.errors import ConfigError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import stream
from secure_clove.foundation.trees import Tree, Vector


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CloveState:
    """What the coordinator of CLoVE knows.

    Attributes:
        models: ``(K, d)``, current.
        probes: ``(P, d)``, evaluated beside them and never trained.
        saved: ``(K, d)``, the models that `centroids` were measured on.
        centroids: ``(k, K + P)`` cluster centres in embedding space, one a cluster; k <= K.
        centroid_models: Model of each centroid.
        assignment: Model of each client that has one.
        round: Counted from 1.
        cohort: Who takes part in this round.
        clusterings: Clusterings held so far.
        is_settled: Whether clustering is over.
        has_placed: Whether this round's placing is done.
        has_trained: Whether this round's training is done.
        stable_share: Share of the cohort that declared stability in the last training.
        accuracy: Noised held-out accuracy of the models sent out last.
    """

    models: Vector
    probes: Vector
    saved: Vector
    centroids: Vector
    centroid_models: tuple[int, ...] = ()
    assignment: Mapping[ClientId, int] = field(default_factory=dict)
    round: int = 0
    cohort: tuple[ClientId, ...] = ()
    clusterings: int = 0
    is_settled: bool = False
    has_placed: bool = False
    has_trained: bool = False
    stable_share: float | None = None
    accuracy: float | None = None

    @property
    def unplaced(self) -> tuple[ClientId, ...]:
        """Clients of the cohort without a model."""
        return tuple(client for client in self.cohort if client not in self.assignment)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloveOwn:
    """What a client of CLoVE remembers: the models it was assigned, oldest first."""

    history: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clove:
    """Clustering of loss vector embeddings.

    Attributes:
        parameters: Length d of a model.
        clusters: Number K of models.
        seed: Of the k-means starts.
        smallest: Fewest clients in a cluster; smaller ones are dissolved, since their sum would
            hide nobody. 1 keeps every cluster, as the paper does.
        probes: Number P of untrained models evaluated beside them; 0 is the paper's CLoVE.
        stable_rounds: Equal assignments in a row before a client declares stability.
        stable_share: Share of declarations that ends the clustering.
        clustering_rounds: Most clusterings, hence most embeddings released; then the last stands.
    """

    parameters: int
    clusters: int
    seed: int
    smallest: int = 1
    probes: int = 0
    stable_rounds: int = 2
    stable_share: float = 1.0
    clustering_rounds: int = 3
    state = CloveState
    own = CloveOwn

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        if self.clusters < 2:
            raise ConfigError("CLoVE needs at least 2 clusters; for one model use fedavg")
        counts = (self.smallest, self.stable_rounds, self.clustering_rounds)
        if any(not isinstance(count, int) or count < 1 for count in counts):
            raise ConfigError("stable_rounds and clustering_rounds are whole numbers from 1")
        if not isinstance(self.probes, int) or self.probes < 0:
            raise ConfigError("probes is a whole number from 0")
        if not isinstance(self.probes, int) or self.probes < 0:
            raise ConfigError("probes is a count of extra models, 0 or more")
        if not 0 < self.stable_share <= 1:
            raise ConfigError("0 < stable_share <= 1 expected")

    @property
    def exchanges(self) -> tuple[Exchange[CloveState, CloveOwn], ...]:
        """``losses:EACH`` until stable or for newcomers, then ``train:SUM``."""
        return self._losses, self._train

    @property
    def _losses(self) -> Exchange[CloveState, CloveOwn]:
        return Exchange(
            name="losses",
            reveal=Reveal.EACH,
            uses=frozenset({Use.EMBEDDING}),
            parts=(Part(name="losses", shape=(self.initial_models,), content=Content.EMBEDDING),),
            cohort=lambda state: state.unplaced if state.is_settled else state.cohort,
            group=lambda state, client: 0,
            ask=lambda state, client: {
                "models": np.concatenate(
                    [state.saved if state.is_settled else state.models, state.probes]
                )
            },
            work=lambda own, ask, learner: (own, {"losses": learner.embedding(ask["models"])}),
            fold=self._place,
            at_most=self.clustering_rounds,
        )

    @property
    def _train(self) -> Exchange[CloveState, CloveOwn]:
        return Exchange(
            name="train",
            reveal=Reveal.SUM,
            uses=TRAINING,
            parts=(*training_parts(self.parameters), Part(name="stable", content=Content.COUNT)),
            cohort=lambda state: tuple(c for c in state.cohort if c in state.assignment),
            group=lambda state, client: state.assignment[client],
            ask=self._ask,
            work=self._work,
            fold=self._average,
        )

    @property
    def initial_models(self) -> int:
        """K models and P probes."""
        return self.clusters + self.probes

    def start(self, initial: Vector) -> CloveState:
        """Start from K initial models (line 1) and P probes behind them."""
        count = self.initial_models
        checked = check_initial(initial, count=count, parameters=self.parameters)
        models, probes = np.split(checked, [self.clusters])
        return CloveState(
            models=models, probes=probes, saved=models, centroids=np.zeros((0, count))
        )

    def enrol(self) -> CloveOwn:
        """A client with no history."""
        return CloveOwn()

    def begin(self, state: CloveState, round_: int, cohort: tuple[ClientId, ...]) -> CloveState:
        """Open a round (lines 2-3)."""
        return replace(state, round=round_, cohort=cohort, has_placed=False, has_trained=False)

    def next(self, state: CloveState) -> Exchange[CloveState, CloveOwn] | None:
        """Cluster until settled, place newcomers after, then train (line 4)."""
        if not state.has_placed and (not state.is_settled or state.unplaced):
            return self._losses
        return None if state.has_trained else self._train

    def standing(self, state: CloveState) -> Standing:
        """The assignment is visible to the coordinator in this form of CLoVE."""
        return Standing(
            assignment=state.assignment, stable_share=state.stable_share, accuracy=state.accuracy
        )

    def personal(self, state: CloveState, client: ClientId) -> Tree | None:
        """The client's model, once it was placed (line 16)."""
        return self._ask(state, client) if client in state.assignment else None

    def _ask(self, state: CloveState, client: ClientId) -> Tree:
        model = state.assignment[client]
        return {"model": state.models[model], "number": np.array(float(model))}

    def mine(self, own: CloveOwn, gift: Tree) -> Vector:
        """The model of the client's cluster."""
        return gift["model"]

    def _place(self, state: CloveState, replies: Replies) -> CloveState:
        if not replies.each:
            return replace(state, has_placed=True)
        clients = sorted(replies.each)
        vectors = np.stack([project(replies.each[client]["losses"]) for client in clients])
        if state.is_settled:  # line 15
            chosen = [state.centroid_models[nearest(state.centroids, v)] for v in vectors]
            return self._placed(state, dict(zip(clients, chosen, strict=True)))
        rng = stream(self.seed, "k-means", state.round)
        found = cluster(vectors, self.clusters, rng)  # line 11
        found = dissolve(found, vectors, smallest=self.smallest)
        losses = vectors[:, : self.clusters]
        models = match(losses, found.labels, models=self.clusters)  # line 12
        of_cluster = {int(c): int(m) for c, m in zip(found.labels, models, strict=True)}
        held = replace(
            state,
            saved=state.models,
            centroids=found.centroids,
            centroid_models=tuple(of_cluster[c] for c in range(len(found.centroids))),
            clusterings=state.clusterings + 1,
            is_settled=state.clusterings + 1 >= self.clustering_rounds,
        )
        return self._placed(held, {c: int(m) for c, m in zip(clients, models, strict=True)})

    def _placed(self, state: CloveState, chosen: Mapping[ClientId, int]) -> CloveState:
        return replace(state, assignment={**state.assignment, **chosen}, has_placed=True)

    def _work(self, own: CloveOwn, ask: Tree, learner: Learner) -> tuple[CloveOwn, Tree]:
        history = (*own.history, int(ask["number"]))[-self.stable_rounds :]
        stable = is_stable(history, self.stable_rounds)
        reply = {**trained(ask["model"], learner), "stable": np.array(float(stable))}
        return CloveOwn(history=history), reply

    def _average(self, state: CloveState, replies: Replies) -> CloveState:
        models = state.models.copy()
        for number, total in replies.sums.items():
            models[number] = averaged(state.models[number], total)
        heard = sum(replies.counts.values())
        declared = sum(float(total["stable"]) for total in replies.sums.values())
        share = declared / len(state.cohort) if heard else None
        return replace(
            state,
            models=models,
            has_trained=True,
            stable_share=share,
            is_settled=state.is_settled or (share is not None and share >= self.stable_share),
            accuracy=accuracy(replies.sums) if heard else state.accuracy,
        )
