"""The public grid of clipped gradients."""

from math import inf, log2, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_clove.errors import ConfigError
from secure_clove.privacy.clipping import LEAST_STEPS, gradient_grid


@given(st.floats(1e-6, 1e6), st.integers(1, 10**7))
def test_the_step_is_a_power_of_two_and_the_rounding_is_paid_for(clip: float, size: int) -> None:
    grid = gradient_grid(clip, size)
    assert log2(grid.step).is_integer()
    assert clip / grid.step >= LEAST_STEPS
    assert grid.sensitivity >= clip / grid.step + sqrt(size) / 2
    assert grid.sensitivity * grid.step <= clip * (1 + 1 / 32)


@pytest.mark.parametrize(("clip", "dimension"), [(0.0, 1), (-1.0, 1), (inf, 1), (1.0, 0)])
def test_a_grid_without_a_norm_or_a_dimension_is_refused(clip: float, dimension: int) -> None:
    with pytest.raises(ConfigError, match="norm > 0"):
        gradient_grid(clip, dimension)
