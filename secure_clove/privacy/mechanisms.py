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

UNDECIDED = -1
"""Marks the first bits of a draw that more than one value begins with."""

BITS = 192
"""Fixed-point precision in which a table is computed."""

LEAST_SHARE = 2.0
"""Smallest standard deviation of one client's share of a noise, in grid steps: from here on, shares
add up to a discrete Gaussian but for 1e-16 (`distance_of_sum`)."""

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


def part_of_noise(honest: int) -> float:
    """Return each client's part of a standard deviation, of which ``honest`` add up to it.

    Raises:
        ConfigError: no honest client.
    """
    if honest < 1:
        raise ConfigError(f"a noise is shared by at least 1 honest client, found {honest}")
    return min(1.0, (1 + 2.0**-50) / math.sqrt(honest))  # never a rounding error too little


def share_of_noise(sigma: float, *, honest: int) -> float:
    """Return the standard deviation of the noise that each client adds so that sums hold ``sigma``.

    Args:
        sigma: Standard deviation that the honest noise in every sum needs, in grid steps.
        honest: Fewest honest clients in a sum that can be released: T - t_c of the secure sum,
            with T = floor(2n / 3) + 1 and t_c = ceil(n / 3) - 1 colluders among n clients.

    Raises:
        ConfigError: no honest client, or a share below `LEAST_SHARE`.

    Source: protocol.md, noise ``distributed``: variance sigma^2 / (T - t_c) each.
    """
    share = sigma * part_of_noise(honest)
    if not LEAST_SHARE <= share <= WIDEST:
        raise ConfigError(
            f"a noise of {sigma:g} grid steps shared by {honest} honest clients gives each "
            f"{share:.3g}, expected {LEAST_SHARE:g} to {WIDEST:.3g} steps: "
            "change the grid step in proportion"
        )
    return share


def distance_of_sum(sigma: float, count: int) -> float:
    """Return a bound on |ln P(x) / Q(x)| at every x, between a sum of shares and one law.

    P: ``count`` draws of standard deviation ``sigma`` added. Q: one draw of their variance. It is
    at most 1e-16 from `LEAST_SHARE` on, and 2 d times it bounds what it adds to an epsilon when d
    coordinates are released.

    Args:
        sigma: Standard deviation of each share in grid steps, at least 1/2.
        count: How many are added, at least 1.

    Raises:
        ConfigError: an argument is out of its range.

    Source: Kairouz, Liu and Steinke 2021, theorem 1 (tau).
    """
    if not sigma >= 0.5 or count < 1:
        raise ConfigError(f"expected sigma >= 0.5 and count >= 1, found {sigma} and {count}")
    return 10 * sum(math.exp(-2 * (math.pi * sigma) ** 2 * k / (k + 1)) for k in range(1, count))


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
    """Find 128 uniform bits in the table; the lower 64 are drawn only where they matter.

    The top 16 alone decide most draws; the others are searched.
    """
    high, low, decided = _table(variance)
    drawn = np.frombuffer(entropy.draw(8 * count), dtype="<u8")
    found: Integers = decided[drawn.view("<u2")[3::4]]
    open_ = np.flatnonzero(found == UNDECIDED)
    first = np.searchsorted(high, drawn[open_], side="left")
    index = np.searchsorted(high, drawn[open_], side="right")
    for tied in np.flatnonzero(first != index):
        more = np.frombuffer(entropy.draw(8), dtype="<u8")[0]
        run = low[first[tied] : index[tied]]
        index[tied] = first[tied] + np.searchsorted(run, more, side="right")
    found[open_] = index
    found -= _reach(variance)
    return found


@lru_cache(maxsize=64)
def _table(variance: Fraction) -> tuple[NDArray[np.uint64], NDArray[np.uint64], Integers]:
    """Return the cumulative law and where its first 16 bits lead.

    The law is the running product of a running ratio, both rounded down in `BITS` bits, as 128-bit
    numbers in two halves, without its last entry, 1. For all 2^16 beginnings of a draw: the entries
    at or below it, or `UNDECIDED` where an entry begins alike.
    """
    high, low = _cumulative(variance)
    begins = np.arange(1 << 16, dtype=np.uint64) << np.uint64(48)
    below = np.searchsorted(high, begins, side="left")
    beyond = np.append(below[1:], len(high))
    return high, low, np.where(below == beyond, below, UNDECIDED)


def _cumulative(variance: Fraction) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
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
