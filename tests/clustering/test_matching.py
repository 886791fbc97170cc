"""The matching of clusters to models: least total loss, each model once."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from secure_clove.clustering.matching import models_of_clusters
from secure_clove.errors import ConfigError

Vectors = NDArray[np.float64]
LOSSES = arrays(np.float64, (6, 4), elements=st.floats(-5, 5))
LABELS = arrays(np.int64, 6, elements=st.integers(0, 3))


def match(vectors: Vectors, labels: NDArray[np.int64], *, models: int) -> NDArray[np.int64]:
    return models_of_clusters(vectors, labels, models=models)[labels]


def cost(vectors: Vectors, models: Vectors | NDArray[np.int64]) -> float:
    return float(vectors[np.arange(len(vectors)), models].sum())


@settings(deadline=None)
@given(LOSSES, LABELS)
def test_no_other_assignment_of_models_to_clusters_costs_less(
    vectors: Vectors, labels: NDArray[np.int64]
) -> None:
    found = cost(vectors, match(vectors, labels, models=4))
    best = min(cost(vectors, np.array(p)[labels]) for p in permutations(range(4)))
    assert found == pytest.approx(best, abs=1e-9)


@settings(deadline=None)
@given(LOSSES, LABELS)
def test_no_model_serves_two_clusters(vectors: Vectors, labels: NDArray[np.int64]) -> None:
    models = models_of_clusters(vectors, labels, models=4).tolist()
    assert len(set(models)) == len(models) == labels.max() + 1


@settings(deadline=None)
@given(LOSSES, LABELS, arrays(np.float64, (6, 1), elements=st.floats(-5, 5)))
def test_centring_the_vectors_costs_no_more(
    vectors: Vectors, labels: NDArray[np.int64], common: Vectors
) -> None:
    moved = match(vectors + common, labels, models=4)
    here = match(vectors, labels, models=4)
    assert cost(vectors, moved) == pytest.approx(cost(vectors, here), abs=1e-9)


def test_members_add_up() -> None:
    vectors = np.array([[0.0, 1], [3, 0], [3, 0], [0, 0.5]])  # one client outvoted by two
    found = match(vectors, np.array([0, 0, 0, 1]), models=2)
    np.testing.assert_array_equal(found, [1, 1, 1, 0])


def test_greedy_choice_is_beaten() -> None:
    vectors = np.array([[1.0, 2.0], [1.1, 9.0]])  # both want model 0; cluster 1 needs it more
    np.testing.assert_array_equal(match(vectors, np.array([0, 1]), models=2), [1, 0])


def test_fewer_clusters_than_models_leave_models_unused() -> None:
    vectors = np.array([[5.0, 5, 1], [1, 5, 5]])
    np.testing.assert_array_equal(match(vectors, np.array([0, 1]), models=3), [2, 0])


def test_more_clusters_than_models_are_refused() -> None:
    with pytest.raises(ConfigError, match="2 clusters expected for 2 models"):
        match(np.ones((3, 2)), np.array([0, 1, 2]), models=2)


@pytest.mark.parametrize(
    ("vectors", "labels"),
    [
        (np.ones((3, 2)), np.array([0, 1])),
        (np.ones((3, 3)), np.array([0, 1, 1])),
        (np.ones(2), np.array([0, 1])),
        (np.ones((2, 2)), np.array([0, -1])),
        (np.ones((0, 2)), np.array([], dtype=np.int64)),
    ],
)
def test_labels_and_vectors_that_do_not_fit_are_refused(
    vectors: Vectors, labels: NDArray[np.int64]
) -> None:
    with pytest.raises(ConfigError, match="expected"):
        match(vectors, labels, models=2)
