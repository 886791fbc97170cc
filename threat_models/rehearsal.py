"""A sealed clustering held again with fresh noise, by the very functions of client and coordinator.

The vectors of a real run are on no disk but the clients'; here the auditor has them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secure_clove.algorithms.base import Exchange, Replies
from secure_clove.algorithms.sealed import SealedClove
from secure_clove.algorithms.sealed_parts import SealedParts
from secure_clove.clustering.kmeans import nearest
from secure_clove.clustering.sketch import Moments
from secure_clove.engine.guard import Guard
from secure_clove.engine.plan import Config
from secure_clove.engine.ports import Trainer
from secure_clove.errors import LocalProtocolError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import Entropy
from secure_clove.foundation.trees import Tree
from threat_models.inversion import Published

Rows = NDArray[np.float64]
"""(M, D): one vector a client."""

SUMS = ("moments", "sketch", "judge")
"""The exchanges before clients say where they belong."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rehearsal:
    """One clustering.

    Attributes:
        vectors: (M, D) the noised vectors, in the order of the clients' names.
        published: What the coordinator holds in the end.
    """

    vectors: Rows = field(repr=False)
    published: Published


def rehearse(
    config: Config,
    trainers: Mapping[ClientId, Trainer],
    models: NDArray[np.float64],
    entropy: Entropy,
) -> Rehearsal:
    """Return a clustering of the clients behind ``trainers`` by ``models``.

    Args:
        config: Of a sealed run.
        trainers: By client.
        models: (K + P, d).
        entropy: Of noise and coins.

    Raises:
        LocalProtocolError: the run was not sealed, or the algorithm published no centroids.
    """
    algorithm, clients = config.build(), tuple(sorted(trainers))
    if not isinstance(algorithm, SealedClove):
        raise LocalProtocolError("only a sealed clustering can be rehearsed")
    state = algorithm.begin(algorithm.start(models), 1, clients)
    owns = {client: algorithm.enrol() for client in clients}
    said: dict[str, tuple[Tree, Tree, bytes]] = {}
    while (exchange := algorithm.next(state)) is not None and exchange.name in SUMS:
        ask, coin = exchange.ask(state, clients[0]), entropy.draw(32)
        total = _sum(config, exchange, ask, coin, owns, trainers, entropy)
        said[exchange.name] = (ask, total, coin)
        replies = Replies(sums={0: total}, counts={0: len(clients)}, coins={0: coin})
        state = exchange.fold(state, replies)
    if state.moments is None or not len(state.found.centroids):
        raise LocalProtocolError("this clustering published no centroids")
    vectors = np.array([owns[client].vector for client in clients])
    places = [nearest(state.found.centroids, vector) for vector in vectors]
    centroids = state.found.centroids[sorted(places)]
    published = _published(algorithm.parts, state.moments, said["sketch"], centroids)
    return Rehearsal(vectors=vectors, published=published)


def _sum(
    config: Config,
    exchange: Exchange[Any, Any],
    ask: Tree,
    coin: bytes,
    owns: dict[ClientId, Any],
    trainers: Mapping[ClientId, Trainer],
    entropy: Entropy,
) -> dict[str, Rows]:
    """Return the sum of all replies, and leave every client in its next state."""
    total: dict[str, Rows] = {}
    for client, own in owns.items():
        noise = entropy.fork(exchange.name, client)
        guard = Guard(trainers[client], uses=exchange.uses, plan=config.privacy, entropy=noise)
        owns[client], reply = exchange.work(own, ask, guard)
        if exchange.toss is not None:
            reply = exchange.toss(owns[client], coin)
        for name, value in reply.items():
            total[name] = total.get(name, np.zeros(value.shape)) + value
    return total


def _published(
    parts: SealedParts, moments: Moments, sketch: tuple[Tree, Tree, bytes], centroids: Rows
) -> Published:
    ask, total, coin = sketch
    axes, scale = ask["axes"], float(ask["scale"])
    features = total["features"] / len(centroids)
    around = axes @ (moments.covariance - np.cov(centroids.T, bias=True)) @ axes.T
    return Published(
        features=features,
        frequencies=parts.drawn(coin, axes=axes, scale=scale),
        moments=moments,
        axes=axes,
        scale=scale,
        centroids=centroids,
        spread=float(np.sqrt(max(np.trace(around) / len(axes), 0.0))),
    )
