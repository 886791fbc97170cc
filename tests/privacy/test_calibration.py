"""Calibration: known multipliers, and promises kept exactly."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_clove.errors import ConfigError
from secure_clove.privacy.accounting import epsilon
from secure_clove.privacy.calibration import multiplier_for, remaining_multiplier
from secure_clove.privacy.events import Release

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
