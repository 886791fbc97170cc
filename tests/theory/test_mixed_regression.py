"""Separation, one-shot recovery and convergence (clove.txt, section 4 and appendix A)."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import gammaln

from secure_clove.clustering.kmeans import cluster
from secure_clove.clustering.matching import models_of_clusters
from secure_clove.clustering.scores import adjusted_rand_index
from secure_clove.data.synthetic import NOISE, MixedRegression, mixed_linear_regression
from secure_clove.foundation.seeds import Rng, stream

Array = NDArray[np.float64]
EXAMPLES = 400
RATE = 0.45
"""Of a step on a squared error, whose curvature is 2 in every direction."""


def problem(seed: int, *, clusters: int = 4, separation: float = 1.0) -> MixedRegression:
    return mixed_linear_regression(
        clusters=clusters,
        clients_per_cluster=6,
        examples=EXAMPLES,
        test_examples=1,
        separation=separation,
        seed=seed,
    )


def orthonormal(seed: int, dimension: int = 20) -> Array:
    """Return d random orthonormal models, as the theory initialises CLoVE."""
    models: Array = np.linalg.qr(stream(seed, "models").normal(size=(dimension, dimension)))[0]
    return models


def proximal(optima: Array, seed: int, *, separation: float) -> Array:
    """Return models within a quarter of the separation of their optima."""
    steps = stream(seed, "steps").normal(size=optima.shape)
    reach = stream(seed, "reach").uniform(0, separation / 4, size=(len(optima), 1))
    moved: Array = optima + reach * steps / np.linalg.norm(steps, axis=1, keepdims=True)
    return moved


def expected_vectors(models: Array, optima: Array) -> Array:
    """Return c_k(theta), the mean square-root loss vector of each cluster."""
    distance = np.linalg.norm(models[None] - optima[:, None], axis=2)
    alpha = np.sqrt(distance**2 + NOISE**2)
    log_mean = 0.5 * np.log(2) + gammaln((EXAMPLES + 1) / 2) - gammaln(EXAMPLES / 2)
    found: Array = alpha * np.exp(log_mean) / np.sqrt(EXAMPLES)  # E chi(n) / sqrt(n)
    return found


def square_root_losses(models: Array, data: MixedRegression) -> tuple[Array, list[int]]:
    vectors = [
        np.sqrt(((d.train_x @ models.T - d.train_y) ** 2).mean(axis=0))
        for d in data.clients.values()
    ]
    return np.stack(vectors), [data.truth[client] for client in data.clients]


def least_distance(vectors: Array) -> float:
    return float(min(np.linalg.norm(a - b) for a, b in combinations(vectors, 2)))


def separation_of(optima: Array) -> float:
    return least_distance(optima)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6))
def test_orthonormal_models_keep_clusters_half_their_separation_apart(seed: int) -> None:
    optima = problem(seed).optima
    found = least_distance(expected_vectors(orthonormal(seed), optima))
    assert found >= separation_of(optima) / 2  # Lemma A.1


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6))
def test_proximal_models_keep_clusters_half_their_separation_apart(seed: int) -> None:
    optima = problem(seed).optima
    separation = separation_of(optima)
    models = proximal(optima, seed, separation=separation)
    assert least_distance(expected_vectors(models, optima)) > separation / 2  # Lemma A.2


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 10**6))
def test_the_means_of_square_root_losses_are_those_of_the_theory(seed: int) -> None:
    data, models = problem(seed), orthonormal(seed)
    vectors, truth = square_root_losses(models, data)
    expected = expected_vectors(models, data.optima)
    for k in range(len(data.optima)):
        mean = vectors[np.array(truth) == k].mean(axis=0)
        np.testing.assert_allclose(mean, expected[k], rtol=0.1)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6), st.booleans())
def test_clusters_are_recovered_in_one_shot(seed: int, is_proximal: bool) -> None:
    data = problem(seed)
    separation = separation_of(data.optima)
    models = orthonormal(seed)
    if is_proximal:
        models = proximal(data.optima, seed, separation=separation)
    vectors, truth = square_root_losses(models, data)
    found = cluster(vectors, len(data.optima), stream(seed, "k-means"))
    assert adjusted_rand_index(truth, found.labels) == 1.0  # Theorem 4.1


@pytest.mark.parametrize("seed", range(5))
def test_models_approach_their_optima_exponentially_fast(seed: int) -> None:
    """Theorem 4.2, with d orthonormal models in the first round and the K matched ones after."""
    data = problem(seed)
    models, distances = orthonormal(seed), []
    for round_ in range(6):
        models, distance = next_round(models, data, stream(seed, "k-means", round_))
        distances.append(distance)
    factors = np.array(distances[1:]) / np.array(distances[:-1])
    assert distances[0] < separation_of(data.optima) / 4  # Lemma A.13: proximal after one round
    assert (factors < 0.5).all()


def next_round(models: Array, data: MixedRegression, rng: Rng) -> tuple[Array, float]:
    """Return the models of the clusters after a round of Option II, and the largest distance."""
    vectors, truth = square_root_losses(models, data)
    found = cluster(vectors, len(data.optima), rng)
    assert adjusted_rand_index(truth, found.labels) == 1.0
    matched = models[models_of_clusters(vectors, found.labels, models=len(models))]
    gradients, counts = np.zeros_like(matched), np.zeros((len(matched), 1))
    of_cluster = dict(zip(found.labels.tolist(), truth, strict=True))
    for label, d in zip(found.labels, data.clients.values(), strict=True):
        error = d.train_x @ matched[label] - d.train_y[:, 0]
        gradients[label] += 2 * d.train_x.T @ error
        counts[label] += len(error)
    moved = matched - RATE * gradients / counts
    gaps = [np.linalg.norm(moved[label] - data.optima[k]) for label, k in of_cluster.items()]
    return moved, float(max(gaps))
