"""Shadow clients: an attacker's own, made of public examples, whose labels it knows.

Each has the labels that some client of the federation has, so the attacker knows the population;
its examples are the held-out ones of all clients, which nobody trains on.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from secure_clove.clustering.embedding import Embedding, embed
from secure_clove.clustering.plane import to_plane
from secure_clove.engine.ports import Trainer
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import Rng
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.tasks import TorchTask
from threat_models.base import Case
from threat_models.evidence import Clustering

CROWD = 400
"""Shadow clients that an attacker learns from."""

Rows = NDArray[np.float64]
"""One row a client."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shadows:
    """A crowd of shadow clients.

    Attributes:
        pool: Answers for the losses of every public example.
        members: (S, n) the examples of each shadow client, by their place in the pool.
        labels: (S, classes) share of each label.
    """

    pool: Trainer
    members: NDArray[np.int64] = field(repr=False)
    labels: Rows = field(repr=False)

    def vectors(self, models: NDArray[np.float64], *, sigma: float, rng: Rng) -> Rows:
        """Return their vectors (S, K + P - 1) in the sum-zero plane.

        Args:
            models: (K + P, d) to be asked about.
            sigma: Standard deviation of the noise on a coordinate.
            rng: Draws it; the attacker's own noise protects nobody.
        """
        rows = self.pool.losses(models)
        clear = np.array([embed(rows[own], Embedding.DIRECTIONAL).mean for own in self.members])
        noised: Rows = to_plane(clear + rng.normal(0.0, sigma, clear.shape))
        return noised


def histogram(labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Return the share of each label."""
    shares: NDArray[np.float64] = np.bincount(labels, minlength=classes) / len(labels)
    return shares


def histograms(case: Case, clients: tuple[ClientId, ...]) -> Rows:
    """Return the share of each label (M, classes) among the training examples of each client."""
    federation = case.world.federation
    return np.array(
        [histogram(federation.clients[one].train_y, federation.classes) for one in clients]
    )


def draw(case: Case, rng: Rng) -> Shadows:
    """Return `CROWD` shadow clients of the run's population."""
    world = case.world
    data = [*world.federation.clients.values()]
    x = np.concatenate([each.test_x for each in data])
    y = np.concatenate([each.test_y for each in data])
    size = int(np.median([len(each.train_y) for each in data]))
    like = rng.integers(len(data), size=CROWD)
    members = np.array([_examples(y, data[own].train_y, size, rng) for own in like])
    task = TorchTask(model=world.model, train=(x, y), test=(x[:0], y[:0]))
    labels = np.array([histogram(y[own], world.federation.classes) for own in members])
    return Shadows(pool=TorchLearner.of(task, case.view.config), members=members, labels=labels)


def noise_of(case: Case, found: Clustering) -> float:
    """Return the standard deviation of a coordinate's noise, as far as the attacker knows it.

    A guess made of a centroid holds the mean noise of a cluster.
    """
    plan, config = case.view.config.privacy, case.view.config
    if plan is None:
        return 0.0
    sizes = [len(data.train_y) for data in case.world.federation.clients.values()]
    alone = plan.embedding / float(np.median(sizes))
    in_cluster = len(found.clients) / config.clusters
    return alone / math.sqrt(in_cluster) if found.is_sealed else alone


def _examples(
    public: NDArray[np.int64], like: NDArray[np.int64], size: int, rng: Rng
) -> NDArray[np.int64]:
    """Return ``size`` public examples with labels drawn as in ``like``."""
    wanted = rng.choice(like[np.isin(like, public)], size)
    found = np.empty(size, dtype=np.int64)
    for label in np.unique(wanted):
        found[wanted == label] = rng.choice(
            np.flatnonzero(public == label), (wanted == label).sum()
        )
    return found
