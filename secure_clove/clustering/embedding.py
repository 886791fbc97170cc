"""A client's vector in loss space, and how far one example can move it.

Neighbours are by zero-out: the loss row of one example becomes all zero while the count of examples
stays public (privacy.md, "Unit").
"""

import math
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from secure_clove.errors import DataError
from secure_clove.foundation.trees import Vector

FLOOR = 1e-6
"""Public constant, in units of the loss: rows whose models differ by less count for less."""

GRID = 2**40
"""Steps per unit on which unit vectors are summed, as integers."""

HUGE = 1e100
"""Losses above it are scaled before they are squared."""

MOST_EXAMPLES = 2**22
"""More would overflow the 64-bit sum of unit vectors."""


class Embedding(Enum):
    """How per-example losses become a vector."""

    RAW = "raw"  # the paper's loss vector: one example can move it without limit
    DIRECTIONAL = "directional"  # mean of unit vectors in the sum-zero plane


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedded:
    """What a client would send, before noise.

    Attributes:
        mean: (K,) the vector.
        sensitivity: Most that zeroing one example moves ``mean``, in L2; infinite when unbounded.
    """

    mean: Vector = field(repr=False)
    sensitivity: float


def embed(rows: NDArray[np.float64], kind: Embedding) -> Embedded:
    """Return the vector of a client and its sensitivity.

    Args:
        rows: (n, K) loss of every example on every model.
        kind: Which embedding.

    Raises:
        DataError: no example, fewer than two models or too many examples; under `Embedding.RAW`
            also a loss that is NaN or infinite. A directional embedding counts the row of such an
            example as zero, as if it were zeroed out: whether one example overflows must not show.

    Source: privacy.md, "The loss embedding"; `Embedding.RAW` is Algorithm 1 line 7.
    """
    values = _checked(rows)
    is_finite = np.isfinite(values).all(axis=1, keepdims=True)
    if kind is Embedding.RAW:
        if not is_finite.all():
            raise DataError("a loss is NaN or infinite; check data and models, or train less hard")
        return Embedded(mean=(values / len(values)).sum(axis=0), sensitivity=math.inf)
    counted = np.where(is_finite, values, 0.0)
    total = _directions(counted).sum(axis=0)  # integers: the bound below holds to the last bit
    return Embedded(mean=total / (GRID * len(values)), sensitivity=1.0 / len(values))


def project(vector: Vector) -> Vector:
    """Return the nearest point of the sum-zero plane.

    A noised directional vector leaves the plane only through its noise, so this removes noise and
    nothing else; it is post-processing.

    Args:
        vector: (K,) finite.
    """
    projected: Vector = vector - vector.mean()
    return projected


def _checked(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.asarray(rows, dtype=np.float64)
    if values.ndim != 2 or not 1 <= values.shape[0] <= MOST_EXAMPLES or values.shape[1] < 2:
        raise DataError(
            f"losses of shape (examples, models) expected, with 1 to {MOST_EXAMPLES} examples and "
            f"at least 2 models; found shape {values.shape}"
        )
    return values


def _directions(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return every row as a vector of norm at most 1 in the sum-zero plane, in steps of 1/GRID.

    Huge rows are scaled to 1 first, so that nothing overflows; the least loss is taken off before
    the mean, so that equal losses give exactly zero. Coordinates are cut towards zero, hence
    rounding only shortens a vector; an all-zero row stays zero.
    """
    largest = np.abs(values).max(axis=1, keepdims=True)
    scale = np.where(largest > HUGE, largest, 1.0)
    scaled = values / scale
    excess = scaled - scaled.min(axis=1, keepdims=True)
    centred = excess - excess.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = centred / np.maximum(norm, FLOOR / scale)
    steps: NDArray[np.int64] = np.trunc(unit * (GRID - 1)).astype(np.int64)
    return steps
