"""The public grid on which clipped gradients are summed, so that no bound rests on rounding."""

from dataclasses import dataclass
from math import ceil, floor, inf, log2, sqrt

from secure_clove.errors import ConfigError

LEAST_STEPS = 1024
"""Grid steps in the clipping norm, at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The public grid that clipped gradients are rounded onto.

    Attributes:
        step: Distance of two grid points, in units of the gradient; a power of two.
        sensitivity: Largest norm of one example's row, in steps.
    """

    step: float
    sensitivity: float


def gradient_grid(clip: float, dimension: int) -> Grid:
    """Return the grid for gradients of ``dimension`` numbers clipped to norm ``clip``.

    Rounding moves each of the d coordinates by at most half a step, so a row has norm at most
    clip / step + sqrt(d) / 2. The clipping norm is at least 1024 steps, more above 4096 dimensions:
    16 sqrt(d), so that paying for the rounding never adds more than 1/32 to the noise. The step is
    a power of two: whole steps are exact numbers, and so are their sums.

    Raises:
        ConfigError: the norm is not positive and finite, or there is no dimension.
    """
    if not 0 < clip < inf or dimension < 1:
        raise ConfigError(f"a norm > 0 and at least 1 dimension expected: {clip}, {dimension}")
    steps = max(LEAST_STEPS, 2 ** ceil(log2(16 * sqrt(dimension))))
    step = 2.0 ** floor(log2(clip / steps))
    return Grid(step=step, sensitivity=clip / step + sqrt(dimension) / 2)
