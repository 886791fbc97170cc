"""The noise: against the exact law, with fixed entropy so that no test can fail by chance."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chisquare

from secure_clove.errors import ConfigError
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.privacy.mechanisms import (
    FEW,
    WIDEST,
    discrete_gaussian,
    exact_discrete_gaussian,
    table_discrete_gaussian,
    total_variation,
)

Draws = NDArray[np.int64]


class Scripted:
    """Entropy that says what it is told to."""

    is_simulated = True

    def __init__(self, *blocks: int) -> None:
        self.blocks = [block.to_bytes(8, "little") for block in blocks]

    def draw(self, count: int) -> bytes:
        block = self.blocks.pop(0)
        assert len(block) == count
        return block

    def fork(self, *labels: str | int) -> "Scripted":
        raise AssertionError(labels)


def surprise(draws: Draws, sigma: float) -> float:
    """Return the p-value of ``draws`` under the discrete Gaussian, in some 40 bins."""
    x = np.arange(-math.ceil(9 * sigma), math.ceil(9 * sigma) + 1)
    law = np.exp(-(x**2) / (2 * sigma**2))
    width = max(1, round(sigma / 5))
    edges = np.arange(-math.ceil(4 * sigma), math.ceil(4 * sigma) + width, width)
    expected = np.bincount(np.searchsorted(edges, x), law, len(edges) + 1) / law.sum()
    found = np.bincount(np.searchsorted(edges, draws), minlength=len(edges) + 1)
    likely = expected * len(draws) > 5
    rest = [found[~likely].sum()], [expected[~likely].sum()]
    observed, wanted = np.r_[found[likely], rest[0]], np.r_[expected[likely], rest[1]]
    keep = wanted > 0
    return float(chisquare(observed[keep], wanted[keep] * len(draws)).pvalue)


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.5, 17.3, 300.0])
def test_exact_draws_follow_the_law(sigma: float) -> None:
    draws = exact_discrete_gaussian(Fraction(sigma) ** 2, 3000, SimulatedEntropy(1, "exact"))
    assert surprise(draws, sigma) > 1e-3


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.5, 17.3, 300.0, 1024.0, 1500.0, 40000.0])
def test_table_draws_follow_the_law(sigma: float) -> None:
    draws = table_discrete_gaussian(sigma, 200_000, SimulatedEntropy(2, "table"))
    assert surprise(draws, sigma) > 1e-3


def test_a_wrong_sigma_would_be_noticed() -> None:
    draws = table_discrete_gaussian(10.2, 200_000, SimulatedEntropy(3))
    assert surprise(draws, 10.0) < 1e-9


@pytest.mark.parametrize("step", [16, 19, 256])
def test_a_wide_law_made_of_two_narrow_ones_shows_no_seam(step: int) -> None:
    draws = table_discrete_gaussian(1500.0, 200_000, SimulatedEntropy(4))
    assert chisquare(np.bincount(draws % step)).pvalue > 1e-3


@pytest.mark.parametrize("sigma", [1e5, 1e9, WIDEST])
def test_very_wide_laws_have_their_standard_deviation(sigma: float) -> None:
    draws = table_discrete_gaussian(sigma, 100_000, SimulatedEntropy(5))
    assert draws.std() / sigma == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("sigma", [3.0, 1.5275252316519465, 50.1])
def test_the_table_agrees_with_the_law_to_a_hundred_bits(sigma: float) -> None:
    variance = Fraction(sigma) ** 2
    with localcontext(prec=80):
        scale = -2 * Decimal(variance.numerator) / Decimal(variance.denominator)
        law = {x: (Decimal(x * x) / scale).exp() for x in range(-800, 801)}
        threshold = int(sum(law[x] for x in law if x <= 1) / sum(law.values()) * 2**128)
    sides = []
    for nudge in (-(2**28), 2**28):
        entropy = Scripted(*divmod(threshold + nudge, 2**64))
        sides.append(int(table_discrete_gaussian(sigma, 1, entropy)[0]))
    assert sides == [1, 2]


def test_the_lowest_bits_reach_the_lowest_value() -> None:
    assert table_discrete_gaussian(10.0, 1, Scripted(0, 0))[0] <= -130


def test_the_highest_bits_reach_the_highest_value() -> None:
    top = 2**64 - 1
    assert table_discrete_gaussian(10.0, 1, Scripted(top, top))[0] >= 130


def test_the_lower_bits_decide_far_in_the_tail() -> None:
    assert -130 < table_discrete_gaussian(10.0, 1, Scripted(0, 2**64 - 1))[0] < -85


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 2**64 - 2), st.floats(0.1, 100))
def test_opposite_bits_give_opposite_draws(bits: int, sigma: float) -> None:
    here = table_discrete_gaussian(sigma, 1, Scripted(bits, 2**63))[0]
    there = table_discrete_gaussian(sigma, 1, Scripted(2**64 - 1 - bits, 2**63))[0]
    assert here == -there


@settings(deadline=None, max_examples=50)
@given(st.floats(1e-300, WIDEST))
def test_any_sigma_can_be_drawn_either_way(sigma: float) -> None:
    for count in (3, FEW + 1):
        draws = discrete_gaussian(sigma, count, SimulatedEntropy(6))
        assert draws.shape == (count,)
        assert np.abs(draws).max() <= 14 * sigma + 1


@pytest.mark.parametrize("count", [0, 1, FEW, FEW + 1, 1000])
def test_no_noise_is_zeros(count: int) -> None:
    np.testing.assert_array_equal(discrete_gaussian(0, count, SimulatedEntropy(7)), np.zeros(count))


def test_few_draws_are_exact() -> None:
    front = discrete_gaussian(3.5, FEW, SimulatedEntropy(8))
    exact = exact_discrete_gaussian(Fraction(49, 4), FEW, SimulatedEntropy(8))
    np.testing.assert_array_equal(front, exact)


def test_many_draws_come_from_the_table() -> None:
    front = discrete_gaussian(3.5, FEW + 1, SimulatedEntropy(9))
    table = table_discrete_gaussian(3.5, FEW + 1, SimulatedEntropy(9))
    np.testing.assert_array_equal(front, table)


@pytest.mark.parametrize("count", [10, 1000])
def test_the_same_entropy_gives_the_same_noise(count: int) -> None:
    one, two = (discrete_gaussian(5, count, SimulatedEntropy(10)) for _ in range(2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("count", [10, 1000])
def test_successive_draws_differ(count: int) -> None:
    entropy = SimulatedEntropy(11)
    one, two = (discrete_gaussian(500, count, entropy) for _ in range(2))
    assert (one != two).any()


@pytest.mark.parametrize("count", [10, 100])
@pytest.mark.parametrize("sigma", [-1.0, -1e-300, math.nan, math.inf, 2 * WIDEST])
def test_an_impossible_sigma_is_refused(sigma: float, count: int) -> None:
    with pytest.raises(ConfigError, match="sigma"):
        discrete_gaussian(sigma, count, SimulatedEntropy(0))


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ConfigError, match="count"):
        discrete_gaussian(1, -1, SimulatedEntropy(0))


def test_the_samplers_refuse_a_law_without_width() -> None:
    with pytest.raises(ConfigError, match="variance"):
        exact_discrete_gaussian(Fraction(0), 1, SimulatedEntropy(0))
    with pytest.raises(ConfigError, match="sigma"):
        table_discrete_gaussian(0.0, 1, SimulatedEntropy(0))


@pytest.mark.parametrize("sigma", [1.0, 1000.0, 1e6, WIDEST])
def test_a_billion_table_draws_stay_within_a_negligible_distance(sigma: float) -> None:
    assert 0 < total_variation(sigma, 10**9) < 1e-23
