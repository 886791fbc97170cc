"""Whole-number noise held against the exact discrete Gaussian, by two tests of the same bins.

Both together accuse correct noise less than once in a million times: each has half of that. With
`ENOUGH` draws they notice a standard deviation that is wrong by a twentieth.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chisquare

Draws = NDArray[np.int64]

FALSE_ALARM = 1e-6
ENOUGH = 40_000

EDGES = np.arange(-5, 6) / 2
"""Between bins, in standard deviations. Two laws of slightly different width cross at plus and
minus one: the total variation is measured with every second edge, from -2 to 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How well draws agree with a law.

    Attributes:
        p_value: Of the chi-square test.
        variation: Total variation between draws and law.
        most: What chance explains of it, but for half of `FALSE_ALARM`.
    """

    p_value: float
    variation: float
    most: float

    @property
    def is_good(self) -> bool:
        return self.p_value > FALSE_ALARM / 2 and self.variation < self.most


def fit(draws: Draws, sigma: float) -> Fit:
    """Return how well ``draws`` agree with the discrete Gaussian of ``sigma``.

    Source: of the bound of the total variation, 2^bins exp(-2 n t^2), the union over all sets of
    bins and Hoeffding's inequality.
    """
    found, wanted = _binned(draws, sigma), _chances(sigma)
    few_found, few_wanted = _fewer(found), _fewer(wanted)
    variation = np.abs(few_found / len(draws) - few_wanted).sum() / 2
    allowed = len(few_found) * math.log(2) + math.log(2 / FALSE_ALARM)
    return Fit(
        p_value=float(chisquare(found, wanted * len(draws)).pvalue),
        variation=float(variation),
        most=math.sqrt(allowed / (2 * len(draws))),
    )


def _binned(draws: Draws, sigma: float) -> NDArray[np.float64]:
    places = np.searchsorted(np.ceil(EDGES * sigma), draws, side="right")
    return np.bincount(places, minlength=len(EDGES) + 1).astype(np.float64)


@cache
def _chances(sigma: float) -> NDArray[np.float64]:
    """Return the chance of each bin."""
    reach = math.ceil(9 * sigma) + 1
    x = np.arange(-reach, reach + 1)
    weights = np.exp(-((x / sigma) ** 2) / 2)
    places = np.searchsorted(np.ceil(EDGES * sigma), x, side="right")
    chances: NDArray[np.float64] = np.bincount(places, weights) / weights.sum()
    return chances


def _fewer(bins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return pairs of bins as one: six, which meet at plus and minus one standard deviation."""
    joined: NDArray[np.float64] = bins.reshape(-1, 2).sum(axis=1)
    return joined
