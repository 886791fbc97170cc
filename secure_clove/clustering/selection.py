"""How many clusters there are, when nobody knows: by silhouette or by elbow.

Source: clove.txt, Algorithm 2. The margin is that of the authors' code: a larger K must beat the
best so far by 10 %, so that noise does not split a cluster.
"""

from collections.abc import Callable, Mapping
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from secure_clove.clustering.kmeans import Clustering, checked, cluster, renumbered
from secure_clove.clustering.scores import silhouette
from secure_clove.errors import ConfigError
from secure_clove.foundation.seeds import Rng

LEAST_SPREAD = 1e-9
"""Share of the total spread below which clusters count as points."""

MARGIN = 0.10
"""Share by which the silhouette of a larger K must exceed the best so far."""


class Method(Enum):
    """How vectors are grouped for a given K."""

    KMEANS = "kmeans"
    AGGLOMERATIVE = "agglomerative"  # Ward linkage


class Selection(Enum):
    """Where K comes from."""

    KNOWN = "known"  # it is given
    SILHOUETTE = "silhouette"  # Algorithm 2
    ELBOW = "elbow"  # where more clusters stop to pay


def group(
    vectors: NDArray[np.float64],
    clusters: int,
    *,
    method: Method,
    selection: Selection,
    rng: Rng,
) -> Clustering:
    """Return a clustering into ``clusters``, or into the best count up to it.

    Args:
        vectors: (M, K) one finite vector a client.
        clusters: The count, or the largest one to consider.
        method: How to group.
        selection: Whether ``clusters`` is the count or its upper bound.
        rng: Draws the starts of k-means.

    Raises:
        ConfigError: ``clusters`` is below 1, or below 2 where the count is to be found.
        DataError: no vectors, or one that is not finite.
    """
    checked(vectors)
    if selection is Selection.KNOWN:
        return _group(vectors, clusters, method, rng)
    if clusters < 2:
        raise ConfigError("to find the number of clusters, consider at least 2")
    most = min(clusters, len(vectors) - 1)
    candidates = {count: _group(vectors, count, method, rng) for count in range(1, most + 1)}
    if most < 2:  # one or two clients: there is nothing to compare
        return _group(vectors, 1, method, rng)
    choose = _by_silhouette if selection is Selection.SILHOUETTE else _by_elbow
    return candidates[choose(vectors, candidates)]


def _group(vectors: NDArray[np.float64], count: int, method: Method, rng: Rng) -> Clustering:
    ways: Mapping[Method, Callable[[], Clustering]] = {
        Method.KMEANS: lambda: cluster(vectors, count, rng),
        Method.AGGLOMERATIVE: lambda: _ward(vectors, count),
    }
    return ways[method]()


def _ward(vectors: NDArray[np.float64], count: int) -> Clustering:
    if len(vectors) == 1:
        return renumbered(np.zeros(1, dtype=np.int64), vectors)
    found = fcluster(linkage(pdist(vectors), method="ward"), t=count, criterion="maxclust")
    return renumbered(found.astype(np.int64), vectors)


def _by_silhouette(vectors: NDArray[np.float64], candidates: Mapping[int, Clustering]) -> int:
    best, best_score = 2, -1.0
    for count in sorted(candidates)[1:]:
        score = silhouette(vectors, candidates[count].labels)
        if score is not None and score > best_score + MARGIN * abs(best_score):
            best, best_score = count, score
    return best


def _by_elbow(vectors: NDArray[np.float64], candidates: Mapping[int, Clustering]) -> int:
    """Return where the logarithm of the spread bends most: one more cluster stops to pay."""
    counts = sorted(candidates)
    total = _within(vectors, candidates[counts[0]])
    spread = [_within(vectors, candidates[count]) for count in counts]
    drops = -np.diff(np.log(np.maximum(spread, total * LEAST_SPREAD or 1.0)))
    bends = drops - np.append(drops[1:], 0.0)
    return counts[1 + int(np.argmax(bends))]


def _within(vectors: NDArray[np.float64], found: Clustering) -> float:
    return float(((vectors - found.centroids[found.labels]) ** 2).sum())
