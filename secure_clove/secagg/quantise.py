"""From clipped floats to ring elements and back: no float is ever masked.

A reply consists of blocks, such as update entries and counts, each on its own grid. Rounding is
random and without bias. Where a grid names a norm, a block is rounded again until the integers obey
one as well, so that rounding hardly raises the sensitivity of a sum.

The random bits are AES-256-CTR streams, each under 32 fresh bytes of entropy. The operating
system's bytes are a cipher's stream as well; these take a tenth of the time.

Source: protocol.md, "Quantisation, ring, weights, noise"; rounding: Kairouz, Liu and Steinke 2021,
"The distributed discrete Gaussian mechanism", algorithm 1 and proposition 22.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, isfinite, log, sqrt

import numpy as np
from numpy.typing import NDArray

from secure_clove.errors import AbortedError, ConfigError, DataError
from secure_clove.foundation.seeds import Entropy
from secure_clove.foundation.trees import Vector
from secure_clove.secagg import masks, ring

RINGS = (32, 64)

MOST_NORM_STEPS = 2**25
"""Largest norm of a grid, in steps; the sum of squares of the rounded block stays exact."""

AGAIN = 2.0**-20
"""Bound on the probability that a rounding breaks the norm and is repeated (beta in the source)."""

PIECE = 1 << 15
"""Coordinates rounded at a time: what they need stays in the cache."""

Integers = NDArray[np.int64]


def ring_bits_for(largest_sum: int) -> int:
    """Return the smaller ring, 32 or 64 bits, in which sums up to ``largest_sum`` cannot overflow.

    Args:
        largest_sum: Bound on the absolute value of every coordinate of the sum, noise included.

    Raises:
        ConfigError: not even 64 bits hold 2 * largest_sum + 1 values.
    """
    for bits in RINGS:
        if 2 * largest_sum + 1 < 2**bits:
            return bits
    raise ConfigError(
        f"a sum up to ±{largest_sum} takes {2 * largest_sum + 1} values, a ring has at most 2**64: "
        "take a larger step, a smaller bound or fewer clients"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The range and the resolution of some coordinates.

    Attributes:
        step: Distance of neighbouring grid points (gamma in the spec), in the coordinate's unit.
        bound: Coordinates are clipped to [-bound, bound], in the same unit.
        norm: A block is scaled down to this L2 norm, in the same unit, and rounded within
            `rounded_norm`; None leaves the norm alone.
    """

    step: float
    bound: float
    norm: float | None = None

    def __post_init__(self) -> None:
        """Refuse a grid without points, with more than int64 can count, or with no such norm."""
        if not (isfinite(self.step) and isfinite(self.bound) and self.step > 0 and self.bound > 0):
            raise ConfigError(f"step {self.step} and bound {self.bound} must be positive")
        if not self.bound / self.step < 2**62:
            raise ConfigError(f"bound {self.bound} over step {self.step} must stay below 2**62")
        if self.norm is not None and not 0 < self.norm / self.step <= MOST_NORM_STEPS:
            raise ConfigError(
                f"norm {self.norm} over step {self.step} must lie in (0, {MOST_NORM_STEPS}]"
            )

    @property
    def reach(self) -> int:
        """The largest integer that rounding can give."""
        return ceil(self.bound / self.step)

    def rounded_norm(self, count: int) -> float | None:
        """Return the L2 norm, in steps, that no rounded block exceeds; None without a norm.

        Args:
            count: Coordinates of the block.

        Source: Kairouz et al. 2021, proposition 22. A rounding keeps the bound but for a
        probability of `AGAIN`, which bounds the bias of repeating it.
        """
        if self.norm is None:
            return None
        steps, root = self.norm / self.step, sqrt(count)
        likely = steps**2 + count / 4 + sqrt(-2 * log(AGAIN)) * (steps + root / 2)
        return min(sqrt(likely), steps + root)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiser:
    """How a flat vector becomes ring elements.

    Attributes:
        parts: Blocks in order: how many coordinates, and their grid.
    """

    parts: tuple[tuple[int, Grid], ...]

    def __post_init__(self) -> None:
        """Refuse no blocks or empty ones."""
        if not self.parts or any(count < 1 for count, _ in self.parts):
            raise ConfigError("a quantiser has at least one block, each of at least one coordinate")

    @property
    def length(self) -> int:
        """Coordinates of the whole vector."""
        return sum(count for count, _ in self.parts)

    def largest_sum(self, clients: int, *, noise_reach: int = 0) -> int:
        """Return the bound on every coordinate of a sum over ``clients``, in grid steps.

        Args:
            clients: Most clients in the sum.
            noise_reach: Bound on the absolute value of their summed integer noise.
        """
        return clients * max(grid.reach for _, grid in self.parts) + noise_reach

    def encode(
        self,
        vector: Vector,
        bits: int,
        entropy: Entropy,
        *,
        noise: Integers | None = None,
    ) -> NDArray[np.uint64]:
        """Return ``vector`` clipped, rounded without bias, noised, and reduced mod 2**bits.

        Args:
            vector: ``(length,)`` floats.
            bits: 32 or 64.
            entropy: Where the 32 bytes for each piece of a block come from.
            noise: ``(length,)`` integers in grid steps to add, or None.

        Raises:
            ConfigError: the vector or the noise has another shape.
            DataError: a coordinate is not finite.
        """
        self._check_shape(vector.shape)
        if not np.isfinite(vector).all():
            raise DataError("the vector holds NaN or infinite values; nothing was sent")
        integers = np.empty(self.length, dtype=np.int64)
        for cut, grid in self._blocks():
            _round(vector[cut], grid, entropy, out=integers[cut])
        if noise is not None:
            self._check_shape(noise.shape)
            integers += noise
        return ring.reduce(integers, bits)

    def decode(self, total: NDArray[np.uint64], bits: int) -> Vector:
        """Return a sum as floats: centre-lifted, times the step of each block.

        Args:
            total: ``(length,)`` ring elements.
            bits: 32 or 64.

        Raises:
            ConfigError: the total has another shape.
        """
        self._check_shape(total.shape)
        values = ring.lift(total, bits).astype(np.float64)
        for cut, grid in self._blocks():
            values[cut] *= grid.step
        return values

    def check_range(
        self, total: NDArray[np.uint64], bits: int, *, clients: int, noise_reach: int = 0
    ) -> None:
        """Check that ``total`` can be the sum of honest vectors.

        Args:
            total: ``(length,)`` ring elements.
            bits: 32 or 64.
            clients: How many vectors are in the sum.
            noise_reach: Bound on the absolute value of their summed integer noise.

        Raises:
            ConfigError: the total has another shape.
            AbortedError: a coordinate that no ``clients`` honest vectors can sum to.
        """
        self._check_shape(total.shape)
        integers = ring.lift(total, bits)
        for cut, grid in self._blocks():
            most = clients * grid.reach + noise_reach
            if max(int(integers[cut].max()), -int(integers[cut].min())) > most:
                raise AbortedError(f"the sum leaves ±{most} steps: a client sent a false vector")

    def _blocks(self) -> Iterator[tuple[slice, Grid]]:
        start = 0
        for count, grid in self.parts:
            yield slice(start, start + count), grid
            start += count

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        if shape != (self.length,):
            raise ConfigError(f"shape {shape} found, this quantiser needs ({self.length},)")


def round_at_random(numbers: Vector, drawn: ring.Words, *, out: Integers) -> None:
    """Round each number up with a probability equal to its fraction, to 2**-32, or down.

    Whole numbers stay. A number goes up if what was drawn for it is below its fraction: then the
    complement of what was drawn carries into the whole steps.

    Args:
        numbers: ``(n,)`` in grid steps, at most 2**31 - 1 in absolute value; spoilt.
        drawn: ``(n,)`` uniform 32-bit ring words; spoilt.
        out: ``(n,)`` where the integers go.
    """
    numbers *= 2.0**32
    out[:] = np.ceil(numbers, out=numbers)
    out += np.invert(drawn, out=drawn)
    out >>= 32


def round_large_at_random(numbers: Vector, drawn: ring.Words, *, out: Integers) -> None:
    """Do the same for numbers below 2**62 in absolute value."""
    whole = np.floor(numbers)
    round_at_random(numbers - whole, drawn, out=out)
    out += whole.astype(np.int64)


def _round(block: Vector, grid: Grid, entropy: Entropy, *, out: Integers) -> None:
    most = grid.rounded_norm(len(block))
    if grid.norm is not None:
        block = _shrunk(np.clip(block, -grid.bound, grid.bound), grid.norm)
    by_chance = round_at_random if grid.reach < 2**31 else round_large_at_random
    while True:
        for start in range(0, len(block), PIECE):
            piece = slice(start, start + PIECE)
            numbers = np.clip(block[piece], -grid.bound, grid.bound)
            numbers /= grid.step
            by_chance(numbers, _uniform(len(numbers), entropy), out=out[piece])
        if most is None or sqrt(np.square(out, dtype=np.float64).sum()) <= most:
            return


def _uniform(count: int, entropy: Entropy) -> ring.Words:
    drawn = ring.zeros(count, 32)
    masks.apply(drawn, add=[entropy.draw(masks.KEY_BYTES)])
    return drawn


def _shrunk(block: Vector, norm: float) -> Vector:
    found = float(np.linalg.norm(block))
    return block * (norm / found) if found > norm else block
