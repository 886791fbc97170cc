"""What a coordinator can say of each client's vector in each clustering, however it was sealed.

A vector that travelled on its own is known, noise and all. Otherwise there are the cohort's sum,
the published centroids and, as far as membership is known, whose centroid is whose. The best guess
is the client's centroid, moved so that all sums come out right: with one sum over the whole cohort
and hidden membership it is the same for every client.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from secure_clove.algorithms.sharing import asked_about
from secure_clove.clustering.embedding import Embedding, embed
from secure_clove.clustering.plane import to_plane
from secure_clove.engine.plan import EMBEDDING_STEP
from secure_clove.engine.ports import Trainer
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.trees import Tree, Vector
from threat_models.base import Case
from threat_models.membership import beliefs, disaggregate, in_sums
from threat_models.views import CoordinatorView, SingleReplies

Rows = NDArray[np.float64]
"""One row a client."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clustering:
    """One clustering as the coordinator saw it.

    Attributes:
        round: Counted from 1.
        clients: In the order of the rows.
        models: (K + P, d) on which all of them were asked for their losses.
        vectors: (M, K + P - 1) the best guess of each client's vector, in the sum-zero plane.
        unnamed: (M, K + P - 1) the best guess from this clustering's messages alone: what there is
            to link to another clustering by anything but names.
        labels: (M,) the cluster that each client named, -1 for none; None where nobody names one.
        is_sealed: Whether the vectors are guesses; otherwise they are what the clients sent.
    """

    round: int
    clients: tuple[ClientId, ...]
    models: NDArray[np.float64] = field(repr=False)
    vectors: Rows = field(repr=False)
    unnamed: Rows = field(repr=False)
    labels: NDArray[np.int64] | None = None
    is_sealed: bool


def clusterings(view: CoordinatorView) -> tuple[Clustering, ...]:
    """Return every clustering of a run, oldest first."""
    shown = [_shown(seen) for seen in view.embeddings]
    rounds = sorted({seen.round for seen in view.summed("moments")})
    sealed = [_sealed(view, number) for number in rounds]
    return tuple(sorted((*shown, *sealed), key=lambda found: found.round))


def clear_vectors(case: Case, found: Clustering) -> Rows:
    """Return the vectors (M, K + P - 1) as they were before noise: the auditor's truth."""
    config = case.view.config
    return np.array(
        [clear_vector(case.world.learner(client, config), found.models) for client in found.clients]
    )


def clear_vector(trainer: Trainer, models: NDArray[np.float64]) -> Vector:
    """Return one client's directional vector (K + P - 1,) without noise."""
    return to_plane(embed(trainer.losses(models), Embedding.DIRECTIONAL).mean)


def models_of(ask: Tree) -> NDArray[np.float64]:
    """Return the models (K + P, d) that an ask is about."""
    return np.array([*asked_about(ask)])


def _shown(seen: SingleReplies) -> Clustering:
    clients = tuple(sorted(seen.replies))
    vectors = to_plane(np.array([seen.replies[client]["losses"] for client in clients]))
    return Clustering(
        round=seen.round,
        clients=clients,
        models=models_of(seen.asks[clients[0]]),
        vectors=vectors,
        unnamed=vectors,
        is_sealed=False,
    )


def _sealed(view: CoordinatorView, number: int) -> Clustering:
    sums = tuple(seen for seen in view.summed("moments") if seen.round == number)
    clients = tuple(sorted({client for seen in sums for client in seen.members}))
    means = np.array([seen.total["mean"] for seen in sums])
    members = in_sums(sums, clients)
    mean = means.sum(axis=0) / members.sum()
    joined = next((s for s in view.singles if (s.round, s.exchange) == (number, "join")), None)
    if joined is None:
        unnamed, labels = np.tile(mean, (len(clients), 1)), None
        prior = _by_belief(view, number, clients, mean)
    else:
        unnamed, labels = _by_label(joined, clients, mean)
        prior = unnamed

    def settled(before: Rows) -> Rows:
        found: Rows = mean + _on_grid(disaggregate(before, members, means) - mean)
        return found

    return Clustering(
        round=number,
        clients=clients,
        models=models_of(sums[0].ask),
        vectors=settled(prior),
        unnamed=settled(unnamed),
        labels=labels,
        is_sealed=True,
    )


def _on_grid(rows: Rows) -> Rows:
    """Return rows without what rounding in the last digits would make of equal ones."""
    grid = EMBEDDING_STEP / 2**10
    snapped: Rows = np.rint(rows / grid) * grid
    return snapped


def _by_label(
    joined: SingleReplies, clients: tuple[ClientId, ...], mean: Vector
) -> tuple[Rows, NDArray[np.int64]]:
    centroids = np.asarray(next(iter(joined.asks.values()))["centroids"])
    said = [
        int(joined.replies[client]["place"]) if client in joined.replies else len(centroids)
        for client in clients
    ]
    labels = np.array([place if place < len(centroids) else -1 for place in said])
    return np.vstack([centroids, mean])[labels], labels


def _by_belief(
    view: CoordinatorView, number: int, clients: tuple[ClientId, ...], mean: Vector
) -> Rows:
    """Return the centroid that each client is believed to have, by all sums there ever were."""
    trained = next((s for s in view.summed("train") if s.round == number), None)
    if trained is None or "centroids" not in trained.ask:
        return np.tile(mean, (len(clients), 1))
    known, table = beliefs(view), np.tile(mean, (view.config.clusters, 1))
    table[trained.ask["owners"].astype(int)] = trained.ask["centroids"]
    believed = dict(zip(known.clients, known.shares @ table, strict=True))
    return np.array([believed.get(client, mean) for client in clients])
