"""Known answers of the audit's statistics."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from secure_clove.errors import ConfigError
from secure_clove.foundation.seeds import stream
from secure_clove.privacy.accounting import epsilon
from secure_clove.privacy.events import Release
from threat_models import statistics as stats
from threat_models.statistics import Scores

LEVEL = 0.999
scores = st.lists(st.integers(-3, 3), min_size=1, max_size=12).map(
    lambda found: np.array(found, dtype=np.float64)
)


def shifted(mu: float, count: int, seed: int = 0) -> tuple[Scores, Scores]:
    rng = stream(seed, "shifted")
    return rng.normal(mu, 1, count), rng.normal(0, 1, count)


@given(scores, scores)
def test_the_auc_counts_the_pairs_that_the_attacker_orders_rightly(a: Scores, b: Scores) -> None:
    pairs = (a[:, None] > b[None, :]).mean() + (a[:, None] == b[None, :]).mean() / 2
    assert stats.auc(a, b) == pytest.approx(pairs)


@given(scores, scores)
def test_swapping_the_worlds_mirrors_the_auc(a: Scores, b: Scores) -> None:
    assert stats.auc(a, b) + stats.auc(b, a) == pytest.approx(1)


@given(scores, scores)
def test_swapping_the_worlds_mirrors_the_interval(a: Scores, b: Scores) -> None:
    low, high = stats.auc_interval(a, b, 0.95)
    mirrored = stats.auc_interval(b, a, 0.95)
    assert mirrored == pytest.approx((1 - high, 1 - low))


@given(scores, scores)
def test_the_interval_holds_the_measured_auc(a: Scores, b: Scores) -> None:
    low, high = stats.auc_interval(a, b, 0.95)
    assert low - 1e-12 <= stats.auc(a, b) <= high + 1e-12


@pytest.mark.parametrize("mu", [0.0, 0.25, 1.0, 2.5])
def test_a_gaussian_shift_has_the_auc_of_theory(mu: float) -> None:
    low, high = stats.auc_interval(*shifted(mu, 20_000), LEVEL)
    assert low <= stats.auc_bound(mu) <= high


@pytest.mark.parametrize("mu", [0.25, 1.0, 2.5])
def test_a_gaussian_shift_has_the_true_positive_rate_of_theory(mu: float) -> None:
    inside, outside = shifted(mu, 40_000)
    hits = stats.hits_at(inside, outside, 0.01)
    assert hits / len(inside) == pytest.approx(stats.tpr_bound(mu, 0.01), rel=0.1)


def test_the_interval_of_the_auc_covers_the_truth_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(300):
        low, high = stats.auc_interval(*shifted(0.5, 200, seed), 0.9)
        covered += low <= stats.auc_bound(0.5) <= high
    assert binomtest(covered, 300, 0.9).pvalue > 0.001


def test_a_perfect_attacker_has_an_auc_of_one_and_no_certainty() -> None:
    inside, outside = np.arange(10.0) + 100, np.arange(10.0)
    low, high = stats.auc_interval(inside, outside, 0.95)
    assert stats.auc(inside, outside) == 1
    assert low == pytest.approx(0.025 ** (1 / 10))
    assert high == 1


def test_a_random_attacker_proves_nothing() -> None:
    inside, outside = shifted(0.0, 4000)
    assert stats.mu_lower_bound(inside, outside, LEVEL) == 0
    assert stats.epsilon_lower_bound(inside, outside, delta=1e-5, level=LEVEL) == 0


def test_permuted_worlds_prove_nothing() -> None:
    both = stream(0, "permutation").permutation(np.concatenate(shifted(3.0, 2000)))
    assert stats.mu_lower_bound(both[:2000], both[2000:], LEVEL) == 0


def test_constant_scores_prove_nothing() -> None:
    same = np.ones(1000)
    assert stats.auc(same, same) == 0.5
    assert stats.mu_lower_bound(same, same, LEVEL) == 0


@pytest.mark.parametrize("mu", [0.1, 0.27, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(5))
def test_correct_noise_is_never_accused(mu: float, seed: int) -> None:
    inside, outside = shifted(mu, 3000, seed)
    assert stats.mu_lower_bound(inside, outside, LEVEL) <= mu
    bound = stats.epsilon_lower_bound(inside, outside, delta=1e-5, level=LEVEL)
    assert bound <= stats.epsilon_of(mu, 1e-5)


def test_the_lower_bound_comes_close_with_many_trials() -> None:
    mu = stats.mu_of(1, 3.731)  # an epsilon of 1
    found = stats.mu_lower_bound(*shifted(mu, 50_000), LEVEL)
    assert 0.85 < stats.epsilon_of(found, 1e-5) <= 1.0


def test_the_bound_without_assumptions_is_below_the_gaussian_one() -> None:
    inside, outside = shifted(1.0, 4000)
    plain = stats.epsilon_lower_bound(inside, outside, delta=1e-5, level=LEVEL)
    gaussian = stats.epsilon_of(stats.mu_lower_bound(inside, outside, LEVEL), 1e-5)
    assert 0 < plain < gaussian


def test_a_threshold_finds_a_rare_but_certain_leak_that_the_auc_misses() -> None:
    inside, outside = shifted(0.0, 4000)
    inside[::25] = 50.0
    assert stats.epsilon_lower_bound(inside, outside, delta=1e-5, level=LEVEL) > 1


@pytest.mark.parametrize(
    ("multiplier", "expected"), [(30.75, 0.1), (13.29, 0.25), (3.731, 1.0), (1.081, 4.0), (0.6, 8)]
)
def test_epsilon_of_a_gaussian_is_that_of_the_published_table(
    multiplier: float, expected: float
) -> None:
    assert stats.epsilon_of(1 / multiplier, 1e-5) == pytest.approx(expected, rel=2e-3)


@given(st.floats(0.02, 8), st.sampled_from([1e-9, 1e-5, 1e-2]))
def test_epsilon_agrees_with_the_accountant(mu: float, delta: float) -> None:
    release = Release(name="embedding", multiplier=1 / mu)
    expected = epsilon([release], delta)
    assert stats.epsilon_of(mu, delta) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_no_shift_costs_nothing() -> None:
    assert stats.epsilon_of(0.0, 1e-5) == 0


@given(st.integers(1, 50), st.floats(0.5, 50))
def test_releases_compose_as_a_root(releases: int, multiplier: float) -> None:
    mu = stats.mu_of(releases, multiplier)
    assert mu**2 == pytest.approx(releases * stats.mu_of(1, multiplier) ** 2)


@given(st.floats(0.001, 0.999))
def test_perfect_privacy_allows_guessing_only(fpr: float) -> None:
    assert stats.auc_bound(0.0) == 0.5
    assert stats.tpr_bound(0.0, fpr) == pytest.approx(fpr)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_a_share_is_that_of_clopper_and_pearson(case: tuple[int, int]) -> None:
    hits, trials = case
    expected = binomtest(hits, trials).proportion_ci(0.95, method="exact")
    found = stats.share_interval(hits, trials, 0.95)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("fpr", [0.01, 0.1, 0.5])
def test_no_more_outside_scores_pass_than_allowed(fpr: float) -> None:
    _, outside = shifted(0.0, 1000)
    assert stats.hits_at(outside, outside, fpr) <= fpr * 1000


def test_the_bound_of_the_auc_is_the_area_under_the_bound_of_the_rates() -> None:
    grid = (np.arange(20_000) + 0.5) / 20_000
    area = norm.cdf(norm.ppf(grid) + 0.7).mean()
    assert stats.auc_bound(0.7) == pytest.approx(float(area), abs=1e-4)


@pytest.mark.parametrize(("releases", "multiplier"), [(0, 1.0), (1, 0.0), (1, -1.0), (1, math.nan)])
def test_a_claim_without_noise_or_releases_is_refused(releases: int, multiplier: float) -> None:
    with pytest.raises(ConfigError, match="positive noise multiplier"):
        stats.mu_of(releases, multiplier)


def test_scores_of_one_world_alone_are_refused() -> None:
    with pytest.raises(ConfigError, match="both worlds"):
        stats.auc(np.ones(3), np.ones(0))


def test_too_few_scores_to_halve_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least two"):
        stats.mu_lower_bound(np.ones(1), np.ones(1), LEVEL)


def test_the_interval_of_a_mean_is_students() -> None:
    low, high = stats.mean_interval(np.array([1.0, 2.0, 3.0]), 0.95)
    assert (low, high) == pytest.approx((2 - 4.30265 / 3**0.5, 2 + 4.30265 / 3**0.5), rel=1e-5)


def test_a_mean_of_one_value_has_no_interval() -> None:
    with pytest.raises(ConfigError, match="two values"):
        stats.mean_interval(np.array([1.0]), 0.95)
