"""Coordinates in the sum-zero plane: distances stay, and what leaves the plane is forgotten."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_clove.clustering.embedding import project
from secure_clove.clustering.plane import from_plane, to_plane
from secure_clove.errors import ConfigError
from secure_clove.foundation.seeds import stream


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 30))
def test_a_vector_comes_back_as_its_projection(count: int) -> None:
    vector = stream(1, count).normal(size=count)
    np.testing.assert_allclose(from_plane(to_plane(vector)), project(vector), atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 30))
def test_a_point_of_the_plane_comes_back_as_it_was(dimension: int) -> None:
    point = stream(2, dimension).normal(size=dimension)
    np.testing.assert_allclose(to_plane(from_plane(point)), point, atol=1e-12)


def test_what_comes_from_the_plane_adds_up_to_zero() -> None:
    assert abs(from_plane(stream(3).normal(size=(5, 6))).sum(axis=-1)).max() < 1e-12


def test_distances_within_the_plane_stay() -> None:
    one, two = stream(4).normal(size=(2, 7))
    expected = np.linalg.norm(project(one) - project(two))
    np.testing.assert_allclose(np.linalg.norm(to_plane(one) - to_plane(two)), expected)


def test_a_constant_on_all_coordinates_does_not_matter() -> None:
    vector = stream(5).normal(size=6)
    np.testing.assert_allclose(to_plane(vector + 3.0), to_plane(vector), atol=1e-12)


def test_many_vectors_are_taken_one_by_one() -> None:
    vectors = stream(6).normal(size=(2, 3, 5))
    np.testing.assert_allclose(to_plane(vectors)[1, 2], to_plane(vectors[1, 2]), atol=1e-15)


@pytest.mark.parametrize("vectors", [np.zeros(()), np.zeros(1), np.zeros((4, 1))])
def test_a_single_coordinate_has_no_plane(vectors: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="at least 2 coordinates"):
        to_plane(vectors)


@pytest.mark.parametrize("points", [np.zeros(()), np.zeros((4, 0))])
def test_a_point_without_coordinates_is_refused(points: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="at least 1 coordinate"):
        from_plane(points)
