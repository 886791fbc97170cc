"""Coordinates in the sum-zero plane: K numbers that add up to zero are K - 1 numbers.

A directional embedding lies in that plane, so the number that a vector of K coordinates has too
many carries noise and no signal; a sketch of plane coordinates spends nothing on it. The basis is
fixed and orthonormal (Helmert's), so everybody computes the same coordinates and distances stay.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from secure_clove.errors import ConfigError
from secure_clove.foundation.trees import Vector


def to_plane(vectors: NDArray[np.float64]) -> Vector:
    """Return the coordinates of the points of the sum-zero plane nearest to ``vectors``.

    Args:
        vectors: (..., K) with K >= 2.

    Returns:
        (..., K - 1).

    Raises:
        ConfigError: fewer than two coordinates.
    """
    if vectors.ndim < 1 or vectors.shape[-1] < 2:
        raise ConfigError(f"at least 2 coordinates expected, found shape {vectors.shape}")
    coordinates: Vector = vectors @ _basis(vectors.shape[-1]).T
    return coordinates


def from_plane(points: NDArray[np.float64]) -> Vector:
    """Return the vectors with coordinates ``points``; they add up to zero.

    Args:
        points: (..., K - 1) with K >= 2.

    Returns:
        (..., K).

    Raises:
        ConfigError: no coordinate.
    """
    if points.ndim < 1 or points.shape[-1] < 1:
        raise ConfigError(f"at least 1 coordinate expected, found shape {points.shape}")
    vectors: Vector = points @ _basis(points.shape[-1] + 1)
    return vectors


@lru_cache(maxsize=16)
def _basis(count: int) -> NDArray[np.float64]:
    """Return Helmert's orthonormal basis, shape (count - 1, count).

    Row j has j times 1, then -j, then zeros, over sqrt(j (j + 1)).
    """
    rows = np.tril(np.ones((count - 1, count)))
    places = np.arange(1, count)
    rows[places - 1, places] = -places
    basis: NDArray[np.float64] = rows / np.sqrt(places * (places + 1.0))[:, None]
    basis.flags.writeable = False
    return basis
