"""What the coordinator of sealed CLoVE makes of each sum."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np

from secure_clove.algorithms import sharing
from secure_clove.algorithms.averaging import accuracy
from secure_clove.algorithms.base import Replies
from secure_clove.algorithms.client_level import deviation_of_mean
from secure_clove.algorithms.motion import Motion
from secure_clove.algorithms.sealed_client import CANDIDATES
from secure_clove.algorithms.sealed_parts import SealedParts
from secure_clove.algorithms.sealed_state import Found, SealedState
from secure_clove.clustering.components import choose, choose_by_silhouette
from secure_clove.clustering.decoder import NO_NOISE, Mixture, decode
from secure_clove.clustering.expectation import Noise
from secure_clove.clustering.matching import models_of_clusters
from secure_clove.clustering.plane import from_plane
from secure_clove.clustering.sketch import Moments, axes_of, read_moments, scale_of
from secure_clove.errors import LocalProtocolError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import stream
from secure_clove.foundation.trees import Tree, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedServer:
    """The coordinator's half of `SealedClove`; its attributes are explained there."""

    clusters: int
    seed: int
    smallest: int
    shared_parameters: int
    motion: Motion
    is_visible: bool
    selection: str
    parts: SealedParts
    stable_share: float
    clustering_rounds: int

    def frame(self, state: SealedState, replies: Replies) -> SealedState:
        """Fold ``moments``. Without a sum nothing is clustered in this round."""
        if not replies.sums:
            return replace(state, step="train")
        total = np.concatenate([replies.sums[0]["mean"], replies.sums[0]["products"]])
        moments = read_moments(total, count=replies.counts[0])
        return replace(state, moments=moments, step="sketch")

    def decode(self, state: SealedState, replies: Replies) -> SealedState:
        """Fold ``sketch``: read the clusters off it."""
        moments, count = state.moments, 0.0
        if replies.sums:
            count = float(replies.sums[0]["clients"])
        if moments is None or count < 1:
            return replace(state, step="train")
        framed = public_frame(moments, clusters=self.clusters)
        drawn = self.parts.drawn(replies.coins[0], **framed)
        sketch = replies.sums[0]["features"] / count
        rng = stream(self.seed, "sketch", state.round)
        if self.selection == "known":
            wanted = [min(self.clusters, int(count))]
        else:
            wanted = [*range(1, min(self.clusters, int(count) - 1) + 1)]
        noise = self._noise(replies.counts[0])
        decoded = {
            k: decode(sketch, drawn, k, moments=moments, clients=int(count), rng=rng, noise=noise)
            for k in wanted
        }
        return self._considered(state, decoded, clients=int(count))

    def select(self, state: SealedState, replies: Replies) -> SealedState:
        """Fold ``judge``: keep the number of clusters that fits the clients best."""
        if not replies.sums:
            return replace(state, step="train")
        fits = replies.sums[0]["silhouettes"]
        sums = {len(c): float(fits[len(c) - 1]) for c in state.candidates.values() if len(c) > 1}
        best = choose_by_silhouette(sums)
        return self._decided(state, state.candidates[f"{CANDIDATES}{best}"])

    def join(self, state: SealedState, replies: Replies) -> SealedState:
        """Fold ``join``: match clusters to models; clusters too small to hide a client go."""
        places, sizes = self._places(replies), np.zeros(len(state.found.centroids))
        for place in places.values():
            sizes[place] += 1
        for total in replies.sums.values():
            sizes += total["place"][: len(sizes)]
        if sizes.max(initial=0.0) <= 0:
            return replace(state, found=Found(), step="train")
        kept = np.flatnonzero(sizes >= min(self.smallest, sizes.max()))
        owners = self._owners(state.found.centroids[kept], sizes[kept])
        models = dict(zip(kept.tolist(), owners, strict=True))
        chosen = {client: models[place] for client, place in places.items() if place in models}
        lost = tuple(sorted(places.keys() - chosen.keys()))
        found = Found(round=state.round, centroids=state.found.centroids[kept], owners=owners)
        placed = tuple(sorted(places)) if self.is_visible else state.cohort
        matched = replace(
            state,
            found=found,
            saved=state.table,
            assignment={**state.assignment, **chosen},
            placed=placed,
            rejoining=lost,
            clusterings=state.clusterings + 1,
            step="rejoin" if lost else "train",
        )
        is_last = matched.clusterings >= self.clustering_rounds
        return replace(matched, is_settled=is_last)

    def rejoin(self, state: SealedState, replies: Replies) -> SealedState:
        """Fold ``rejoin`` or ``arrive``: the clusters stand; take in who says where it belongs."""
        chosen = {client: state.found.owners[at] for client, at in self._places(replies).items()}
        arrived = chosen if self.is_visible else (state.unplaced if replies.sums else ())
        return replace(
            state,
            assignment={**state.assignment, **chosen},
            placed=tuple(sorted({*state.placed, *arrived})),
            step="train",
        )

    def average(self, state: SealedState, replies: Replies) -> SealedState:
        """Fold ``train``: average each model over its cluster (clove.txt, Algorithm 1 line 22)."""
        sums = replies.sums if self.is_visible else _by_model(replies.sums)
        heard = sum(replies.counts.values())
        declared = sum(float(total["stable"]) for total in replies.sums.values())
        share = declared / len(state.cohort) if heard else None
        table, trail = sharing.trained_table(
            state.table, state.trail, sums, shared=self.shared_parameters, motion=self.motion
        )
        trained = replace(
            state,
            table=table,
            trail=trail,
            step="",
            stable_share=share,
            accuracy=accuracy(replies.sums) if heard else state.accuracy,
        )
        if share is None or share < self.stable_share or not state.found.round:
            return trained
        return replace(trained, is_settled=True)

    def _noise(self, clients: int) -> Noise:
        """Return a client's share of the noise in the sums, where clients add any."""
        parts = self.parts
        if not parts.client_noise:
            return NO_NOISE
        sigmas = (parts.features.client_sigma, parts.mean.client_sigma, parts.products.client_sigma)
        features, mean, products = (deviation_of_mean(s, clients=clients) for s in sigmas)
        return Noise(features=features, mean=mean, products=products)

    def _considered(
        self, state: SealedState, decoded: Mapping[int, Mixture], *, clients: int
    ) -> SealedState:
        if self.selection == "silhouette" and len(decoded) > 1:
            named = {f"{CANDIDATES}{k}": mixture.centroids for k, mixture in decoded.items()}
            return replace(state, candidates=named, step="judge")
        best = choose(decoded, clients=clients)
        return self._decided(state, decoded[best].centroids)

    def _decided(self, state: SealedState, centroids: Vector) -> SealedState:
        found = Found(round=state.round, centroids=centroids)
        return replace(state, found=found, candidates={}, step="join")

    def _places(self, replies: Replies) -> dict[ClientId, int]:
        """Return the cluster of each client that says it and has one."""
        said = {client: int(reply["place"]) for client, reply in replies.each.items()}
        return {client: place for client, place in said.items() if 0 <= place < self.clusters}

    def _owners(self, centroids: Vector, sizes: Vector) -> tuple[int, ...]:
        """Return the model of each cluster: line 12 of Algorithm 1 sums size times centroid."""
        costs = from_plane(centroids)[:, : self.clusters] * sizes[:, None]
        matched = models_of_clusters(costs, np.arange(len(costs)), models=self.clusters)
        return tuple(int(model) for model in matched)


class Frame(TypedDict):
    """Directions ``(r, K + P - 1)`` and scale of a sketch's frequencies."""

    axes: Vector
    scale: float


def public_frame(moments: Moments | None, *, clusters: int) -> Frame:
    """Return the frame of a sketch that shows up to ``clusters`` clusters.

    Raises:
        LocalProtocolError: the moments are not known yet.
    """
    if moments is None:
        raise LocalProtocolError("a sketch follows the moments")
    axes = axes_of(moments, clusters=clusters)
    return Frame(axes=axes, scale=scale_of(moments, axes=axes))


def _by_model(sums: Mapping[int, Tree]) -> dict[int, Tree]:
    """Return the sums of a session with a slot per model as one tree a model."""
    return {
        model: {name: values[model] for name, values in total.items() if values.ndim}
        for total in sums.values()
        for model in range(len(total["examples"]))
    }
