"""The least noise that keeps a promise: from (ε, δ) to a noise multiplier."""

import math
from collections.abc import Iterable

from dp_accounting import get_sigma_gaussian
from scipy.optimize import brentq

from secure_clove.errors import ConfigError
from secure_clove.privacy.accounting import epsilon as epsilon_of
from secure_clove.privacy.events import Release

PRECISION = 1e-6
"""Relative width at which the search stops, and relative rest that counts as nothing."""

MOST = 2.0**30
"""A larger multiplier buries any signal: the rest of the budget counts as spent."""


def multiplier_for(epsilon: float, delta: float, releases: int = 1) -> float:
    """Return the noise multiplier of each of ``releases`` equal Gaussian releases.

    Args:
        epsilon: ε of all of them together, positive and finite.
        delta: δ in (0, 1).
        releases: How many, at least 1.

    Raises:
        ConfigError: an argument is out of its range.

    Source: Balle and Wang 2018, algorithm 1; k equal releases need sqrt(k) times the multiplier.
    """
    if not 0 < epsilon < math.inf:
        raise ConfigError(f"epsilon must be positive and finite, found {epsilon}")
    if not 0 < delta < 1:
        raise ConfigError(f"delta must lie between 0 and 1, found {delta}")
    if releases < 1:
        raise ConfigError(f"at least 1 release expected, found {releases}")
    return float(get_sigma_gaussian(epsilon, delta)) * math.sqrt(releases)


def remaining_multiplier(
    total_epsilon: float, delta: float, spent: Iterable[Release], releases: int
) -> float:
    """Return the multiplier of each of ``releases`` further releases on the same examples.

    Together with what was ``spent`` they cost at most ``total_epsilon``.

    Args:
        total_epsilon: ε of everything, positive and finite.
        delta: δ in (0, 1).
        spent: Releases made or planned already.
        releases: How many more, at least 1.

    Raises:
        ConfigError: an argument is out of its range, or nothing is left to spend.
    """
    past = tuple(spent)
    low = multiplier_for(total_epsilon, delta, releases)

    def excess(multiplier: float) -> float:
        further = Release(name="embedding", multiplier=multiplier, steps=releases)
        return epsilon_of([*past, further], delta) - total_epsilon

    if epsilon_of(past, delta) > total_epsilon * (1 - PRECISION):
        raise _exhausted(total_epsilon, delta)
    high = low
    while excess(high) > 0:
        low, high = high, 2 * high
        if high > MOST:
            raise _exhausted(total_epsilon, delta)
    found = float(brentq(excess, low, high, rtol=PRECISION)) if low < high else high
    while excess(found) > 0:  # the root may lie a hair on the wrong side
        found *= 1 + PRECISION
    return found


def _exhausted(total_epsilon: float, delta: float) -> ConfigError:
    return ConfigError(
        f"epsilon {total_epsilon:g} at delta {delta:g} leaves nothing for further releases; "
        "raise it, or spend less before"
    )
