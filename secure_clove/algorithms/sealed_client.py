"""What a client of sealed CLoVE does: noise one vector a round, and answer every sum from it."""

from dataclasses import dataclass, replace

import numpy as np

from secure_clove.algorithms import sharing
from secure_clove.algorithms.averaging import trained
from secure_clove.algorithms.base import Learner
from secure_clove.algorithms.sealed_parts import SealedParts
from secure_clove.algorithms.sealed_state import SealedOwn
from secure_clove.clustering.components import simplified_silhouette
from secure_clove.clustering.kmeans import nearest
from secure_clove.clustering.plane import to_plane
from secure_clove.clustering.sketch import features, moments_of
from secure_clove.clustering.stability import is_stable
from secure_clove.errors import RemoteProtocolError
from secure_clove.foundation.trees import Tree, Vector

CANDIDATES = "centroids/"
"""Begins the names of the arrays that hold centroids of another number of clusters each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedClient:
    """The client's half of `SealedClove`.

    Attributes:
        clusters: Number K of models.
        is_visible: Whether the coordinator may know the client's cluster.
        parts: Of the replies.
        stable_rounds: Equal assignments in a row before it declares stability.
    """

    clusters: int
    is_visible: bool
    parts: SealedParts
    stable_rounds: int

    def moments(self, own: SealedOwn, ask: Tree, learner: Learner) -> tuple[SealedOwn, Tree]:
        """Answer ``moments``: noise the vector of this round and keep it."""
        vector = _embedded(ask, learner)
        embedded = replace(own, round=int(ask["round"]), vector=vector)
        mean, products = np.split(moments_of(vector), [len(vector)])
        return embedded, {"mean": mean, "products": products}

    def frame(self, own: SealedOwn, ask: Tree, learner: Learner) -> tuple[SealedOwn, Tree]:
        """Answer ``sketch`` as far as it is known before the coin falls."""
        return replace(
            own, axes=ask["axes"], scale=float(ask["scale"]), asked=int(ask["round"])
        ), {}

    def toss(self, own: SealedOwn, coin: bytes) -> Tree:
        """Answer ``sketch`` at the frequencies that the coin draws."""
        if own.round != own.asked:
            return {"features": np.zeros(2 * self.parts.frequencies), "clients": np.zeros(())}
        drawn = self.parts.drawn(coin, axes=own.axes, scale=own.scale)
        return {"features": features(own.vector, drawn), "clients": np.ones(())}

    def judge(self, own: SealedOwn, ask: Tree, learner: Learner) -> tuple[SealedOwn, Tree]:
        """Answer ``judge``: how well each number of clusters fits the vector."""
        silhouettes, is_there = np.zeros(self.clusters), own.round == int(ask["round"])
        for name, centroids in ask.items():
            if is_there and name.startswith(CANDIDATES):
                silhouettes[len(centroids) - 1] = simplified_silhouette(own.vector, centroids)
        return own, {"silhouettes": silhouettes}

    def join(self, own: SealedOwn, ask: Tree) -> tuple[SealedOwn, Tree]:
        """Answer ``join``: the nearest centroid; K, or nothing, without a vector of that round."""
        is_there = own.round == int(ask["found"])
        place = nearest(self._centroids(ask), own.vector) if is_there else self.clusters
        if self.is_visible:
            return own, {"place": np.array(float(place))}
        return own, {"place": np.eye(self.clusters + 1)[place, : self.clusters]}

    def arrive(self, own: SealedOwn, ask: Tree, learner: Learner) -> tuple[SealedOwn, Tree]:
        """Answer ``arrive``: a vector of the saved models, then the nearest centroid."""
        vector = _embedded(ask, learner)
        return self.join(replace(own, round=int(ask["found"]), vector=vector), ask)

    def pick(self, own: SealedOwn, ask: Tree) -> int:
        """Return the number of the client's model, -1 if it has none."""
        if self.is_visible:
            return int(ask["number"])
        if not len(own.vector) or own.round != int(ask["found"]):
            return own.pick
        return int(ask["owners"][nearest(self._centroids(ask), own.vector)])

    def _centroids(self, ask: Tree) -> Vector:
        """Return the published centroids; more than models would ask what a client is like."""
        if len(ask["centroids"]) > self.clusters:
            raise RemoteProtocolError(
                f"{len(ask['centroids'])} centroids are published for {self.clusters} models; a "
                "coordinator that asks so finely learns more than clusters: leave the federation"
            )
        return ask["centroids"]

    def train(self, own: SealedOwn, ask: Tree, learner: Learner) -> tuple[SealedOwn, Tree]:
        """Answer ``train``: as CLoVE does, or in the slot of the client's model."""
        pick = self.pick(own, ask)
        history = (*own.history, pick)[-self.stable_rounds :]
        stable = {"stable": np.array(float(is_stable(history, self.stable_rounds)))}
        known = replace(own, pick=pick, history=history)
        if self.is_visible:
            return known, {**trained(ask["model"], learner), **stable}
        if pick < 0:
            return own, _nothing(ask["models"])
        slots = {
            name: np.multiply.outer(np.eye(self.clusters)[pick], value)
            for name, value in trained(ask["models"][pick], learner).items()
        }
        return known, {**slots, **stable}


def _embedded(ask: Tree, learner: Learner) -> Vector:
    losses = learner.embedding(sharing.asked_about(ask))
    return to_plane(losses - losses.min())  # equal losses give exactly zero


def _nothing(models: Vector) -> Tree:
    """Return the reply of a client without a model: zeros, which leave every sum as it is."""
    counts = np.zeros(len(models))
    names = ("examples", "correct", "held_out")
    return {
        "update": np.zeros(models.shape),
        **dict.fromkeys(names, counts),
        "stable": np.zeros(()),
    }
