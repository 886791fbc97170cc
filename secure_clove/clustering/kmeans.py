"""Groups of clients whose vectors are close, by k-means, and the group nearest to a newcomer.

Source: Algorithm 1 line 11 (grouping) and line 15 (new clients).
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from secure_clove.errors import ConfigError, DataError
from secure_clove.foundation.seeds import Rng
from secure_clove.foundation.trees import Vector

STARTS = 20
"""Random starts; the best is kept."""

RESOLUTION = 1e-6
"""Vectors closer than this share of the spread count as equal: k-means cannot tell them apart."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clustering:
    """A partition of clients.

    Attributes:
        labels: (M,) cluster of each client, from 0, numbered by first appearance.
        centroids: (k, K) mean vector of each cluster; no cluster is empty.
    """

    labels: NDArray[np.int64] = field(repr=False)
    centroids: NDArray[np.float64] = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse labels that do not number the centroids."""
        if self.centroids.ndim != 2 or self.labels.ndim != 1:
            raise ConfigError("labels of shape (M,) and centroids of shape (k, K) expected")
        if not np.array_equal(np.unique(self.labels), np.arange(len(self.centroids))):
            raise ConfigError("labels must use every number from 0 to the count of centroids")


def cluster(vectors: NDArray[np.float64], clusters: int, rng: Rng) -> Clustering:
    """Return the best of `STARTS` runs of k-means.

    The same ``vectors`` and state of ``rng`` give the same result. There are fewer clusters than
    asked for when fewer clients take part, or when their vectors take fewer distinct values.

    Args:
        vectors: (M, K) one finite vector a client.
        clusters: Count of clusters wanted, at least 1.
        rng: Draws the starts.

    Raises:
        ConfigError: ``clusters`` is below 1.
        DataError: no vectors, or one that is not finite.
    """
    if clusters < 1:
        raise ConfigError(f"at least 1 cluster expected, found {clusters}")
    points = _on_grid(checked(vectors))
    count = min(clusters, len(np.unique(points, axis=0)))
    seed = int(rng.integers(2**31))
    with threadpool_limits(limits=1):  # one order of summation; threads only wait for each other
        found = KMeans(count, n_init=STARTS, random_state=seed).fit_predict(points)
    return renumbered(found, vectors)


def checked(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``vectors`` if they can be grouped.

    Raises:
        DataError: not (M, K) with M, K >= 1, or not finite.
    """
    if vectors.ndim != 2 or vectors.size == 0 or not np.isfinite(vectors).all():
        raise DataError(f"finite vectors of shape (M, K) expected, found shape {vectors.shape}")
    return vectors


def renumbered(found: NDArray[np.signedinteger], vectors: NDArray[np.float64]) -> Clustering:
    """Return the clustering that puts vectors with equal numbers together.

    Args:
        found: (M,) any numbers.
        vectors: (M, K).
    """
    _, first, inverse = np.unique(found, return_index=True, return_inverse=True)
    labels = np.argsort(np.argsort(first))[inverse].astype(np.int64)
    means = [vectors[labels == label].mean(axis=0) for label in range(len(first))]
    return Clustering(labels=labels, centroids=np.stack(means))


def dissolve(found: Clustering, vectors: NDArray[np.float64], *, smallest: int) -> Clustering:
    """Return the clustering without clusters of fewer than ``smallest`` members.

    The smallest cluster goes first; each of its members joins the nearest of the others. One
    cluster always remains.

    Args:
        found: What `cluster` found.
        vectors: (M, K) the vectors it was found in.
        smallest: Fewest members; a cluster's model is a sum over its members, which must hide one.
    """
    labels, centroids = found.labels, found.centroids
    while len(centroids) > 1 and (sizes := np.bincount(labels)).min() < smallest:
        kept = np.delete(np.arange(len(centroids)), sizes.argmin())
        lost = labels == sizes.argmin()
        labels = np.searchsorted(kept, labels)
        labels[lost] = [nearest(centroids[kept], vector) for vector in vectors[lost]]
        centroids = np.stack([vectors[labels == c].mean(axis=0) for c in range(len(kept))])
    return renumbered(labels, vectors)


def nearest(centroids: NDArray[np.float64], vector: Vector) -> int:
    """Return the index of the centroid closest to ``vector``; the lowest when several are.

    Args:
        centroids: (k, K).
        vector: (K,).
    """
    return int(np.argmin(np.linalg.norm(centroids - vector, axis=1)))


def _on_grid(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the vectors moved and scaled into [-2, 2], in steps of `RESOLUTION`.

    Scaling changes no partition; the grid makes "distinct" mean the same here and in k-means.
    """
    centred = vectors - vectors.mean(axis=0)
    spread = np.abs(centred).max()
    steps: NDArray[np.float64] = np.round(centred / (spread or 1.0) / RESOLUTION)
    return steps * RESOLUTION
