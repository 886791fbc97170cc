"""Calibration: known multipliers, and promises kept exactly."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_clove.errors import ConfigError
from secure_clove.privacy.accounting import epsilon, totals
from secure_clove.privacy.calibration import (
    Budget,
    multiplier_for,
    noise_beside_signal,
    noise_for,
    remaining_multiplier,
)
from secure_clove.privacy.events import Release, Schedule

DP_SGD = Release(name="update", multiplier=2.5, rate=64 / 500, steps=800)


@pytest.mark.parametrize(
    ("target", "expected"),
    [(0.1, 30.75), (0.25, 13.29), (0.5, 7.03), (1, 3.731), (2, 1.994), (4, 1.081), (8, 0.600)],
)
def test_a_single_release_has_its_known_multiplier(target: float, expected: float) -> None:
    assert multiplier_for(target, 1e-5) == pytest.approx(expected, rel=1e-3)


@settings(deadline=None)
@given(st.floats(0.01, 50), st.floats(1e-12, 1e-2), st.integers(1, 1000))
def test_calibrated_releases_cost_what_was_asked(
    target: float, delta: float, releases: int
) -> None:
    multiplier = multiplier_for(target, delta, releases)
    each = Release(name="embedding", multiplier=multiplier, steps=releases)
    assert epsilon([each], delta) == pytest.approx(target, rel=1e-9)


@settings(deadline=None, max_examples=30)
@given(st.floats(0.05, 10), st.floats(1.01, 20), st.integers(1, 50))
def test_what_remains_never_passes_the_total(target: float, factor: float, releases: int) -> None:
    spent = [Release(name="embedding", multiplier=factor * multiplier_for(target, 1e-5))]
    multiplier = remaining_multiplier(target, 1e-5, spent, releases)
    further = Release(name="update", multiplier=multiplier, steps=releases)
    assert 0.999 * target <= epsilon([*spent, further], 1e-5) <= target


def test_with_nothing_spent_everything_remains() -> None:
    fresh = remaining_multiplier(0.25, 1e-5, [], 3)
    assert fresh == pytest.approx(multiplier_for(0.25, 1e-5, 3), rel=1e-4)


def test_what_remains_beside_sampled_training_keeps_the_promise() -> None:
    multiplier = remaining_multiplier(6.4, 1e-4, [DP_SGD], 3)
    further = Release(name="embedding", multiplier=multiplier, steps=3)
    assert 6.39 <= epsilon([DP_SGD, further], 1e-4) <= 6.4


@pytest.mark.parametrize(
    "spent",
    [
        [DP_SGD],
        [Release(name="embedding", multiplier=0)],
        [Release(name="embedding", multiplier=multiplier_for(1, 1e-4))],
    ],
)
def test_an_exhausted_budget_is_refused(spent: list[Release]) -> None:
    with pytest.raises(ConfigError, match="leaves nothing"):
        remaining_multiplier(1, 1e-4, spent, 1)


@pytest.mark.parametrize("target", [0, -1, math.inf, math.nan])
def test_an_impossible_epsilon_is_refused(target: float) -> None:
    with pytest.raises(ConfigError, match="epsilon"):
        multiplier_for(target, 1e-5)


@pytest.mark.parametrize("delta", [0, 1, -1e-5, math.nan])
def test_an_impossible_delta_is_refused(delta: float) -> None:
    with pytest.raises(ConfigError, match="delta"):
        multiplier_for(1, delta)


def test_no_release_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1 release"):
        remaining_multiplier(1, 1e-5, [], 0)


@pytest.mark.parametrize("rate", [0.9, 0.128])
def test_training_on_a_sample_spends_what_is_left(rate: float) -> None:
    spent = [Release(name="embedding", multiplier=15, steps=3)]
    multiplier = remaining_multiplier(3.0, 1e-5, spent, 60, rate=rate)
    further = Release(name="update", multiplier=multiplier, rate=rate, steps=60)
    assert 0.9999 * 3.0 <= epsilon([*spent, further], 1e-5) <= 3.0


def test_training_on_a_sample_needs_less_noise() -> None:
    sampled, full = (remaining_multiplier(3.0, 1e-5, [], 60, rate=rate) for rate in (0.1, 1.0))
    assert sampled < full / 2


@pytest.mark.parametrize("rate", [1.0, 0.25])
def test_an_epsilon_that_promises_nothing_needs_next_to_no_noise(rate: float) -> None:
    found = remaining_multiplier(1e6, 1e-5, [], 1, rate=rate)
    assert epsilon([Release(name="update", multiplier=found, rate=rate)], 1e-5) <= 1e6
    assert found < 0.002


# ---- a whole schedule

PLAN = Schedule(rounds=40, embeddings=3, steps=20, rate=0.128)
BUDGET = Budget(delta=1e-4, total=6.4, embedding=0.25, metrics=1.0)


def test_a_schedule_with_its_noise_keeps_to_its_budget_and_uses_it_up() -> None:
    spent = totals(noise_for(BUDGET, PLAN).releases(), BUDGET.delta)
    assert spent.embedding == pytest.approx(0.25)
    assert spent.metrics == pytest.approx(1.0)
    assert 6.399 <= spent.total <= 6.4


def test_the_budget_of_a_noise_gives_that_noise_back() -> None:
    schedule = Schedule(rounds=4, embeddings=2, steps=5, rate=0.2, embedding=9, update=2, metrics=6)
    spent = totals(schedule.releases(), 1e-5)
    budget = Budget(delta=1e-5, total=spent.total, embedding=spent.embedding, metrics=spent.metrics)
    found = noise_for(budget, schedule)
    assert found.embedding == pytest.approx(9, rel=1e-6)
    assert found.update == pytest.approx(2, rel=1e-4)
    assert found.metrics == pytest.approx(6, rel=1e-6)


def test_what_has_no_budget_gets_no_noise_and_is_not_released() -> None:
    found = noise_for(Budget(delta=1e-5, embedding=0.5), Schedule(embeddings=1))
    assert (found.update, found.metrics) == (None, None)
    assert [release.name for release in found.releases()] == ["embedding"]


def test_all_is_for_training_where_nothing_is_embedded() -> None:
    found = noise_for(Budget(delta=1e-5, total=2.0), Schedule(rounds=3, steps=4))
    assert found.update == pytest.approx(multiplier_for(2.0, 1e-5, 12), rel=1e-4)


@pytest.mark.parametrize(
    ("embedding", "embeddings", "words"),
    [(None, 3, "without an epsilon for them"), (0.25, 0, "plan at least 1")],
    ids=["no budget", "no embedding"],
)
def test_embeddings_and_their_budget_come_together(
    embedding: float | None, embeddings: int, words: str
) -> None:
    budget = Budget(delta=1e-5, total=2.0, embedding=embedding)
    with pytest.raises(ConfigError, match=words):
        noise_for(budget, Schedule(rounds=3, embeddings=embeddings))


def test_embeddings_that_leave_nothing_for_training_are_refused() -> None:
    with pytest.raises(ConfigError, match="leaves nothing"):
        noise_for(Budget(delta=1e-5, total=1.0, embedding=1.0), Schedule(embeddings=1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "no budget"),
        ({"total": 0.0}, "epsilon must be positive"),
        ({"embedding": -1.0}, "epsilon must be positive"),
        ({"metrics": math.inf}, "epsilon must be positive and at most 1e\\+06"),
        ({"total": 1.0, "delta": 0.0}, "delta"),
    ],
)
def test_a_budget_that_nothing_can_keep_is_refused(change: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Budget(**{"delta": 1e-5, **change})


def test_the_noise_of_a_mean_falls_with_the_number_of_examples() -> None:
    schedule = Schedule(embeddings=1, rate=0.1, embedding=15, update=2, metrics=6)
    found = noise_beside_signal(schedule, 500)
    assert found == pytest.approx({"embedding": 15 / 500, "update": 2 / 50, "metrics": 6})


def test_only_what_is_released_has_noise() -> None:
    assert noise_beside_signal(Schedule(embeddings=3), 500) == {}
