"""How good a partition is: against the truth, against the last round, and by itself."""

from collections.abc import Sequence
from math import comb

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import silhouette_score

from secure_clove.errors import ConfigError

Labels = Sequence[int] | NDArray[np.int64]


def adjusted_rand_index(truth: Labels, labels: Labels) -> float:
    """Return the adjusted Rand index: 1 for the same partition, about 0 for chance.

    Names of clusters do not matter. Counted in integers, so that equal partitions give exactly 1.

    Args:
        truth: (M,) cluster of each client.
        labels: (M,) another partition of the same clients.

    Raises:
        ConfigError: the lengths differ, or there is no client.

    Source: Hubert and Arabie 1985, equation 5.
    """
    if len(truth) != len(labels) or len(truth) == 0:
        raise ConfigError(
            f"two partitions of the same clients expected: {len(truth)} and {len(labels)} labels"
        )
    table = _contingency(truth, labels)
    both, rows, columns = (_pairs(t) for t in (table, table.sum(axis=1), table.sum(axis=0)))
    pairs = comb(len(truth), 2)
    chance, most = 2 * rows * columns, (rows + columns) * pairs
    if most == chance:  # both partitions are one cluster, or both are all single clients
        return 1.0
    return (2 * both * pairs - chance) / (most - chance)


def agreement(previous: Labels, current: Labels) -> float:
    """Return how much of the last round's partition is left: the adjusted Rand index of the two."""
    return adjusted_rand_index(previous, current)


def silhouette(vectors: NDArray[np.float64], labels: NDArray[np.int64]) -> float | None:
    """Return the mean silhouette in [-1, 1], or None where it is undefined.

    It is undefined for a single cluster and for as many clusters as clients.

    Args:
        vectors: (M, K) vector of each client.
        labels: (M,) cluster of each client.

    Source: Rousseeuw 1987.
    """
    if not 1 < len(np.unique(labels)) < len(labels):
        return None
    return float(silhouette_score(vectors, labels))


def _contingency(truth: Labels, labels: Labels) -> NDArray[np.int64]:
    rows = np.unique(np.asarray(truth), return_inverse=True)[1]
    columns = np.unique(np.asarray(labels), return_inverse=True)[1]
    table = np.zeros((rows.max() + 1, columns.max() + 1), dtype=np.int64)
    np.add.at(table, (rows, columns), 1)
    return table


def _pairs(counts: NDArray[np.int64]) -> int:
    return sum(comb(int(count), 2) for count in counts.ravel())
