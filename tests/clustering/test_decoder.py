"""Decoding: centroids, weights and spread come back from sums alone."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import approx_fprime

from secure_clove.clustering.decoder import Mixture, decode
from secure_clove.clustering.expectation import Expectation, Guess, Noise
from secure_clove.clustering.kmeans import nearest
from secure_clove.clustering.scores import adjusted_rand_index
from secure_clove.clustering.sketch import (
    Moments,
    features,
    moments_of,
    read_moments,
)
from secure_clove.errors import ConfigError, DataError
from secure_clove.foundation.seeds import stream
from tests.clustering.builders import frame

Array = NDArray[np.float64]


def blobs(
    clusters: int, *, clients: int = 40, dimension: int = 4, noise: float = 0.05
) -> tuple[Array, NDArray[np.int64], Array]:
    """Return vectors, their clusters and the centroids of these."""
    rng = stream(1, clusters, dimension)
    centroids = rng.normal(size=(clusters, dimension))
    truth = np.arange(clients) % clusters
    vectors = centroids[truth] + noise * rng.normal(size=(clients, dimension))
    return vectors, truth, np.stack([vectors[truth == c].mean(axis=0) for c in range(clusters)])


def decoded(vectors: Array, clusters: int, *, seed: int = 2, framed: int = 0) -> Mixture:
    """Return what the sums over ``vectors`` show, at frequencies for ``framed`` clusters."""
    moments = read_moments(moments_of(vectors).sum(axis=0), count=len(vectors))
    most = framed or clusters
    drawn = frame(moments, clusters=most, count=8 * most, rng=stream(seed, "frame"))
    sketch = features(vectors, drawn).mean(axis=0)
    return decode(
        sketch, drawn, clusters, moments=moments, clients=len(vectors), rng=stream(seed, "decode")
    )


def own(vectors: Array, mixture: Mixture) -> list[int]:
    """Return where every client assigns itself."""
    return [nearest(mixture.centroids, vector) for vector in vectors]


def paired(mixture: Mixture, centroids: Array) -> list[int]:
    """Return the component nearest to each centroid."""
    return [nearest(mixture.centroids, centroid) for centroid in centroids]


@pytest.mark.parametrize("clusters", [2, 3, 5])
def test_clients_that_assign_themselves_end_up_in_their_groups(clusters: int) -> None:
    vectors, truth, _ = blobs(clusters)
    assert adjusted_rand_index(truth, own(vectors, decoded(vectors, clusters))) == 1


def test_ten_groups_are_found() -> None:
    vectors, truth, _ = blobs(10, dimension=9)
    assert adjusted_rand_index(truth, own(vectors, decoded(vectors, 10))) == 1


def test_groups_of_unequal_size_are_found_with_their_shares() -> None:
    vectors, truth, centroids = blobs(3, clients=60)
    kept = np.flatnonzero((truth == 0) | (np.arange(60) < 24))
    mixture = decoded(vectors[kept], 3)
    shares = np.bincount(truth[kept]) / len(kept)
    np.testing.assert_allclose(mixture.weights[paired(mixture, centroids)], shares, atol=0.02)


def test_centroids_are_the_means_of_the_groups() -> None:
    vectors, _, centroids = blobs(4)
    mixture = decoded(vectors, 4)
    np.testing.assert_allclose(mixture.centroids[paired(mixture, centroids)], centroids, atol=0.05)


def test_the_spread_is_that_within_the_groups() -> None:
    vectors, _, _ = blobs(3, clients=90, dimension=2, noise=0.2)
    assert decoded(vectors, 3).spread == pytest.approx(0.2, rel=0.25)


def test_weights_are_shares() -> None:
    vectors, _, _ = blobs(5)
    mixture = decoded(vectors, 5)
    assert mixture.weights.min() >= 0
    assert mixture.weights.sum() == pytest.approx(1)


def test_many_more_dimensions_than_clusters_are_no_obstacle() -> None:
    vectors, truth, _ = blobs(4, dimension=20, noise=0.2)
    assert adjusted_rand_index(truth, own(vectors, decoded(vectors, 4))) == 1


@settings(max_examples=3, deadline=None)
@given(st.floats(1e-5, 1e3), st.floats(-10, 10))
def test_unit_and_origin_of_the_vectors_do_not_matter(unit: float, shift: float) -> None:
    vectors, truth, _ = blobs(3)
    moved = unit * (vectors + shift)
    assert adjusted_rand_index(truth, own(moved, decoded(moved, 3))) == 1


def test_fewer_clusters_than_the_frequencies_are_made_for_can_be_decoded() -> None:
    vectors, truth, _ = blobs(3, dimension=5)
    assert adjusted_rand_index(truth, own(vectors, decoded(vectors, 3, framed=6))) == 1


def test_a_single_cluster_lies_at_the_mean() -> None:
    vectors, _, _ = blobs(3)
    np.testing.assert_allclose(decoded(vectors, 1).centroids[0], vectors.mean(axis=0))


def test_equal_vectors_are_all_at_their_centroids() -> None:
    vectors = np.full((10, 4), 0.3)
    np.testing.assert_allclose(decoded(vectors, 2).centroids, vectors[:2], atol=1e-6)


def test_the_right_number_of_clusters_leaves_less_unexplained_than_one_fewer() -> None:
    vectors, _, _ = blobs(4)
    fewer, right = (decoded(vectors, k, framed=4).residual for k in (3, 4))
    assert right < fewer


def test_the_same_stream_gives_the_same_mixture() -> None:
    vectors, _, _ = blobs(3)
    one, two = (decoded(vectors, 3, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.centroids, two.centroids)
    np.testing.assert_array_equal(one.weights, two.weights)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 4), st.integers(1, 3))
def test_the_gradient_is_that_of_the_expectation(clusters: int, dimension: int) -> None:
    rng = stream(4, clusters, dimension)
    expectation = Expectation(frequencies=rng.normal(size=(6, dimension)))
    centroids = rng.normal(size=(clusters, dimension))
    guess = Guess(centroids=centroids, logits=rng.normal(size=clusters), log_spread=-0.5)
    expected, pull = expectation.of(guess)
    by = rng.normal(size=expected.shape)

    def value(packed: Array) -> float:
        return float(by @ expectation.of(Guess.unpack(packed, clusters=clusters))[0])

    np.testing.assert_allclose(pull(by), approx_fprime(guess.pack(), value), atol=1e-4)


def test_the_expectation_is_the_mean_over_many_clients() -> None:
    rng = stream(5)
    expectation = Expectation(frequencies=rng.normal(size=(6, 2)))
    guess = Guess(centroids=rng.normal(size=(3, 2)), logits=np.zeros(3), log_spread=-0.7)
    points = guess.centroids[np.arange(60_000) % 3] + guess.spread * rng.normal(size=(60_000, 2))
    mean = expectation.of_points(points).mean(axis=0)
    np.testing.assert_allclose(expectation.of(guess)[0], mean, atol=0.02)


def test_units_give_the_deviations_of_a_cohort_the_variance_they_promise() -> None:
    rng = stream(6)
    expectation = Expectation(frequencies=rng.normal(size=(10, 2)))
    guess = Guess(centroids=rng.normal(size=(3, 2)), logits=np.zeros(3), log_spread=-0.7)
    units = expectation.whitener(guess, rng)
    points = guess.centroids[:, None] + guess.spread * rng.normal(size=(3, 4000, 2))
    numbers = np.stack([expectation.of_points(group) for group in points])
    off = (numbers - numbers.mean(axis=1, keepdims=True)) @ units.T
    assert 0.3 < (off**2).sum(axis=-1).mean() < 1.05


SKETCH, FREQUENCIES = np.zeros(8), np.ones((4, 2))
MOMENTS = Moments(mean=np.zeros(2), covariance=np.eye(2))


def test_no_cluster_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1 cluster"):
        decode(SKETCH, FREQUENCIES, 0, moments=MOMENTS, clients=9, rng=stream(0))


def test_a_sketch_at_other_frequencies_is_refused() -> None:
    with pytest.raises(ConfigError, match="shape"):
        decode(SKETCH[:-1], FREQUENCIES, 2, moments=MOMENTS, clients=9, rng=stream(0))


def test_moments_of_another_dimension_are_refused() -> None:
    with pytest.raises(ConfigError, match="same dimension"):
        decode(SKETCH, np.ones((4, 3)), 2, moments=MOMENTS, clients=9, rng=stream(0))


def test_a_sketch_that_is_not_finite_is_refused() -> None:
    with pytest.raises(DataError, match="not finite"):
        decode(np.full(8, math.nan), FREQUENCIES, 2, moments=MOMENTS, clients=9, rng=stream(0))


def test_a_sketch_of_nobody_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1 client"):
        decode(SKETCH, FREQUENCIES, 2, moments=MOMENTS, clients=0, rng=stream(0))


@pytest.mark.parametrize(
    ("centroids", "weights"),
    [
        (np.eye(2), np.ones(3)),
        (np.zeros(2), np.ones(2)),
        (np.eye(2), np.array([1.5, -0.5])),
        (np.full((1, 1), math.nan), np.ones(1)),
    ],
)
def test_a_mixture_that_cannot_be_is_refused(centroids: Array, weights: Array) -> None:
    with pytest.raises(ConfigError):
        Mixture(centroids=centroids, weights=weights, spread=0.1, residual=0.0)


def test_noise_that_is_allowed_for_misleads_less() -> None:
    vectors, truth, _ = blobs(4, clients=400, dimension=3)
    deviation = Noise(features=0.5, mean=1.0, products=4.0)
    found = {True: 0.0, False: 0.0}
    for seed in range(4):
        rng = stream(seed, "noise")
        drawn = frame(
            read_moments(moments_of(vectors).sum(axis=0), count=400),
            clusters=4,
            count=32,
            rng=stream(seed, "frame"),
        )
        total = moments_of(vectors).sum(axis=0) + 20.0 * np.concatenate(
            [deviation.mean * rng.normal(size=3), deviation.products * rng.normal(size=6)]
        )
        sketch = features(vectors, drawn).mean(axis=0) + deviation.features / 20.0 * rng.normal(
            size=64
        )
        moments = read_moments(total, count=400)
        for is_allowed in found:
            mixture = decode(
                sketch,
                drawn,
                4,
                moments=moments,
                clients=400,
                rng=stream(seed, "decode"),
                noise=deviation if is_allowed else Noise(),
            )
            found[is_allowed] += adjusted_rand_index(truth, own(vectors, mixture)) / 4
    assert found[True] > 0.95 > found[False]


def test_clusters_are_of_like_size_where_the_sums_leave_it_open() -> None:
    vectors = stream(5).normal(size=(20, 3))  # one blob, whose parts nothing tells apart
    moments = read_moments(moments_of(vectors).sum(axis=0), count=20)
    drawn = frame(moments, clusters=4, count=8, rng=stream(6))
    sketch = features(vectors, drawn).mean(axis=0)
    least = {}
    for clients in (20, 10**9):  # with so many clients the prior counts for nothing
        mixture = decode(sketch, drawn, 4, moments=moments, clients=clients, rng=stream(7))
        least[clients] = mixture.weights.min()
    assert least[20] > least[10**9]
