"""Sealed CLoVE: clusters recovered from sums alone; no loss vector ever leaves its client.

Source: protocol.md, "Sealed clustering". k-means and CLoVE's matching need only centroids and
sizes, and both can be read off one sketch of the whole cohort: the sum of random Fourier features
of the clients' noised embeddings (compressive k-means, Keriven et al. 2016). So a clustering is a
list of masked sums over one vector that every client noises once and keeps:

    moments   the cohort's mean and covariance: the public frame of the frequencies
    sketch    features at frequencies that a coin of the session draws
    judge     only where the number of clusters is found by silhouette: how well each number fits
    join      every client assigns itself to the nearest centroid

With visible membership a client then says where it belongs, and the sums of a cluster are its own
session. With hidden membership only sizes are summed, and a training reply has a slot per model.
The rest is CLoVE (clove.txt, Algorithm 1); `clove` has it with the losses in the clear.
"""

from dataclasses import dataclass, replace
from math import inf

import numpy as np

from secure_clove.algorithms import sharing
from secure_clove.algorithms.averaging import TRAINING, training_parts
from secure_clove.algorithms.base import (
    Content,
    Exchange,
    Part,
    Reveal,
    Standing,
    Use,
    check_initial,
)
from secure_clove.algorithms.motion import Motion
from secure_clove.algorithms.sealed_client import SealedClient
from secure_clove.algorithms.sealed_parts import SealedParts
from secure_clove.algorithms.sealed_server import SealedServer, public_frame
from secure_clove.algorithms.sealed_state import SealedOwn, SealedState, published
from secure_clove.errors import ConfigError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.trees import Tree, Vector

ALLOWANCE = "embedding"
"""Every vector that is noised, in a clustering or on arrival."""

MEMBERSHIPS = ("visible", "hidden")
SELECTIONS = ("known", "residual", "silhouette")


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedClove:
    """Clustering of loss vector embeddings that the coordinator never sees.

    Attributes:
        parameters: Length d of a model.
        clusters: Number K of models; with an unknown number of clusters, the largest to consider.
        seed: Of the decoder's starts.
        smallest: Fewest clients in a cluster; the members of smaller ones choose again.
        probes: Number P of untrained models evaluated beside them.
        shared_parameters: How many of the first numbers of a model all models have in common.
        membership: ``visible``: the coordinator learns each client's cluster; ``hidden``: only the
            sizes, at K times the bytes of an update.
        selection: ``known``: there are K clusters; ``residual`` or ``silhouette``: up to K, found
            from the sketch or from one more masked sum.
        features: Number m of frequencies, 2 m numbers in the sketch; 0: what 5 K clients afford.
        client_noise: Noise of the sums of one clustering, as a multiple of how far one client moves
            them: protects a client as a whole where it is large enough for that, and the decoder
            allows for it; 0: none is added.
        stable_rounds: Equal assignments in a row before a client declares stability.
        stable_share: Share of declarations that ends the clustering.
        clustering_rounds: Most clusterings, hence most embeddings made; then the last stands.
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
    membership: str = "visible"
    selection: str = "known"
    features: int = 0
    client_noise: float = 0.0
    stable_rounds: int = 2
    stable_share: float = 1.0
    clustering_rounds: int = 3
    server_momentum: float = 0.0
    server_smoothing: float = 0.0
    state = SealedState
    own = SealedOwn

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        if self.clusters < 2:
            raise ConfigError("CLoVE needs at least 2 clusters; for one model use fedavg")
        counts = (self.smallest, self.stable_rounds, self.clustering_rounds)
        if any(not isinstance(count, int) or count < 1 for count in counts):
            raise ConfigError("stable_rounds and clustering_rounds are whole numbers from 1")
        if any(not isinstance(count, int) or count < 0 for count in (self.probes, self.features)):
            raise ConfigError("probes and features are whole numbers from 0")
        _ = self._motion
        sharing.check_shared(self.shared_parameters, parameters=self.parameters)
        if self.membership not in MEMBERSHIPS:
            raise ConfigError(f"membership is one of {', '.join(MEMBERSHIPS)}")
        if self.selection not in SELECTIONS:
            raise ConfigError(f"selection of a sealed clustering is one of {', '.join(SELECTIONS)}")
        if not 0 < self.stable_share <= 1:
            raise ConfigError("0 < stable_share <= 1 expected")
        if not 0 <= self.client_noise < inf:
            raise ConfigError("client_noise is a finite number from 0")
        if self.client_noise and self._is_visible:
            raise ConfigError(
                "client_noise protects nobody whose cluster is shown; set membership to hidden"
            )

    @property
    def _motion(self) -> Motion:
        return Motion(momentum=self.server_momentum, smoothing=self.server_smoothing)

    @property
    def _client(self) -> SealedClient:
        return SealedClient(
            clusters=self.clusters,
            is_visible=self._is_visible,
            parts=self.parts,
            stable_rounds=self.stable_rounds,
        )

    @property
    def parts(self) -> SealedParts:
        """What each sum holds."""
        return SealedParts(
            clusters=self.clusters,
            dimension=self.initial_models - 1,
            wanted=self.features,
            is_visible=self._is_visible,
            is_judged=self.selection == "silhouette",
            client_noise=self.client_noise,
        )

    @property
    def _server(self) -> SealedServer:
        return SealedServer(
            clusters=self.clusters,
            seed=self.seed,
            smallest=self.smallest,
            shared_parameters=self.shared_parameters,
            motion=self._motion,
            is_visible=self._is_visible,
            selection=self.selection,
            parts=self.parts,
            stable_share=self.stable_share,
            clustering_rounds=self.clustering_rounds,
        )

    @property
    def _is_visible(self) -> bool:
        return self.membership == "visible"

    # ---- exchanges

    @property
    def exchanges(self) -> tuple[Exchange[SealedState, SealedOwn], ...]:
        """Masked sums until stable, then ``train:SUM``; with visible membership ``join:EACH``."""
        judge = (self._judge,) if self.selection == "silhouette" else ()
        rejoin = (self._rejoin,) if self._is_visible else ()
        return (self._moments, self._sketch, *judge, self._join, *rejoin, self._arrive, self._train)

    @property
    def _moments(self) -> Exchange[SealedState, SealedOwn]:
        return Exchange(
            name="moments",
            reveal=Reveal.SUM,
            uses=frozenset({Use.EMBEDDING}),
            parts=(self.parts.mean, self.parts.products),
            cohort=lambda state: state.cohort,
            group=_everybody,
            ask=lambda state, client: {
                **sharing.ask_about(state.table, shared=self.shared_parameters),
                "round": np.array(float(state.round)),
            },
            work=self._client.moments,
            hiding_cohort=self.parts.hiding_cohort,
            fold=self._server.frame,
            at_most=self.clustering_rounds,
            allowance=ALLOWANCE,
        )

    @property
    def _sketch(self) -> Exchange[SealedState, SealedOwn]:
        return Exchange(
            name="sketch",
            reveal=Reveal.SUM,
            uses=frozenset(),
            parts=(self.parts.features, Part(name="clients", content=Content.COUNT)),
            cohort=lambda state: state.cohort,
            group=_everybody,
            ask=self._ask_sketch,
            work=self._client.frame,
            toss=self._client.toss,
            hiding_cohort=self.parts.hiding_cohort,
            fold=self._server.decode,
        )

    @property
    def _judge(self) -> Exchange[SealedState, SealedOwn]:
        return Exchange(
            name="judge",
            reveal=Reveal.SUM,
            uses=frozenset(),
            parts=(self.parts.fits,),
            cohort=lambda state: state.cohort,
            group=_everybody,
            ask=lambda state, client: {"round": np.array(float(state.round)), **state.candidates},
            work=self._client.judge,
            fold=self._server.select,
        )

    @property
    def _join(self) -> Exchange[SealedState, SealedOwn]:
        return Exchange(
            name="join",
            reveal=self._revealing,
            uses=frozenset(),
            parts=(self.parts.place,),
            cohort=lambda state: state.cohort,
            group=_everybody,
            ask=lambda state, client: published(state),
            work=lambda own, ask, learner: self._client.join(own, ask),
            fold=self._server.join,
        )

    @property
    def _rejoin(self) -> Exchange[SealedState, SealedOwn]:
        return replace(
            self._join,
            name="rejoin",
            cohort=lambda state: state.rejoining,
            fold=self._server.rejoin,
        )

    @property
    def _arrive(self) -> Exchange[SealedState, SealedOwn]:
        return replace(
            self._join,
            name="arrive",
            uses=frozenset({Use.EMBEDDING}),
            cohort=lambda state: state.unplaced,
            ask=lambda state, client: {
                **sharing.ask_about(state.saved, shared=self.shared_parameters),
                **published(state),
            },
            work=self._client.arrive,
            fold=self._server.rejoin,
            at_most=self.clustering_rounds,
            allowance=ALLOWANCE,
        )

    @property
    def _train(self) -> Exchange[SealedState, SealedOwn]:
        slots = () if self._is_visible else (self.clusters,)
        stable = Part(name="stable", content=Content.COUNT)
        return Exchange(
            name="train",
            reveal=Reveal.SUM,
            uses=TRAINING,
            parts=(*training_parts(self.parameters, slots), stable),
            cohort=self._trainees,
            group=lambda state, client: state.assignment[client] if self._is_visible else 0,
            ask=self._ask,
            work=self._client.train,
            fold=self._server.average,
        )

    @property
    def _revealing(self) -> Reveal:
        return Reveal.EACH if self._is_visible else Reveal.SUM

    def _ask_sketch(self, state: SealedState, client: ClientId) -> Tree:
        frame = public_frame(state.moments, clusters=self.clusters)
        round_ = np.array(float(state.round))
        return {"axes": frame["axes"], "scale": np.array(frame["scale"]), "round": round_}

    def _trainees(self, state: SealedState) -> tuple[ClientId, ...]:
        if not self._is_visible:
            return state.cohort if state.found.owners else ()
        return tuple(client for client in state.cohort if client in state.assignment)

    def _ask(self, state: SealedState, client: ClientId) -> Tree:
        models = state.table[: self.clusters]
        if not self._is_visible:
            return {"models": models, **published(state)}
        model = state.assignment[client]
        return {"model": models[model], "number": np.array(float(model))}

    # ---- the course of a round

    @property
    def initial_models(self) -> int:
        """K models and P probes."""
        return self.clusters + self.probes

    def start(self, initial: Vector) -> SealedState:
        """Start from K initial models and P probes; the shared part is that of the first."""
        table = check_initial(initial, count=self.initial_models, parameters=self.parameters)
        if self.shared_parameters:
            table = sharing.fronted(table[0, : self.shared_parameters], table)
        return SealedState(table=table, saved=table)

    def enrol(self) -> SealedOwn:
        """A client with no vector."""
        return SealedOwn()

    def begin(self, state: SealedState, round_: int, cohort: tuple[ClientId, ...]) -> SealedState:
        """Open a round: cluster until settled, place newcomers after, then train."""
        opened = replace(state, round=round_, cohort=cohort, candidates={}, rejoining=())
        if not state.is_settled:
            return replace(opened, step="moments")
        return replace(opened, step="arrive" if opened.unplaced else "train")

    def next(self, state: SealedState) -> Exchange[SealedState, SealedOwn] | None:
        """Return the exchange that the last one led to."""
        return next((x for x in self.exchanges if x.name == state.step), None)

    def standing(self, state: SealedState) -> Standing:
        """The assignment, where it is visible."""
        return Standing(
            assignment=state.assignment, stable_share=state.stable_share, accuracy=state.accuracy
        )

    def personal(self, state: SealedState, client: ClientId) -> Tree | None:
        """The client's model, or all of them with the way to tell which is its own."""
        is_known = client in state.assignment if self._is_visible else bool(state.found.owners)
        shown = replace(state, table=self._motion.shown(state.table, state.trail))
        return self._ask(shown, client) if is_known else None

    def mine(self, own: SealedOwn, gift: Tree) -> Vector:
        """The model of the client's cluster; model 0 for a client that never found out which."""
        if self._is_visible:
            return gift["model"]
        return np.asarray(gift["models"][max(self._client.pick(own, gift), 0)])


def _everybody(state: SealedState, client: ClientId) -> int:
    return 0
