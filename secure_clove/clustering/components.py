"""How many clusters one sketch shows: by penalised misfit, or by a masked sum of silhouettes.

Source: protocol.md, "Sealed clustering", step 5; ADR 0012.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from secure_clove.clustering.decoder import Mixture
from secure_clove.errors import ConfigError
from secure_clove.foundation.trees import Vector

PRICE = 0.04
"""What one more cluster must take off the residual, in units of 1 / clients.

A residual is about as large as the variance of a mean over the clients, hence the unit. From 0.02
to 0.05 the choice is equally good (ADR 0012).
"""


def choose(mixtures: Mapping[int, Mixture], *, clients: int) -> int:
    """Return the number of clusters with the least penalised residual.

    Args:
        mixtures: By number of clusters, all decoded from one sketch.
        clients: How many are in that sketch, at least 1.

    Raises:
        ConfigError: there is no mixture, or no client.
    """
    if not mixtures or clients < 1:
        raise ConfigError("at least 1 mixture and 1 client expected")
    return min(sorted(mixtures), key=lambda k: mixtures[k].residual + PRICE * k / clients)


def simplified_silhouette(vector: Vector, centroids: NDArray[np.float64]) -> float:
    """Return how much closer ``vector`` is to its centroid than to the next, in [0, 1].

    With a the distance to the nearest and b to the second nearest: (b - a) / b. A single centroid
    gives 0, and so do two at the same distance.

    Args:
        vector: (D,).
        centroids: (k, D) with k >= 1.

    Raises:
        ConfigError: no centroid, or centroids of another dimension.

    Source: Hruschka et al. 2004 (the silhouette with distances to centroids).
    """
    if centroids.ndim != 2 or not len(centroids) or centroids.shape[1:] != vector.shape:
        raise ConfigError(f"centroids of shape (k, {vector.size}) expected, k >= 1")
    if len(centroids) == 1:
        return 0.0
    near, second = np.sort(np.linalg.norm(centroids - vector, axis=1))[:2]
    return float((second - near) / second) if second > 0 else 0.0


def choose_by_silhouette(sums: Mapping[int, float]) -> int:
    """Return the number of clusters whose sum of simplified silhouettes is largest.

    The smaller number if two are equal. The margin of Algorithm 2 would cost more than it saves
    here: centroids from a sketch do not chase single clients (ADR 0012).

    Args:
        sums: Sum over the same clients of `simplified_silhouette`, by number of clusters.

    Raises:
        ConfigError: there is no sum.
    """
    if not sums:
        raise ConfigError("at least 1 number of clusters expected")
    return max(sorted(sums), key=lambda k: sums[k])
