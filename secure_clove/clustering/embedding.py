"""A client's vector in loss space, and how far one example can move it.

Neighbours are by zero-out: the loss row of one example becomes all zero while the count of examples
stays public (privacy.md, "Unit"). Every embedding with a guarantee is a mean of contributions: each
lies in a ball around zero that does not depend on the data, and that of a zeroed row is its centre.
Hence the radius, divided by the count of examples, is how far one example can move the vector.

Contributions are whole numbers on a grid, so that their sum is exact, and a trace smaller than the
ball, so that the bound holds to the last bit of the mean, whatever the losses are.
"""

import math
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from secure_clove.errors import ConfigError, DataError
from secure_clove.foundation.trees import Vector

FLOOR = 1e-6
"""Public constant, in units of the loss: rows whose models differ by less count for less."""

LARGEST_CLIP = 1e6
"""Largest clipping constant, in units of the loss; the least is `FLOOR`."""

GRID = 2**40
"""Steps per unit on which contributions are summed, as integers."""

UNIT = GRID - 2**13
"""Steps of the largest contribution along an axis. What is missing, 2^-27, is more than the errors
of floating point: those of one contribution, below 2^-40, and those of two means, below 2^-50 of
the ball, which is 2^-28 of what one of `MOST_EXAMPLES` may move."""

HUGE = 1e100
"""Losses above it are scaled before they are squared."""

MOST_EXAMPLES = 2**22
"""More would overflow the 64-bit sum of contributions."""


class Embedding(Enum):
    """How per-example losses become a vector.

    `CLIPPED` and `RELATIVE` cut at a public constant C; their vectors are in units of C.
    """

    RAW = "raw"  # the paper's loss vector: one example can move it without limit
    CLIPPED = "clipped"  # every loss cut to [0, C]
    RELATIVE = "relative"  # losses less the example's mean over the models, cut at norm C
    DIRECTIONAL = "directional"  # the directions of these: unit vectors, with nothing to tune

    @property
    def is_clipped(self) -> bool:
        """Whether it needs a constant C."""
        return self in (Embedding.CLIPPED, Embedding.RELATIVE)

    @property
    def holds_losses(self) -> bool:
        """Whether its numbers are losses, from 0 up; otherwise they add up to zero."""
        return self in (Embedding.RAW, Embedding.CLIPPED)

    def radius(self, models: int) -> float:
        """Return the L2 norm that no example's contribution exceeds; infinite when unbounded.

        Args:
            models: Number K of losses of an example.
        """
        if self is Embedding.RAW:
            return math.inf
        return math.sqrt(models) / 2 if self is Embedding.CLIPPED else 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedded:
    """What a client would send, before noise.

    Attributes:
        mean: (K,) the vector.
        sensitivity: Most that zeroing one example moves ``mean``, in L2; infinite when unbounded.
    """

    mean: Vector = field(repr=False)
    sensitivity: float


def check_clip(kind: Embedding, clip: float | None) -> None:
    """Refuse a clipping constant where there is nothing to clip, and none where there is.

    Args:
        kind: Which embedding.
        clip: Its constant C, in units of the loss.

    Raises:
        ConfigError: what to set.
    """
    if not kind.is_clipped:
        if clip is not None:
            raise ConfigError(f"the embedding '{kind.value}' clips nothing; leave its clip unset")
    elif clip is None or not FLOOR <= clip <= LARGEST_CLIP:
        raise ConfigError(
            f"the embedding '{kind.value}' needs a clip from {FLOOR:g} to {LARGEST_CLIP:g}, in "
            "units of the loss; choose it without looking at the data, or take 'directional'"
        )


def embed(rows: NDArray[np.float64], kind: Embedding, *, clip: float | None = None) -> Embedded:
    """Return the vector of a client and its sensitivity.

    `Embedding.CLIPPED` gives the mean of the cut losses, where an example that is zeroed out counts
    as C / 2: the middle of the range, from which no loss is further than C / 2.

    Args:
        rows: (n, K) loss of every example on every model.
        kind: Which embedding.
        clip: Public constant C of an embedding that clips, in units of the loss. Vector and
            sensitivity are in units of C.

    Raises:
        ConfigError: a clip is missing, or is of no use.
        DataError: no example, fewer than two models or too many examples; under `Embedding.RAW`
            also a loss that is NaN or infinite. The other embeddings count the row of such an
            example as zero, as if it were zeroed out: whether one example overflows must not show.

    Source: privacy.md, "The loss embedding"; `Embedding.RAW` is Algorithm 1 line 7.
    """
    check_clip(kind, clip)
    values = _checked(rows)
    count, models = values.shape
    is_finite = np.isfinite(values).all(axis=1, keepdims=True)
    if kind is Embedding.RAW:
        if not is_finite.all():
            raise DataError("a loss is NaN or infinite; check data and models, or train less hard")
        return Embedded(mean=(values / count).sum(axis=0), sensitivity=math.inf)
    contribute, middle = (_cut, 0.5) if kind is Embedding.CLIPPED else (_directions, 0.0)
    total = contribute(np.where(is_finite, values, 0.0), clip or FLOOR).sum(axis=0)
    mean = middle + total / (GRID * count)
    return Embedded(mean=mean, sensitivity=kind.radius(models) / count)


def project(vector: Vector) -> Vector:
    """Return the nearest point of the sum-zero plane.

    A directional or relative vector leaves the plane only through its noise, so this removes noise
    and nothing else. From losses it also takes their mean. It is post-processing either way.

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


def _cut(values: NDArray[np.float64], clip: float) -> NDArray[np.int64]:
    """Return every row cut to [0, clip], around the middle of that range, in steps of clip / GRID.

    An all-zero row is an example zeroed out and gives zero. Of a row of losses that are all exactly
    zero this drops a part that all models have in common.
    """
    middled = np.clip(values, 0.0, clip) / clip - 0.5
    is_there = values.any(axis=1, keepdims=True)
    return _steps(np.where(is_there, middled, 0.0))


def _directions(values: NDArray[np.float64], floor: float) -> NDArray[np.int64]:
    """Return every row less its mean, divided by its norm or by ``floor``, in steps of 1/GRID.

    That is the row cut at norm ``floor``, in units of ``floor``: a vector of norm at most 1 in the
    sum-zero plane. Huge rows are scaled to 1 first, so that nothing overflows; the least loss is
    taken off before the mean, so that equal losses give exactly zero. An all-zero row stays zero.
    """
    largest = np.abs(values).max(axis=1, keepdims=True)
    scale = np.where(largest > HUGE, largest, 1.0)
    scaled = values / scale
    excess = scaled - scaled.min(axis=1, keepdims=True)
    centred = excess - excess.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    return _steps(centred / np.maximum(norm, floor / scale))


def _steps(contributions: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return contributions as integers: coordinates are cut towards zero, which only shortens."""
    steps: NDArray[np.int64] = np.trunc(contributions * UNIT).astype(np.int64)
    return steps
