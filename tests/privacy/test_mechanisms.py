"""The noise: against the exact law, with fixed entropy so that no test can fail by chance."""

import math
from bisect import bisect_right
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, chisquare

from secure_clove.errors import ConfigError
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.privacy import mechanisms
from secure_clove.privacy.mechanisms import (
    FEW,
    LEAST_SHARE,
    WIDEST,
    discrete_gaussian,
    distance_of_sum,
    exact_discrete_gaussian,
    share_of_noise,
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


Spoil = Callable[[Draws], Draws]


def law(sigma: float) -> tuple[Draws, NDArray[np.float64]]:
    """Return the integers within nine standard deviations and their probabilities."""
    x = np.arange(-math.ceil(9 * sigma) - 1, math.ceil(9 * sigma) + 2)
    weights = np.exp(-(x**2) / (2 * sigma**2))
    return x, weights / weights.sum()


def surprise(draws: Draws, sigma: float) -> float:
    """Return the p-value of ``draws`` under the discrete Gaussian, in some 40 bins."""
    x, chances = law(sigma)
    width = max(1, round(sigma / 5))
    edges = np.arange(-math.ceil(4 * sigma), math.ceil(4 * sigma) + width, width)
    expected = np.bincount(np.searchsorted(edges, x), chances, len(edges) + 1)
    found = np.bincount(np.searchsorted(edges, draws), minlength=len(edges) + 1)
    likely = expected * len(draws) > 5
    rest = [found[~likely].sum()], [expected[~likely].sum()]
    observed, wanted = np.r_[found[likely], rest[0]], np.r_[expected[likely], rest[1]]
    keep = wanted > 0
    return float(chisquare(observed[keep], wanted[keep] * len(draws)).pvalue)


def distance(draws: Draws, sigma: float) -> float:
    """Return the total variation between draws and law, over the most that chance explains.

    Chance explains sum of sqrt(p / n) / 2 in the mean, and 1e-3 of all samples lie further above it
    than sqrt(ln(1000) / 2n) (McDiarmid).
    """
    x, chances = law(sigma)
    found = np.bincount(draws - x[0], minlength=len(x)) / len(draws)
    mean = np.sqrt(chances / len(draws)).sum() / 2
    return float(
        abs(found - chances).sum() / 2 / (mean + math.sqrt(math.log(1000) / 2 / len(draws)))
    )


@cache
def exact(sigma: float, seed: int) -> Draws:
    return exact_discrete_gaussian(Fraction(sigma) ** 2, 12_000, SimulatedEntropy(seed, "exact"))


@cache
def table(sigma: float, seed: int) -> Draws:
    return table_discrete_gaussian(sigma, 200_000, SimulatedEntropy(seed, "table"))


def shifted(draws: Draws) -> Draws:
    return draws + 1


def with_two_zeros(draws: Draws) -> Draws:
    """As if plus and minus zero both counted."""
    return np.concatenate([draws, draws[draws == 0]])


def without_a_tail(draws: Draws) -> Draws:
    kept: Draws = draws[draws < 1.5 * draws.std()]
    return kept


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.5, 17.3, 300.0])
def test_exact_draws_follow_the_law(sigma: float) -> None:
    draws = exact_discrete_gaussian(Fraction(sigma) ** 2, 3000, SimulatedEntropy(1, "exact"))
    assert surprise(draws, sigma) > 1e-3
    assert distance(draws, sigma) < 1


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.5, 17.3, 300.0, 1024.0, 1500.0, 40000.0])
def test_table_draws_follow_the_law(sigma: float) -> None:
    draws = table(sigma, 2)
    assert surprise(draws, sigma) > 1e-3
    assert distance(draws, sigma) < 1


@pytest.mark.parametrize("sampler", [exact, table])
@pytest.mark.parametrize("wrong", [0.95, 1.05])
def test_a_sigma_wrong_by_a_twentieth_would_be_noticed(
    wrong: float, sampler: Callable[[float, int], Draws]
) -> None:
    assert surprise(sampler(2.5, 3), 2.5) > 1e-3
    assert surprise(sampler(2.5 * wrong, 3), 2.5) < 1e-6


@pytest.mark.parametrize("sampler", [exact, table])
@pytest.mark.parametrize("spoil", [shifted, np.abs, with_two_zeros, without_a_tail])
def test_a_wrong_law_would_be_noticed(spoil: Spoil, sampler: Callable[[float, int], Draws]) -> None:
    draws = spoil(sampler(2.5, 3))
    assert surprise(draws, 2.5) < 1e-6
    assert distance(draws, 2.5) > 1


@pytest.mark.parametrize("sigma", [2.5, 60.0])
def test_draws_have_the_law_of_opendps(sigma: float) -> None:
    """Their seed cannot be set, hence the level: one run in a billion fails by chance."""
    opendp = pytest.importorskip("opendp.prelude", reason="opendp is a dev extra")
    opendp.enable_features("contrib")
    space = opendp.vector_domain(opendp.atom_domain(T="i64")), opendp.l2_distance(T=float)
    theirs = np.array(opendp.m.make_gaussian(*space, sigma)([0] * 12_000))

    def alike(ours: Draws) -> float:
        width = max(1, round(sigma / 3))
        both = [np.clip(draws // width, -12, 12) + 12 for draws in (ours, theirs)]
        counts = np.stack([np.bincount(draws, minlength=25) for draws in both])
        return float(chi2_contingency(counts[:, counts.sum(axis=0) > 20]).pvalue)

    assert alike(table(sigma, 6)) > 1e-9
    assert alike(exact(sigma, 6)) > 1e-9
    assert alike(table(1.2 * sigma, 6)) < 1e-9


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


def entries(sigma: float) -> list[int]:
    """Return the cumulative law of a table in steps of 2^-128."""
    high, low, _ = mechanisms._table(Fraction(sigma) ** 2)
    return [(int(h) << 64) + int(n) for h, n in zip(high, low, strict=True)]


@pytest.mark.parametrize("sigma", [0.3, 1.0, 3.0, 50.1, 200.0])
def test_a_table_is_no_further_from_the_law_than_the_bound_says(sigma: float) -> None:
    cumulative = [0, *entries(sigma), 1 << 128]
    reach = (len(cumulative) - 2) // 2
    with localcontext(prec=80):
        scale = -2 * Decimal(sigma) ** 2
        weights = [(Decimal(x * x) / scale).exp() for x in range(-2 * reach, 2 * reach + 1)]
        total = sum(weights)
        ideal = [weight / total for weight in weights[reach : 3 * reach + 1]]
        found = [Decimal(b - a) / (1 << 128) for a, b in pairwise(cumulative)]
        missed = sum(abs(p - q) for p, q in zip(ideal, found, strict=True)) + 1 - sum(ideal)

        assert 0 < missed / 2 <= Decimal(total_variation(sigma, 1))


@pytest.mark.parametrize("sigma", [0.1, 0.3, 2.0, 40.0, 1024.0])
def test_bits_at_and_beside_every_entry_are_looked_up_as_by_bisection(sigma: float) -> None:
    cumulative = entries(sigma)
    beside = {
        ((e >> 64) + n) % 2**64
        for e in cumulative[:: max(1, len(cumulative) // 3000)]
        for n in (-1, 0, 1)
    }
    starts = {b << 48 for b in (0, 1, 2**15 - 1, 2**15, 2**16 - 1)}
    bits = sorted(beside | starts | {start + 2**48 - 1 for start in starts})

    class Given(Scripted):
        def draw(self, count: int) -> bytes:
            return b"".join(self.blocks) if count > 8 else bytes(8)

    draws = table_discrete_gaussian(sigma, len(bits), Given(*bits))

    reach = len(cumulative) // 2
    assert draws.tolist() == [bisect_right(cumulative, b << 64) - reach for b in bits]


@pytest.mark.parametrize("sigma", [1.0, 1000.0, 1e6, WIDEST])
def test_a_billion_table_draws_stay_within_a_negligible_distance(sigma: float) -> None:
    assert 0 < total_variation(sigma, 10**9) < 1e-23


# ---- distributed noise


def honest(count: int) -> int:
    """T - t_c of a secure sum among ``count`` clients."""
    return 2 * count // 3 + 1 - (math.ceil(count / 3) - 1)


@given(st.floats(100, 1e9), st.integers(1, 2000))
def test_the_shares_of_the_honest_add_up_to_the_noise_and_hardly_more(
    sigma: float, count: int
) -> None:
    share = Fraction(share_of_noise(sigma, honest=count))
    assert (
        Fraction(sigma) ** 2 <= count * share**2 < Fraction(sigma) ** 2 * (1 + Fraction(1, 2**48))
    )


@pytest.mark.parametrize(("count", "fewest"), [(3, 3), (5, 3), (10, 4), (25, 9), (101, 35)])
def test_a_releasable_sum_has_the_noise_even_if_all_colluders_subtract_theirs(
    count: int, fewest: int
) -> None:
    share = share_of_noise(40.0, honest=honest(count))
    shares = [discrete_gaussian(share, 20_000, SimulatedEntropy(i)) for i in range(fewest)]

    assert honest(count) == fewest
    assert surprise(np.sum(shares, axis=0), 40.0) > 1e-3


def test_a_share_of_less_than_two_steps_is_refused_with_the_numbers() -> None:
    assert share_of_noise(2 * LEAST_SHARE, honest=4) == pytest.approx(LEAST_SHARE)
    with pytest.raises(ConfigError, match=r"19 grid steps shared by 100 .* 1\.9.* 2 to"):
        share_of_noise(19.0, honest=100)


@pytest.mark.parametrize(
    ("sigma", "count"), [(10.0, 0), (0.0, 1), (-10.0, 1), (math.nan, 1), (math.inf, 1)]
)
def test_a_noise_that_nobody_can_share_is_refused(sigma: float, count: int) -> None:
    with pytest.raises(ConfigError):
        share_of_noise(sigma, honest=count)


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("sigma", ["0.5", "0.6", "0.8"])
def test_a_sum_of_draws_is_as_close_to_one_draw_as_the_bound_says(sigma: str, count: int) -> None:
    """By exact convolution, where the bound is large enough to see."""
    with localcontext(prec=60):
        one = gaussian(Decimal(sigma) ** 2, 25)
        added = one
        for _ in range(count - 1):
            added = convolved(added, one)
        ideal = gaussian(count * Decimal(sigma) ** 2, 25)
        apart = max(abs((added[x] / ideal[x]).ln()) for x in range(-6, 7))

    assert 0 < apart <= Decimal(distance_of_sum(float(sigma), count))


@pytest.mark.parametrize("count", [2, 10, 1000, 100_000])
def test_from_the_least_share_on_a_sum_is_one_draw_to_1e_16(count: int) -> None:
    assert 0 < distance_of_sum(LEAST_SHARE, count) < 1e-16


def test_one_draw_is_its_own_sum() -> None:
    assert distance_of_sum(1.0, 1) == 0


@pytest.mark.parametrize(("sigma", "count"), [(0.49, 2), (math.nan, 2), (1.0, 0)])
def test_a_sum_that_the_theorem_does_not_cover_is_refused(sigma: float, count: int) -> None:
    with pytest.raises(ConfigError):
        distance_of_sum(sigma, count)


def gaussian(variance: Decimal, reach: int) -> dict[int, Decimal]:
    weights = {x: (-x * x / (2 * variance)).exp() for x in range(-reach, reach + 1)}
    total = sum(weights.values())
    return {x: weight / total for x, weight in weights.items()}


def convolved(a: dict[int, Decimal], b: dict[int, Decimal]) -> dict[int, Decimal]:
    return {x: sum((a[y] * b.get(x - y, Decimal(0)) for y in a), Decimal(0)) for x in a}
