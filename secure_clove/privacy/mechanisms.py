"""Discrete Gaussian noise from an `Entropy`, and nothing else.

Two samplers of the law P(x) proportional to exp(-x^2 / (2 s^2)) on the integers: an exact one in
integer arithmetic for few draws, and inversion of a table for many, whose distance from the law is
bounded by `total_variation`. No floating-point noise: it has been broken repeatedly (Mironov 2012,
Jin et al. 2022). The time a draw takes depends on its value: draw before a deadline, not in reply.
"""

import math
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from secure_clove.errors import ConfigError
from secure_clove.foundation.seeds import Entropy

FEW = 64
"""Draws up to which the exact sampler is used."""

WIDEST = 2.0**40
"""Largest standard deviation, in grid steps: 20 of them fit a 64-bit integer with room to spare."""

TAIL = 13.5
"""Standard deviations that a table covers; the mass beyond is below 2^-134."""

WIDEST_TABLE = 1024
"""Largest standard deviation of one table; wider laws are sums of two narrower ones."""

BITS = 192
"""Fixed-point precision in which a table is computed."""

Integers = NDArray[np.int64]


class _UniformIntegers:
    """Uniform integers from one block of entropy after another, by rejection: exactly uniform."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._block, self._used = b"", 0

    def below(self, bound: int) -> int:
        """Return a uniform integer of [0, bound)."""
        bits = (bound - 1).bit_length()
        size = (bits + 7) // 8
        while True:
            value = int.from_bytes(self._take(size), "little") >> (8 * size - bits)
            if value < bound:
                return value

    def _take(self, size: int) -> bytes:
        if self._used + size > len(self._block):
            self._block, self._used = self._entropy.draw(max(4096, size)), 0
        self._used += size
        return self._block[self._used - size : self._used]


def discrete_gaussian(sigma: float, count: int, entropy: Entropy) -> Integers:
    """Return ``count`` independent draws.

    Args:
        sigma: Standard deviation in grid steps (the law's parameter); 0 gives zeros.
        count: How many, at least 0.
        entropy: Where the bytes come from.

    Raises:
        ConfigError: ``sigma`` is negative, not finite or above `WIDEST`, or ``count`` is negative.
    """
    if not 0 <= sigma <= WIDEST:
        raise ConfigError(f"sigma must lie between 0 and {WIDEST:.3g} grid steps, found {sigma}")
    if count < 0:
        raise ConfigError(f"count must be at least 0, found {count}")
    if sigma == 0:
        return np.zeros(count, dtype=np.int64)
    if count <= FEW:
        return exact_discrete_gaussian(Fraction(sigma) ** 2, count, entropy)
    return table_discrete_gaussian(sigma, count, entropy)


def exact_discrete_gaussian(variance: Fraction, count: int, entropy: Entropy) -> Integers:
    """Return ``count`` draws of exactly the discrete Gaussian of parameter ``variance`` > 0.

    Source: Canonne, Kamath and Steinke 2020, algorithm 3.
    """
    if variance <= 0:
        raise ConfigError(f"variance must be positive, found {variance}")
    uniform = _UniformIntegers(entropy)
    return np.array([_exact(variance, uniform) for _ in range(count)], dtype=np.int64)


def table_discrete_gaussian(sigma: float, count: int, entropy: Entropy) -> Integers:
    """Return ``count`` draws by inversion; see `total_variation` for their distance from the law.

    Args:
        sigma: Standard deviation in grid steps, positive.
        count: How many.
        entropy: Where the bytes come from: 8 a draw, 16 above a standard deviation of 1024.
    """
    if not 0 < sigma <= WIDEST:
        raise ConfigError(f"sigma must lie in (0, {WIDEST:.3g}] grid steps, found {sigma}")
    total = np.zeros(count, dtype=np.int64)
    for factor, variance in _summands(Fraction(sigma) ** 2):
        total += factor * _inverted(variance, count, entropy)
    return total


def total_variation(sigma: float, count: int) -> float:
    """Return a bound of the distance between ``count`` table draws and the law.

    A table of n entries is compared with 128 bits of entropy, hence errs by at most n 2^-128, and
    cuts tails of less than 2^-134; computing it in `BITS` bits adds less than n 2^-128 again, and
    each split of a wide law less than 2^-250.
    """
    parts = _summands(Fraction(sigma) ** 2)
    tables = sum(2 * (2 * _reach(variance) + 1) * 2.0**-128 + 2.0**-134 for _, variance in parts)
    return count * (tables + (len(parts) - 1) * 2.0**-250)


def _exact(variance: Fraction, uniform: _UniformIntegers) -> int:
    """Rejection from a discrete Laplace of scale t, the standard deviation rounded up."""
    scale = math.isqrt(int(variance)) + 1
    while True:
        value = _laplace(scale, uniform)
        excess = (abs(value) - variance / scale) ** 2 / (2 * variance)
        if _happens(excess, uniform):
            return value


def _laplace(scale: int, uniform: _UniformIntegers) -> int:
    """P(x) proportional to exp(-|x| / scale). Source: the same, algorithm 2."""
    while True:
        low = uniform.below(scale)
        if not _happens_below_one(low, scale, uniform):
            continue
        high = 0
        while _happens_below_one(1, 1, uniform):
            high += 1
        value, is_negative = low + scale * high, uniform.below(2)
        if value or not is_negative:  # zero has one sign
            return -value if is_negative else value


def _happens(exponent: Fraction, uniform: _UniformIntegers) -> bool:
    """True with probability exp(-exponent). Source: the same, algorithm 1."""
    whole, rest = divmod(exponent, 1)
    if not all(_happens_below_one(1, 1, uniform) for _ in range(whole)):
        return False
    return _happens_below_one(rest.numerator, rest.denominator, uniform)


def _happens_below_one(numerator: int, denominator: int, uniform: _UniformIntegers) -> bool:
    """True with probability exp(-numerator / denominator), for a ratio of at most 1."""
    trials = 1
    while uniform.below(denominator * trials) < numerator:
        trials += 1
    return trials % 2 == 1


def _reach(variance: Fraction) -> int:
    return math.ceil(TAIL * math.sqrt(variance)) + 1


def _summands(variance: Fraction) -> list[tuple[int, Fraction]]:
    """Return (factor, variance) of narrow laws whose scaled sum has the law of ``variance``.

    X + kY with X of standard deviation 4k has the law of the sum's variance but for a relative
    error of 2 exp(-2 pi^2 t^2) with t = 4 sd(kY) / sd(X + kY) > 3, below 2^-250.

    Source: Micciancio and Walter 2017 (convolution); the error by Poisson summation.
    """
    parts, factor = [], 1
    while variance > WIDEST_TABLE**2:
        step = min(math.isqrt(math.isqrt(int(variance)) // 4), WIDEST_TABLE // 4)
        parts.append((factor, Fraction((4 * step) ** 2)))
        variance = (variance - (4 * step) ** 2) / step**2
        factor *= step
    return [*parts, (factor, variance)]


def _inverted(variance: Fraction, count: int, entropy: Entropy) -> Integers:
    """Find 128 uniform bits in the table; the lower 64 are drawn only where they matter."""
    high, low = _table(variance)
    drawn = np.frombuffer(entropy.draw(8 * count), dtype="<u8")
    first = np.searchsorted(high, drawn, side="left")
    index = np.searchsorted(high, drawn, side="right")
    for tied in np.flatnonzero(first != index):
        more = np.frombuffer(entropy.draw(8), dtype="<u8")[0]
        run = low[first[tied] : index[tied]]
        index[tied] = first[tied] + np.searchsorted(run, more, side="right")
    return index.astype(np.int64) - _reach(variance)


@lru_cache(maxsize=64)
def _table(variance: Fraction) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the cumulative law as 128-bit numbers in two halves, without its last entry, 1.

    The law is the running product of a running ratio, both rounded down in `BITS` bits.
    """
    one = 1 << BITS
    ratio, square = _exp_minus(1 / (2 * variance)), _exp_minus(1 / variance)
    weights = [one]
    for _ in range(_reach(variance)):
        weights.append(weights[-1] * ratio >> BITS)
        ratio = ratio * square >> BITS
    law = weights[:0:-1] + weights
    total, running = sum(law), 0
    halves = []
    for weight in law[:-1]:
        running += weight
        halves.append(divmod(min((running << 128) // total, (1 << 128) - 1), 1 << 64))
    columns = np.array(halves, dtype=np.uint64).reshape(-1, 2).T
    return np.ascontiguousarray(columns[0]), np.ascontiguousarray(columns[1])


def _exp_minus(exponent: Fraction) -> int:
    """Return exp(-exponent) in steps of 2^-BITS, rounded."""
    with localcontext(Context(prec=BITS // 2)):
        value = (-Decimal(exponent.numerator) / Decimal(exponent.denominator)).exp()
        return int(value * (1 << BITS))
