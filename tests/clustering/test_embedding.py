"""The raw and the directional embedding: refusals and geometry."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from secure_clove.clustering.embedding import Embedding, embed, project
from secure_clove.errors import DataError

Rows = NDArray[np.float64]

LOSSES = (
    st.floats(0, 5)
    | st.floats(-1e300, 1e300)
    | st.sampled_from([0.0, -0.0, 5e-324, 1e-300, 1e-7, 1e-6, 1.0, 1e16, -1e16, 1.7e308, -1.7e308])
)


@st.composite
def rows(draw: st.DrawFn) -> Rows:
    shape = (draw(st.integers(1, 12)), draw(st.integers(2, 6)))
    return draw(arrays(np.float64, shape, elements=LOSSES))


@settings(deadline=None)
@given(rows())
def test_the_directional_mean_lies_in_the_sum_zero_plane_and_the_unit_ball(losses: Rows) -> None:
    mean = embed(losses, Embedding.DIRECTIONAL).mean
    assert abs(mean.sum()) < 1e-10
    assert np.linalg.norm(mean) <= 1


@settings(deadline=None)
@given(arrays(np.float64, (5, 3), elements=st.floats(0, 5)), st.floats(-100, 100))
def test_a_loss_common_to_all_models_does_not_change_the_direction(
    losses: Rows, common: float
) -> None:
    here = embed(losses, Embedding.DIRECTIONAL).mean
    there = embed(losses + common, Embedding.DIRECTIONAL).mean
    np.testing.assert_allclose(here, there, atol=1e-6)


def test_the_directional_mean_of_two_opposite_examples_is_zero() -> None:
    mean = embed(np.array([[1.0, 2.0], [5.0, 1.0]]), Embedding.DIRECTIONAL).mean
    np.testing.assert_allclose(mean, [0, 0], atol=1e-8)


def test_a_single_example_gives_its_unit_vector() -> None:
    mean = embed(np.array([[1.0, 3.0]]), Embedding.DIRECTIONAL).mean
    np.testing.assert_allclose(mean, [-math.sqrt(0.5), math.sqrt(0.5)], atol=1e-8)


def test_differences_below_the_floor_are_not_blown_up() -> None:
    mean = embed(np.array([[1.0, 1.0 + 1e-9]]), Embedding.DIRECTIONAL).mean
    assert np.linalg.norm(mean) < 1e-3


@pytest.mark.parametrize("loss", [0.1, 0.96954719, 3.3e10, 1e300])
def test_equal_losses_point_nowhere(loss: float) -> None:
    mean = embed(np.full((1, 5), loss), Embedding.DIRECTIONAL).mean
    np.testing.assert_array_equal(mean, np.zeros(5))


def test_an_all_zero_row_counts_but_does_not_move_the_mean() -> None:
    alone = embed(np.array([[1.0, 3.0]]), Embedding.DIRECTIONAL).mean
    padded = embed(np.array([[1.0, 3.0], [0.0, 0.0]]), Embedding.DIRECTIONAL).mean
    np.testing.assert_array_equal(alone / 2, padded)


def test_the_raw_embedding_is_the_loss_vector_of_the_paper() -> None:
    embedded = embed(np.array([[1.0, 2.0], [3.0, 6.0]]), Embedding.RAW)
    np.testing.assert_allclose(embedded.mean, [2, 4])


def test_the_raw_embedding_has_no_bound() -> None:
    assert embed(np.ones((3, 2)), Embedding.RAW).sensitivity == math.inf


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_raw_loss_that_is_not_finite_is_refused(bad: float) -> None:
    losses = np.ones((4, 3))
    losses[2, 1] = bad
    with pytest.raises(DataError, match="NaN or infinite"):
        embed(losses, Embedding.RAW)


@pytest.mark.parametrize("shape", [(0, 3), (4, 1), (4, 0), (4,), (2, 2, 2)])
def test_rows_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="at least 2 models"):
        embed(np.ones(shape), Embedding.DIRECTIONAL)


@settings(deadline=None)
@given(arrays(np.float64, 5, elements=st.floats(-10, 10)))
def test_projecting_twice_is_projecting_once(vector: Rows) -> None:
    once = project(vector)
    np.testing.assert_allclose(project(once), once, atol=1e-12)


@settings(deadline=None)
@given(arrays(np.float64, 5, elements=st.floats(-10, 10)))
def test_a_projection_sums_to_zero_and_is_never_longer(vector: Rows) -> None:
    projected = project(vector)
    assert abs(projected.sum()) < 1e-12
    assert np.linalg.norm(projected) <= np.linalg.norm(vector) + 1e-12


def test_an_embedded_vector_does_not_print_its_losses() -> None:
    assert "mean" not in repr(embed(np.ones((3, 2)), Embedding.RAW))
