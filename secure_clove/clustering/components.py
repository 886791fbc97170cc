"""How many clusters one sketch shows: by penalised misfit, or by a masked sum of silhouettes.

Source: protocol.md, "Sealed clustering", step 5; ADR 0012.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from secure_clove.clustering.decoder import Mixture
from secure_clove.clustering.selection import MARGIN
from secure_clove.errors import ConfigError
from secure_clove.foundation.trees import Vector


def choose(mixtures: Mapping[int, Mixture], *, frequencies: int) -> int:
    """Return the number of clusters with the least penalised misfit.

    Args:
        mixtures: By number of clusters, all decoded from one sketch.
        frequencies: m of that sketch.

    Raises:
        ConfigError: there is no mixture.
    """
    if not mixtures:
        raise ConfigError("at least 1 mixture expected")

    def penalised(count: int) -> float:
        found = mixtures[count]
        numbers = found.centroids.size + count
        misfit = 2 * frequencies * np.log(max(found.residual, 1e-12))
        return float(misfit + numbers * np.log(2 * frequencies))

    return min(sorted(mixtures), key=penalised)


def simplified_silhouette(vector: Vector, centroids: NDArray[np.float64]) -> float:
    """Return how much closer ``vector`` is to its centroid than to the next, in [0, 1].

    With a the distance to the nearest and b to the second nearest: (b - a) / b. A single centroid
    gives 0, and so do two at the same distance.

    Args:
        vector: (D,).
        centroids: (k, D).

    Source: Hruschka et al. 2004 (the silhouette with distances to centroids).
    """
    if len(centroids) < 2:
        return 0.0
    near, next_ = np.sort(np.linalg.norm(centroids - vector, axis=1))[:2]
    return float((next_ - near) / next_) if next_ > 0 else 0.0


def choose_by_silhouette(sums: Mapping[int, float], *, clients: int) -> int:
    """Return the number of clusters whose mean simplified silhouette is best.

    A larger number must beat the best so far by `MARGIN`, as in Algorithm 2.

    Args:
        sums: Sum over the clients of `simplified_silhouette`, by number of clusters.
        clients: How many are in each sum, at least 1.

    Raises:
        ConfigError: there is no sum, or no client.
    """
    if not sums or clients < 1:
        raise ConfigError("at least 1 number of clusters and 1 client expected")
    best, *others = sorted(sums)
    for count in others:
        if sums[count] > sums[best] + MARGIN * abs(sums[best]):
            best = count
    return best
