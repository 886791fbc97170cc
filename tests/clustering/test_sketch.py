"""Moments and features: sums over clients that fix the frame of a sketch, and the sketch itself."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from secure_clove.clustering.sketch import (
    FAR,
    LEAST_PER_CLUSTER,
    LEAST_SCALE,
    MOST_PER_CLUSTER,
    NEAR,
    PUBLISHED_SHARE,
    Moments,
    axes_of,
    feature_count,
    features,
    frequencies,
    hiding_cohort,
    moment_count,
    moments_of,
    read_moments,
    scale_of,
)
from secure_clove.errors import ConfigError, DataError
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.seeds import stream

Array = NDArray[np.float64]


def cohort(clients: int = 12, dimension: int = 4) -> Array:
    return stream(1).normal(size=(clients, dimension))


def moments_over(vectors: Array) -> Moments:
    return read_moments(moments_of(vectors).sum(axis=0), count=len(vectors))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 20))
def test_a_contribution_has_as_many_numbers_as_promised(dimension: int) -> None:
    assert moments_of(np.ones(dimension)).shape == (moment_count(dimension),)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 30), st.integers(1, 12))
def test_the_sum_gives_mean_and_covariance(clients: int, dimension: int) -> None:
    vectors = cohort(clients, dimension)
    found = moments_over(vectors)
    np.testing.assert_allclose(found.mean, vectors.mean(axis=0), atol=1e-12)
    expected = np.cov(vectors, rowvar=False, bias=True).reshape(dimension, dimension)
    np.testing.assert_allclose(found.covariance, expected, atol=1e-12)


def test_a_contribution_of_several_is_that_of_each() -> None:
    vectors = cohort()
    np.testing.assert_array_equal(moments_of(vectors)[3], moments_of(vectors[3]))


def test_a_sum_that_rounding_spoiled_still_gives_a_positive_semi_definite_covariance() -> None:
    total = 5 * moments_of(np.array([1.0, 2.0, 3.0]))
    total[3] -= 0.01
    values = np.linalg.eigvalsh(read_moments(total, count=5).covariance)
    assert values.min() > -1e-12


def test_moments_survive_the_codec() -> None:
    moments = moments_over(cohort())
    again = decode(encode(moments), Moments)
    np.testing.assert_array_equal(again.mean, moments.mean)
    np.testing.assert_array_equal(again.covariance, moments.covariance)


@pytest.mark.parametrize(
    ("mean", "covariance"),
    [
        (np.zeros(2), np.zeros((3, 3))),
        (np.zeros((1, 2)), np.zeros((2, 2))),
        (np.zeros(0), np.zeros((0, 0))),
        (np.full(1, math.nan), np.zeros((1, 1))),
        (np.zeros(1), np.full((1, 1), math.inf)),
    ],
)
def test_moments_that_cannot_be_are_refused(mean: Array, covariance: Array) -> None:
    with pytest.raises(ConfigError):
        Moments(mean=mean, covariance=covariance)


@pytest.mark.parametrize(("length", "count"), [(4, 3), (0, 3), (5, 0)])
def test_a_sum_of_no_dimension_or_of_nobody_is_refused(length: int, count: int) -> None:
    with pytest.raises(ConfigError, match="at least 1 client"):
        read_moments(np.zeros(length), count=count)


def test_a_sum_that_is_not_finite_is_refused() -> None:
    with pytest.raises(DataError, match="not finite"):
        read_moments(np.array([1.0, math.inf]), count=2)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 8), st.integers(1, 8))
def test_axes_are_orthonormal_and_at_most_as_many_as_the_clusters(
    dimension: int, clusters: int
) -> None:
    axes = axes_of(moments_over(cohort(12, dimension)), clusters=clusters)
    assert axes.shape == (min(dimension, clusters), dimension)
    np.testing.assert_allclose(axes @ axes.T, np.eye(len(axes)), atol=1e-12)


def test_axes_follow_the_largest_variance() -> None:
    moments = Moments(mean=np.zeros(3), covariance=np.diag([1.0, 9.0, 4.0]))
    np.testing.assert_allclose(axes_of(moments, clusters=2), [[0, 1, 0], [0, 0, 1]], atol=1e-12)


def test_axes_do_not_depend_on_the_sign_an_eigenvector_happens_to_have() -> None:
    axes = axes_of(moments_over(cohort()), clusters=3)
    assert (axes[np.arange(3), np.abs(axes).argmax(axis=1)] > 0).all()


def test_axes_of_no_cluster_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1 cluster"):
        axes_of(moments_over(cohort()), clusters=0)


def test_axes_of_clusters_hold_their_centroids() -> None:
    truth = np.arange(30) % 3
    centroids = stream(2).normal(size=(3, 12))
    vectors = centroids[truth] + 0.01 * stream(3).normal(size=(30, 12))
    axes = axes_of(moments_over(vectors), clusters=3)
    moved = centroids - centroids.mean(axis=0)
    assert np.linalg.norm(moved - moved @ axes.T @ axes) < 0.02


def test_the_scale_is_that_of_the_vectors() -> None:
    vectors = cohort()
    once, thrice = scale_of(moments_over(vectors)), scale_of(moments_over(3 * vectors))
    assert thrice == pytest.approx(3 * once)


def test_the_scale_along_an_axis_is_the_deviation_along_it() -> None:
    moments = Moments(mean=np.zeros(2), covariance=np.diag([9.0, 1.0]))
    assert scale_of(moments, axes=np.array([[1.0, 0.0]])) == pytest.approx(3.0)


def test_equal_vectors_still_have_a_scale() -> None:
    assert scale_of(moments_over(np.ones((4, 3)))) >= LEAST_SCALE


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 12), st.floats(1e-6, 1e6))
def test_radii_stay_in_their_range(count: int, dimension: int, scale: float) -> None:
    drawn = frequencies(count, dimension, scale=scale, rng=stream(4))
    radii = np.linalg.norm(drawn, axis=1) * scale
    assert drawn.shape == (count, dimension)
    assert ((radii > NEAR * (1 - 1e-9)) & (radii < FAR * (1 + 1e-9))).all()


def test_frequencies_lie_in_the_span_of_the_axes() -> None:
    axes = axes_of(moments_over(cohort()), clusters=3)
    drawn = frequencies(9, 4, scale=1.0, rng=stream(5), axes=axes)
    np.testing.assert_allclose(drawn @ axes.T @ axes, drawn, atol=1e-12)


def test_the_same_stream_draws_the_same_frequencies() -> None:
    one, two = (frequencies(5, 3, scale=0.5, rng=stream(6)) for _ in range(2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(("count", "scale"), [(0, 1.0), (3, 0.0), (3, -1.0), (3, math.nan)])
def test_no_frequency_or_no_scale_is_refused(count: int, scale: float) -> None:
    with pytest.raises(ConfigError, match="at least 1 frequency"):
        frequencies(count, 2, scale=scale, rng=stream(0))


def test_axes_of_another_dimension_are_refused() -> None:
    with pytest.raises(ConfigError, match="axes"):
        frequencies(3, 2, scale=1.0, rng=stream(0), axes=np.eye(3))


def test_features_are_cosines_then_sines_of_the_phases() -> None:
    found = features(np.array([1.0, 2.0]), np.array([[0.5, 0.0], [0.0, 0.25]]))
    np.testing.assert_allclose(found, [np.cos(0.5), np.cos(0.5), np.sin(0.5), np.sin(0.5)])


def test_no_vector_moves_a_sum_of_features_by_more_than_one_in_a_coordinate() -> None:
    found = features(1e3 * cohort(50), frequencies(20, 4, scale=1.0, rng=stream(7)))
    assert found.shape == (50, 40)
    assert np.abs(found).max() <= 1.0


def test_more_clients_allow_more_features_up_to_the_most() -> None:
    counts = [feature_count(5, clients=clients, dimension=4) for clients in (5, 25, 50, 100, 1000)]
    assert counts == sorted(counts)
    assert counts[-1] == MOST_PER_CLUSTER * 5


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 20), st.integers(45, 1000))
def test_a_cohort_of_some_size_publishes_no_more_than_its_share(
    clusters: int, clients: int
) -> None:
    dimension = clusters - 1
    count = feature_count(clusters, clients=clients, dimension=dimension)
    published = 2 * count + moment_count(dimension)
    assert published <= PUBLISHED_SHARE * clients * dimension
    assert published + 2 * clusters + 1 < clients * clusters


def test_a_tiny_cohort_still_has_enough_features_to_be_decoded() -> None:
    assert feature_count(5, clients=3, dimension=4) == 5 * LEAST_PER_CLUSTER


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 200), st.integers(1, 20))
def test_a_hiding_cohort_is_the_smallest_whose_share_is_not_passed(
    count: int, dimension: int
) -> None:
    clients = hiding_cohort(count, dimension=dimension)
    published = 2 * count + moment_count(dimension)
    shares = [published / (number * dimension) for number in (clients, max(clients - 1, 0.5))]
    assert shares[0] <= PUBLISHED_SHARE < shares[1]


def test_frequencies_reach_as_far_as_they_are_told() -> None:
    radii = np.linalg.norm(frequencies(500, 3, scale=0.5, rng=stream(8), far=6.0), axis=1)
    assert 11.0 < radii.max() <= 12.0
    assert radii.min() >= 2.0
