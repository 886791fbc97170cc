"""Stability, as a client sees it."""

import pytest

from secure_clove.clustering.stability import is_stable
from secure_clove.errors import ConfigError


@pytest.mark.parametrize("history", [[2, 2, 2], [0, 1, 2, 2, 2]])
def test_equal_last_assignments_are_stable(history: list[int]) -> None:
    assert is_stable(history, 3)


@pytest.mark.parametrize("history", [[], [1], [1, 1]])
def test_too_short_a_history_is_not_stable(history: list[int]) -> None:
    assert not is_stable(history, 3)


def test_a_change_resets_stability() -> None:
    assert not is_stable([1, 1, 1, 0], 2)


def test_returning_to_an_earlier_assignment_is_not_stable() -> None:
    assert not is_stable([0, 1, 0], 2)


@pytest.mark.parametrize("rounds", [0, -1])
def test_stability_without_rounds_is_refused(rounds: int) -> None:
    with pytest.raises(ConfigError, match="at least 1 round"):
        is_stable([1], rounds)
