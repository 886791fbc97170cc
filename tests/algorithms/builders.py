"""Clients in clear groups, for the tests of this folder."""

from collections.abc import Mapping

import numpy as np

from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import stream
from secure_clove.foundation.trees import Vector
from tests.builders import PointLearner, names

DIMENSION = 5


def centres(clusters: int) -> Vector:
    """Return points that are far apart, ``(clusters, DIMENSION)``."""
    return 10.0 * np.eye(clusters, DIMENSION)


def initial(clusters: int, *, seed: int = 0) -> Vector:
    """Return small random initial models, ``(clusters, DIMENSION)``."""
    return stream(seed, "initial").normal(size=(clusters, DIMENSION))


def crowd(
    clusters: int, clients_per_cluster: int = 4, *, seed: int = 0, prefix: str = "client"
) -> tuple[dict[ClientId, PointLearner], dict[ClientId, int]]:
    """Return clients near the points of their clusters, in mixed order, and their true clusters."""
    rng = stream(seed, "crowd")
    members = names(clusters * clients_per_cluster, prefix)
    truth = dict(zip(members, rng.permutation(np.arange(len(members)) % clusters), strict=True))
    learners = {
        client: PointLearner(
            point=centres(clusters)[cluster] + 0.1 * rng.normal(size=DIMENSION),
            examples=int(rng.integers(5, 50)),
        )
        for client, cluster in truth.items()
    }
    return learners, {client: int(cluster) for client, cluster in truth.items()}


def partition(assignment: Mapping[ClientId, int]) -> set[frozenset[ClientId]]:
    """Return who is together, whatever the numbers of the groups."""
    groups: dict[int, set[ClientId]] = {}
    for client, group in assignment.items():
        groups.setdefault(group, set()).add(client)
    return {frozenset(group) for group in groups.values()}
