"""The leak that sealing avoids: Lloyd's k-means under the mask, one sum a cluster and iteration.

Nothing in the library does this. The subsets change a little from iteration to iteration and from
start to start, so their sums determine single vectors by plain linear algebra.

Source: audit.md, A10; protocol.md, "Why not Lloyd iterations under the mask" (the TAR effect, arXiv
2511.07073).
"""

import numpy as np
from numpy.typing import NDArray

from secure_clove.foundation.seeds import Rng

STARTS = 16
"""Restarts that Lloyd's iterations need to find the clusters of 25 clients."""

ITERATIONS = 30
"""Most iterations of one start."""

SMALLEST = 3
"""Sums over fewer clients are not released; it does not help."""

Rows = NDArray[np.float64]


def determined(vectors: Rows, clusters: int, rng: Rng) -> float:
    """Return the share of clients whose vector follows exactly from the published subset sums.

    A client's vector follows if its unit vector lies in the span of the subsets' indicators; the
    vectors themselves only decide what the subsets are.

    Args:
        vectors: (M, D).
        clusters: K.
        rng: Draws the starts from the cohort's public mean and covariance.
    """
    subsets = {s for _ in range(STARTS) for s in _subsets(vectors, clusters, rng)}
    if not subsets:
        return 0.0
    rows = np.array([np.frombuffer(subset, dtype=np.bool_) for subset in sorted(subsets)])
    _, sizes, basis = np.linalg.svd(rows.astype(np.float64), full_matrices=False)
    span = basis[sizes > sizes[0] * 1e-9]
    return float(((span**2).sum(axis=0) > 1 - 1e-9).mean())


def _subsets(vectors: Rows, clusters: int, rng: Rng) -> set[bytes]:
    """Return the indicators of the subsets that one start sums over."""
    centroids = rng.multivariate_normal(vectors.mean(axis=0), np.cov(vectors.T), clusters)
    found: set[bytes] = set()
    before: NDArray[np.int64] | None = None
    for _ in range(ITERATIONS):
        apart = ((vectors[:, None, :] - centroids[None, :, :]) ** 2).sum(axis=2)
        labels = apart.argmin(axis=1)
        if before is not None and np.array_equal(labels, before):
            break
        before = labels
        for cluster in range(clusters):
            members = labels == cluster
            if members.sum() >= SMALLEST:
                found.add(members.tobytes())
                centroids[cluster] = vectors[members].mean(axis=0)
    return found
