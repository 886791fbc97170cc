"""CLoVE: cluster clients by what K models lose on their data, then average inside clusters.

Source: clove.txt, Algorithms 1 and 2; stability as declared by the clients, section 3. After
stability a client without a model gets that of the nearest centroid, with the models and centroids
saved at stability (line 15). Option I (model averaging) and Option II (gradient averaging) are one
exchange here: averaging models after a single step of SGD is averaging gradients, for

    sum n_i (theta - gamma g_i) / sum n_i  =  theta - gamma sum n_i g_i / sum n_i.

Beside the K models, `probes` more initial models may be evaluated that nobody ever trains. The
sensitivity of a directional embedding is 1/n whatever its length, but in more dimensions the
signatures of different labels stand further apart, so groups show through more noise (ADR 0009).

The leading `shared_parameters` of all models may be common (clove.txt, appendix B.1, weight
sharing): equal from the start, averaged over everybody who trained, and sent once an ask.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from secure_clove.algorithms import sharing
from secure_clove.algorithms.averaging import (
    TRAINING,
    accuracy,
    trained,
    training_parts,
)
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
from secure_clove.algorithms.clove_state import CloveOwn, CloveState
from secure_clove.algorithms.motion import Motion
from secure_clove.clustering.embedding import project
from secure_clove.clustering.kmeans import Clustering, dissolve, nearest
from secure_clove.clustering.matching import models_of_clusters
from secure_clove.clustering.selection import Method, Selection, group
from secure_clove.clustering.stability import is_stable
from secure_clove.errors import ConfigError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import stream
from secure_clove.foundation.trees import Tree, Vector

FIRST_ASSIGNMENTS = ("evaluated", "random")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clove:
    """Clustering of loss vector embeddings.

    Attributes:
        parameters: Length d of a model.
        clusters: Number K of models; with an unknown number of clusters, the largest to consider.
        seed: Of the k-means starts and of a random first assignment.
        smallest: Fewest clients in a cluster; smaller ones are dissolved, since their sum would
            hide nobody. 1 keeps every cluster, as the paper does.
        probes: Number P of untrained models evaluated beside them; 0 is the paper's CLoVE.
        shared_parameters: How many of the first numbers of a model all models have in common, from
            0 to d - 1. Probes have them too; only the rest of a probe is never trained.
        method: ``kmeans`` or ``agglomerative`` (Ward) clustering of the vectors.
        selection: ``known``: there are K clusters; ``silhouette`` or ``elbow``: up to K, found anew
            in every clustering (Algorithm 2).
        first_assignment: ``evaluated``: cluster from round 1 on; ``random``: draw the models of
            round 1, as the authors' supervised runs do, and cluster from round 2 on.
        centred: Whether each client's mean over the models is taken off before clustering. From a
            directional or relative embedding this removes nothing but noise; the paper clusters raw
            losses as they are.
        square_root: Whether to cluster the square roots of the losses (section 4), taken after the
            noise; what noise made negative counts as 0. For raw and clipped embeddings: the others
            hold differences, which have no roots.
        matching: Whether clusters are matched to models at minimum cost (line 12). The ablation
            without gives the clusters models in the order in which they are numbered.
        stable_rounds: Equal assignments in a row before a client declares stability.
        stable_share: Share of declarations that ends the clustering.
        clustering_rounds: Most clusterings, hence most embeddings released; then the last stands.
        server_momentum: Share of a model's last move that is made again, in [0, 1).
        server_smoothing: Share of the average of a model's places that stays when a new one enters
            it, in [0, 1); clients take that average home. 0: the last place.
    """

    parameters: int
    clusters: int
    seed: int
    smallest: int = 1
    probes: int = 0
    shared_parameters: int = 0
    method: str = Method.KMEANS.value
    selection: str = Selection.KNOWN.value
    first_assignment: str = "evaluated"
    centred: bool = True
    square_root: bool = False
    matching: bool = True
    stable_rounds: int = 2
    stable_share: float = 1.0
    clustering_rounds: int = 3
    server_momentum: float = 0.0
    server_smoothing: float = 0.0
    state = CloveState
    own = CloveOwn

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        if self.clusters < 2:
            raise ConfigError("CLoVE needs at least 2 clusters; for one model use fedavg")
        _ = self._motion
        counts = (self.smallest, self.stable_rounds, self.clustering_rounds)
        if any(not isinstance(count, int) or count < 1 for count in counts):
            raise ConfigError("stable_rounds and clustering_rounds are whole numbers from 1")
        if not isinstance(self.probes, int) or self.probes < 0:
            raise ConfigError("probes is a whole number from 0")
        sharing.check_shared(self.shared_parameters, parameters=self.parameters)
        if self.first_assignment not in FIRST_ASSIGNMENTS:
            raise ConfigError(f"first_assignment is one of {', '.join(FIRST_ASSIGNMENTS)}")
        _ = self._grouping
        if not 0 < self.stable_share <= 1:
            raise ConfigError("0 < stable_share <= 1 expected")

    @property
    def _motion(self) -> Motion:
        return Motion(momentum=self.server_momentum, smoothing=self.server_smoothing)

    @property
    def _grouping(self) -> tuple[Method, Selection]:
        try:
            return Method(self.method), Selection(self.selection)
        except ValueError as error:
            raise ConfigError(f"{error}; see the options of CLoVE") from error

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
            ask=lambda state, client: sharing.ask_about(
                state.saved if state.is_settled else state.table, shared=self.shared_parameters
            ),
            work=lambda own, ask, learner: (
                own,
                {"losses": learner.embedding(sharing.asked_about(ask))},
            ),
            fold=self._place,
            at_most=self.clustering_rounds,
            reads_losses=self.square_root,
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
        """Start from K initial models (line 1) and P probes behind them.

        The shared part of all of them is that of the first.
        """
        count = self.initial_models
        table = check_initial(initial, count=count, parameters=self.parameters)
        if self.shared_parameters:
            table = sharing.fronted(table[0, : self.shared_parameters], table)
        centroids = np.zeros((0, count))
        return CloveState(clusters=self.clusters, table=table, saved=table, centroids=centroids)

    def enrol(self) -> CloveOwn:
        """A client with no history."""
        return CloveOwn()

    def begin(self, state: CloveState, round_: int, cohort: tuple[ClientId, ...]) -> CloveState:
        """Open a round (lines 2-3)."""
        opened = replace(state, round=round_, cohort=cohort, has_placed=False, has_trained=False)
        if round_ > 1 or self.first_assignment == "evaluated":
            return opened
        drawn = stream(self.seed, "first assignment").integers(self.clusters, size=len(cohort))
        return self._placed(opened, {c: int(m) for c, m in zip(cohort, drawn, strict=True)})

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
        shown = replace(state, table=self._motion.shown(state.table, state.trail))
        return self._ask(shown, client) if client in state.assignment else None

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
        vectors = np.stack([self._vector(replies.each[client]["losses"]) for client in clients])
        if state.is_settled:  # line 15
            chosen = [state.centroid_models[nearest(state.centroids, v)] for v in vectors]
            return self._placed(state, dict(zip(clients, chosen, strict=True)))
        found = self._group(vectors, state.round)
        models = self._models(vectors, found)
        held = replace(
            state,
            saved=state.table,
            centroids=found.centroids,
            centroid_models=models,
            clusterings=state.clusterings + 1,
        )
        chosen = [models[label] for label in found.labels]
        placed = self._placed(held, dict(zip(clients, chosen, strict=True)))
        is_last = placed.clusterings >= self.clustering_rounds
        return self._settled(placed) if is_last else placed

    def _vector(self, losses: Vector) -> Vector:
        vector = np.sqrt(np.maximum(losses, 0.0)) if self.square_root else losses
        if not self.centred:
            return vector
        return project(vector - vector.min())  # equal losses give exactly zero, not rounding errors

    def _group(self, vectors: Vector, round_: int) -> Clustering:
        """Group clients (lines 10-11), then dissolve groups too small to hide a client."""
        method, selection = self._grouping
        rng = stream(self.seed, "k-means", round_)
        found = group(vectors, self.clusters, method=method, selection=selection, rng=rng)
        return dissolve(found, vectors, smallest=self.smallest)

    def _models(self, vectors: Vector, found: Clustering) -> tuple[int, ...]:
        """Return the model of each cluster (line 12)."""
        if not self.matching:
            return tuple(range(len(found.centroids)))
        losses = vectors[:, : self.clusters]
        matched = models_of_clusters(losses, found.labels, models=self.clusters)
        return tuple(int(model) for model in matched)

    def _placed(self, state: CloveState, chosen: Mapping[ClientId, int]) -> CloveState:
        stale = tuple(client for client in state.stale if client not in chosen)
        assignment = {**state.assignment, **chosen}
        return replace(state, assignment=assignment, stale=stale, has_placed=True)

    def _work(self, own: CloveOwn, ask: Tree, learner: Learner) -> tuple[CloveOwn, Tree]:
        history = (*own.history, int(ask["number"]))[-self.stable_rounds :]
        stable = is_stable(history, self.stable_rounds)
        reply = {**trained(ask["model"], learner), "stable": np.array(float(stable))}
        return CloveOwn(history=history), reply

    def _average(self, state: CloveState, replies: Replies) -> CloveState:
        table, trail = sharing.trained_table(
            state.table,
            state.trail,
            replies.sums,
            shared=self.shared_parameters,
            motion=self._motion,
        )
        heard = sum(replies.counts.values())
        declared = sum(float(total["stable"]) for total in replies.sums.values())
        share = declared / len(state.cohort) if heard else None
        trained_state = replace(
            state,
            table=table,
            trail=trail,
            has_trained=True,
            stable_share=share,
            accuracy=accuracy(replies.sums) if heard else state.accuracy,
        )
        if state.is_settled or share is None or share < self.stable_share:
            return trained_state
        return self._settled(trained_state)

    def _settled(self, state: CloveState) -> CloveState:
        """End the clustering; whoever was away is placed anew on its return (line 15)."""
        away = tuple(sorted(state.assignment.keys() - set(state.cohort)))
        return replace(state, is_settled=True, stale=away)
