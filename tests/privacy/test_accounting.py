"""ε: known answers, second opinions, and the laws every accountant obeys."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opacus.accountants import PRVAccountant

from secure_clove.errors import ConfigError
from secure_clove.privacy.accounting import epsilon, epsilon_rdp, slack, totals
from secure_clove.privacy.events import Release

DP_SGD = Release(name="update", multiplier=2.5, rate=64 / 500, steps=800)
EMBEDDING = Release(name="embedding", multiplier=15)
METRICS = Release(name="metrics", multiplier=4)
MULTIPLIERS = st.lists(st.floats(0.3, 1000), min_size=1, max_size=6)


def gaussians(*multipliers: float) -> list[Release]:
    return [Release(name="embedding", multiplier=m) for m in multipliers]


@pytest.mark.parametrize(("embeddings", "expected"), [(0, 6.333), (3, 6.354), (10, 6.405)])
def test_a_client_of_the_design_document_spends_its_known_epsilon(
    embeddings: int, expected: float
) -> None:
    spent = epsilon([DP_SGD, *embeddings * [EMBEDDING]], 1e-4)
    assert spent == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("multiplier", "expected"),
    [(30.75, 0.1), (13.29, 0.25), (7.03, 0.5), (3.731, 1), (1.994, 2), (1.081, 4), (0.600, 8)],
)
def test_a_single_gaussian_has_its_known_epsilon(multiplier: float, expected: float) -> None:
    assert epsilon(gaussians(multiplier), 1e-5) == pytest.approx(expected, rel=1e-3)


def test_opacus_prv_accountant_agrees_on_sampled_releases() -> None:
    accountant = PRVAccountant()
    accountant.history = [(2.5, 64 / 500, 800)]
    assert epsilon([DP_SGD], 1e-4) == pytest.approx(accountant.get_epsilon(1e-4), abs=0.02)


@pytest.mark.parametrize(
    "releases",
    [
        [DP_SGD],
        [DP_SGD, EMBEDDING],
        gaussians(1),
        [Release(name="update", multiplier=1, rate=0.01, steps=100)],
        [Release(name="update", multiplier=0.1, rate=0.5, steps=100)],
    ],
)
def test_renyi_accounting_is_never_below(releases: list[Release]) -> None:
    assert epsilon(releases, 1e-5) <= epsilon_rdp(releases, 1e-5) + 1e-6


@settings(deadline=None)
@given(MULTIPLIERS)
def test_gaussians_compose_into_one(multipliers: list[float]) -> None:
    one = 1 / math.sqrt(sum(m**-2 for m in multipliers))
    together, single = (epsilon(gaussians(*m), 1e-5) for m in (multipliers, [one]))
    assert together == pytest.approx(single, rel=1e-9)


@settings(deadline=None)
@given(MULTIPLIERS, st.floats(0.3, 1000))
def test_a_further_release_never_costs_less(multipliers: list[float], more: float) -> None:
    before, after = (epsilon(gaussians(*m), 1e-5) for m in (multipliers, [*multipliers, more]))
    assert after >= before


def test_the_order_of_releases_does_not_matter() -> None:
    orders = permutations([DP_SGD, EMBEDDING, METRICS])
    assert len({epsilon(releases, 1e-5) for releases in orders}) == 1


def test_steps_are_repetitions() -> None:
    half = Release(name="update", multiplier=2.5, rate=64 / 500, steps=400)
    assert epsilon([half, half], 1e-4) == epsilon([DP_SGD], 1e-4)


def test_sampling_every_example_is_no_sampling() -> None:
    sampled = Release(name="update", multiplier=7, rate=1, steps=4)
    assert epsilon([sampled], 1e-5) == epsilon(4 * gaussians(7), 1e-5)


def test_sampling_costs_less_than_using_every_example() -> None:
    sampled = Release(name="update", multiplier=2, rate=0.1)
    assert epsilon([sampled], 1e-5) < epsilon(gaussians(2), 1e-5)


def test_nothing_released_costs_nothing() -> None:
    assert epsilon([], 1e-5) == epsilon_rdp([], 1e-5) == 0


def test_one_release_without_noise_costs_everything() -> None:
    releases = [EMBEDDING, Release(name="update", multiplier=0)]
    assert epsilon(releases, 1e-5) == epsilon_rdp(releases, 1e-5) == math.inf


def test_hopelessly_little_noise_gets_the_renyi_bound() -> None:
    releases = [Release(name="update", multiplier=0.01, rate=0.5, steps=1000)]
    assert epsilon(releases, 1e-5) == epsilon_rdp(releases, 1e-5) > 1e6


def test_a_delta_below_double_precision_still_has_an_epsilon() -> None:
    assert 6.4 < epsilon([DP_SGD], 1e-30) < math.inf


@pytest.mark.parametrize("delta", [0, 1, -1e-5, math.nan])
def test_a_delta_outside_its_range_is_refused(delta: float) -> None:
    for accountant in (epsilon, epsilon_rdp, totals):
        with pytest.raises(ConfigError, match="delta"):
            accountant([EMBEDDING], delta)


def test_slack_for_the_sampler_costs_epsilon() -> None:
    kept = slack(6.5, 1e-9)
    assert epsilon([DP_SGD], 1e-5, slack=kept) == epsilon([DP_SGD], 1e-5 - kept)


@pytest.mark.parametrize("kept", [1e-5, 1, -1e-9, math.nan])
def test_slack_that_leaves_no_delta_is_refused(kept: float) -> None:
    with pytest.raises(ConfigError, match="slack"):
        epsilon([EMBEDDING], 1e-5, slack=kept)


@pytest.mark.parametrize(("multiplier", "sigma"), [(1, 50), (4, 200), (10, 500)])
def test_a_discrete_gaussian_costs_at_most_half_a_grid_step_more(
    multiplier: int, sigma: int
) -> None:
    delta, shift = 1e-5, sigma // multiplier
    x = np.arange(-12 * sigma, 12 * sigma + shift)
    law, moved = (np.exp(-((x - m) ** 2) / (2 * sigma**2)) for m in (0, shift))
    promised = epsilon(gaussians(multiplier), delta) + 1 / (2 * multiplier * sigma)
    excess = np.maximum(law - math.exp(promised) * moved, 0).sum() / law.sum()
    assert excess <= delta * (1 + 1e-9)


def test_totals_name_the_cost_of_each_kind() -> None:
    found = totals([DP_SGD, EMBEDDING, METRICS], 1e-4)
    assert found.embedding == epsilon([EMBEDDING], 1e-4)
    assert found.update == epsilon([DP_SGD], 1e-4)
    assert found.metrics == epsilon([METRICS], 1e-4)


def test_embeddings_and_updates_touch_the_same_examples() -> None:
    found = totals([DP_SGD, EMBEDDING, METRICS], 1e-4)
    assert found.total == epsilon([DP_SGD, EMBEDDING], 1e-4) > found.update


def test_metrics_touch_other_examples_and_compose_in_parallel() -> None:
    found = totals([EMBEDDING, Release(name="metrics", multiplier=0.5)], 1e-4)
    assert found.total == found.metrics > found.embedding


def test_totals_read_their_releases_once() -> None:
    assert totals(iter([EMBEDDING, METRICS]), 1e-4) == totals([EMBEDDING, METRICS], 1e-4)
