"""ε: known answers, second opinions, and the laws every accountant obeys."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opacus.accountants import PRVAccountant

from secure_clove.errors import ConfigError, PrivacyError
from secure_clove.foundation.ids import FederationId
from secure_clove.privacy import accounting
from secure_clove.privacy.accounting import (
    LEAST_DELTA,
    MOST_STEPS,
    TOLERANCE,
    check_delta,
    confirmed,
    epsilon,
    epsilon_rdp,
    slack,
    totals,
)
from secure_clove.privacy.events import Release
from secure_clove.privacy.ledger import Ledger

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


def prv_bounds(history: list[tuple[float, float, int]], delta: float) -> tuple[float, float]:
    """Return between which ε Opacus has the answer: multiplier, rate and steps of each kind."""
    accountant, most = PRVAccountant(), {"eps_error": 0.01, "delta_error": delta / 1000}
    accountant.history = history
    lower, _, upper = accountant._get_dprv(**most).compute_epsilon(delta, **most)
    return lower, upper


@pytest.mark.filterwarnings("ignore:Optimal order is the largest:UserWarning")  # by Opacus, of
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning:opacus.*")  # its own arithmetic
@pytest.mark.parametrize(
    ("history", "delta"),
    [
        ([(2.5, 64 / 500, 800)], 1e-4),
        ([(1.0, 0.01, 100)], 1e-5),
        ([(0.6, 0.05, 50)], 1e-5),
        ([(0.9, 0.3, 12)], 1e-5),
        ([(4.0, 0.5, 200)], 1e-6),
        ([(10.0, 0.001, 20_000)], 1e-5),
        ([(2.0, 0.1, 100), (1.2, 0.02, 60)], 1e-5),
        ([(2.0, 0.1, 100), (15.0, 1.0, 3)], 1e-5),
    ],
)
def test_opacus_prv_accountant_agrees_within_its_error_bounds(
    history: list[tuple[float, float, int]], delta: float
) -> None:
    lower, upper = prv_bounds(history, delta)
    releases = [Release(name="update", multiplier=m, rate=q, steps=n) for m, q, n in history]
    assert lower <= epsilon(releases, delta) <= upper


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


@pytest.mark.parametrize(("found", "bound"), [(1, 2), (1, 1), (1 + TOLERANCE, 1), (0, 0)])
def test_a_distribution_below_the_renyi_bound_is_the_answer(found: float, bound: float) -> None:
    assert confirmed(found, bound) == found


def test_without_noise_the_accountants_agree_on_infinity() -> None:
    assert confirmed(math.inf, math.inf) == math.inf


@pytest.mark.parametrize(("found", "bound"), [(1.03, 1), (math.inf, 50), (math.nan, 1), (0.02, 0)])
def test_a_distribution_above_the_renyi_bound_is_an_error(found: float, bound: float) -> None:
    with pytest.raises(PrivacyError, match="contradict each other"):
        confirmed(found, bound)


def test_where_the_accountants_contradict_each_other_nothing_is_charged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accounting, "CELLS", 1 / 50)  # far too coarse, hence far too much
    ledger = Ledger(limit=math.inf, delta=1e-5)
    release = Release(name="update", multiplier=3.25, rate=0.11, steps=70)
    with pytest.raises(PrivacyError, match="contradict each other"):
        ledger.charge(release, federation=FederationId("w"), round=1, phase="train", attempt=1)


@pytest.mark.parametrize(
    "release",
    [
        DP_SGD,
        Release(name="update", multiplier=0.6, rate=0.05, steps=40),
        Release(name="update", multiplier=20, rate=1e-5, steps=5000),
    ],
)
def test_finer_cells_would_not_change_a_printed_digit(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = epsilon([release], 1e-5)
    monkeypatch.setattr(accounting, "CELLS", 400)
    monkeypatch.setattr(accounting, "FINEST", 5e-5)
    monkeypatch.setattr(accounting, "MOST_CELLS", 2**18)
    accounting._epsilon.cache_clear()
    finer = epsilon([release], 1e-5)
    accounting._epsilon.cache_clear()
    assert found == pytest.approx(finer, rel=1e-4, abs=1e-4)


def test_each_charge_of_a_sampled_release_is_one_self_composition() -> None:
    steps, sums = accounting._gaussian, accounting._sampled
    before = steps.cache_info().misses, sums.cache_info().misses
    ledger = Ledger(limit=math.inf, delta=1e-5)
    release = Release(name="update", multiplier=3.5, rate=0.21, steps=3)
    for number in range(1, 6):
        where = {"round": number, "phase": "train", "attempt": 1}
        ledger = ledger.charge(release, federation=FederationId("w"), **where)  # type: ignore[arg-type]
    after = steps.cache_info().misses, sums.cache_info().misses
    assert (after[0] - before[0], after[1] - before[1]) == (1, 5)


def test_nothing_released_costs_nothing() -> None:
    assert epsilon([], 1e-5) == epsilon_rdp([], 1e-5) == 0


def test_one_release_without_noise_costs_everything() -> None:
    releases = [EMBEDDING, Release(name="update", multiplier=0)]
    assert epsilon(releases, 1e-5) == epsilon_rdp(releases, 1e-5) == math.inf


def test_hopelessly_little_noise_gets_the_renyi_bound() -> None:
    releases = [Release(name="update", multiplier=0.01, rate=0.5, steps=1000)]
    assert epsilon(releases, 1e-5) == epsilon_rdp(releases, 1e-5) > 1e6


@pytest.mark.parametrize("delta", [LEAST_DELTA / 2, 1e-30, 1e-300])
def test_a_delta_below_double_precision_gets_the_renyi_bound(delta: float) -> None:
    assert 6.4 < epsilon([DP_SGD], delta) == epsilon_rdp([DP_SGD], delta) < math.inf


def test_too_many_steps_for_a_distribution_get_the_renyi_bound() -> None:
    releases = [Release(name="update", multiplier=9, rate=1e-3, steps=MOST_STEPS + 1)]
    assert epsilon(releases, 1e-5) == epsilon_rdp(releases, 1e-5) < 1


@pytest.mark.parametrize("rate", [1, 0.5, 1e-9])
@pytest.mark.parametrize("multiplier", [1e-300, 1e-9])
def test_next_to_no_noise_is_no_noise(multiplier: float, rate: float) -> None:
    releases = [Release(name="update", multiplier=multiplier, rate=rate)]
    assert epsilon(releases, 1e-5) == epsilon_rdp(releases, 1e-5) == math.inf


def test_so_many_releases_that_their_noise_is_next_to_none_cost_everything() -> None:
    assert epsilon([Release(name="update", multiplier=1, steps=10**12)], 1e-5) == math.inf


@pytest.mark.parametrize("rate", [1, 0.5, 1e-300])
def test_any_amount_of_noise_has_an_epsilon(rate: float) -> None:
    assert 0 <= epsilon([Release(name="update", multiplier=1e300, rate=rate)], 1e-5) < 1e-6


@pytest.mark.parametrize("delta", [0, 1, -1e-5, math.nan])
def test_a_delta_outside_its_range_is_refused(delta: float) -> None:
    for accountant in (epsilon, epsilon_rdp, totals):
        with pytest.raises(ConfigError, match="delta"):
            accountant([EMBEDDING], delta)


def test_a_delta_below_one_over_n_is_taken() -> None:
    check_delta(0.0019, examples=500)


@pytest.mark.parametrize(
    ("delta", "examples", "words"),
    [
        (0.002, 500, "must be below 1/n = 0.002 with n = 500"),
        (0.5, 500, "lower delta"),
        (1e-5, 0, "number of one client's training examples, from 1"),
        (0.0, 500, "between 0 and 1"),
    ],
)
def test_a_delta_that_lets_an_example_out_is_refused(
    delta: float, examples: int, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        check_delta(delta, examples=examples)


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


def test_totals_can_be_had_by_either_accountant() -> None:
    found = totals([DP_SGD, EMBEDDING, METRICS], 1e-4, by=epsilon_rdp)
    assert found.update == epsilon_rdp([DP_SGD], 1e-4)
    assert found.total == epsilon_rdp([DP_SGD, EMBEDDING], 1e-4)
