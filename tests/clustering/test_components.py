"""The number of clusters: from residuals, or from silhouettes that every client computes itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from secure_clove.clustering.components import (
    PRICE,
    choose,
    choose_by_silhouette,
    simplified_silhouette,
)
from secure_clove.clustering.decoder import Mixture, decode
from secure_clove.clustering.sketch import features, moments_of, read_moments
from secure_clove.errors import ConfigError
from secure_clove.foundation.seeds import stream
from tests.clustering.builders import frame


def mixture(clusters: int, *, residual: float) -> Mixture:
    weights = np.full(clusters, 1 / clusters)
    return Mixture(centroids=np.eye(clusters), weights=weights, spread=0.1, residual=residual)


def mixtures(residuals: dict[int, float]) -> dict[int, Mixture]:
    return {k: mixture(k, residual=residual) for k, residual in residuals.items()}


def test_a_cluster_that_explains_much_is_taken() -> None:
    assert choose(mixtures({1: 0.1, 2: 0.05, 3: 0.001}), clients=25) == 3


def test_a_cluster_that_explains_less_than_its_price_is_not() -> None:
    small = PRICE / 25 / 2
    assert choose(mixtures({2: 0.01 + small, 3: 0.01, 4: 0.01 - small}), clients=25) == 2


def test_more_clients_can_tell_finer_differences() -> None:
    found = mixtures({2: 0.002, 3: 0.001})
    assert [choose(found, clients=clients) for clients in (10, 1000)] == [2, 3]


@pytest.mark.parametrize(("found", "clients"), [({}, 5), ({2: 0.1}, 0)])
def test_a_choice_among_none_or_for_nobody_is_refused(
    found: dict[int, float], clients: int
) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        choose(mixtures(found), clients=clients)


def test_both_ways_find_the_number_of_groups() -> None:
    centroids = 2 * np.eye(4)[:, :3]
    vectors = centroids[np.arange(48) % 4] + 0.05 * stream(1).normal(size=(48, 3))
    moments = read_moments(moments_of(vectors).sum(axis=0), count=48)
    drawn = frame(moments, clusters=6, count=36, rng=stream(2))
    sketch = features(vectors, drawn).mean(axis=0)
    found = {
        k: decode(sketch, drawn, k, moments=moments, clients=48, rng=stream(3, k))
        for k in range(2, 7)
    }
    sums = {
        k: sum(simplified_silhouette(vector, each.centroids) for vector in vectors)
        for k, each in found.items()
    }
    assert choose(found, clients=48) == 4
    assert choose_by_silhouette(sums) == 4


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(1, 5))
def test_a_silhouette_lies_between_zero_and_one(clusters: int, dimension: int) -> None:
    rng = stream(4, clusters, dimension)
    vector, centroids = rng.normal(size=dimension), rng.normal(size=(clusters, dimension))
    assert 0 <= simplified_silhouette(vector, centroids) <= 1


def test_a_vector_at_its_centroid_has_silhouette_one() -> None:
    assert simplified_silhouette(np.array([1.0, 0.0]), np.eye(2)) == 1


def test_a_vector_between_two_centroids_has_silhouette_zero() -> None:
    assert simplified_silhouette(np.array([0.5, 0.5]), np.eye(2)) == 0


@pytest.mark.parametrize("centroids", [np.ones((1, 2)), np.zeros((2, 2))])
def test_one_centroid_or_two_equal_ones_tell_nothing(centroids: NDArray[np.float64]) -> None:
    assert simplified_silhouette(np.zeros(2), centroids) == 0


@pytest.mark.parametrize("centroids", [np.zeros((0, 2)), np.eye(3), np.zeros(2)])
def test_centroids_that_do_not_fit_the_vector_are_refused(centroids: NDArray[np.float64]) -> None:
    with pytest.raises(ConfigError, match="shape"):
        simplified_silhouette(np.zeros(2), centroids)


def test_the_largest_sum_of_silhouettes_wins_and_the_smaller_number_if_two_are_equal() -> None:
    assert choose_by_silhouette({2: 10.0, 3: 12.0, 4: 11.0}) == 3
    assert choose_by_silhouette({4: 12.0, 3: 12.0, 2: 10.0}) == 3


def test_no_sum_of_silhouettes_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        choose_by_silhouette({})
