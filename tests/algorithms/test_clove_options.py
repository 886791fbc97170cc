"""What the paper varies: unknown K, methods, first assignments, square roots, no matching."""

from typing import Any

import numpy as np
import pytest

from secure_clove.errors import ConfigError
from tests.algorithms.builders import DIMENSION, crowd, initial, partition
from tests.algorithms.test_clove import clove, gathered
from tests.builders import room


@pytest.mark.parametrize("selection", ["silhouette", "elbow"])
@pytest.mark.parametrize("method", ["kmeans", "agglomerative"])
@pytest.mark.parametrize("truth", [2, 3, 4])
def test_an_unknown_number_of_clusters_is_found(selection: str, method: str, truth: int) -> None:
    learners, clusters = crowd(truth, 5)
    algorithm = clove(8, selection=selection, method=method)
    table = room(algorithm, 5.0 * initial(8), learners)
    for _ in range(3):
        table.play()
    assert partition(table.state.assignment) == partition(clusters)


@pytest.mark.parametrize("method", ["kmeans", "agglomerative"])
def test_either_method_finds_a_known_number(method: str) -> None:
    table, truth = gathered(3, method=method)
    for _ in range(2):
        table.play()
    assert partition(table.state.assignment) == partition(truth)


def test_a_random_first_assignment_asks_for_no_losses_in_round_one() -> None:
    table, _ = gathered(3, first_assignment="random")
    table.play()
    table.play()
    assert table.held == [["train"], ["losses", "train"]]


def test_a_random_first_assignment_still_finds_the_clusters() -> None:
    table, truth = gathered(3, first_assignment="random")
    for _ in range(3):
        table.play()
    assert partition(table.state.assignment) == partition(truth)


def test_a_random_first_assignment_depends_on_the_seed_alone() -> None:
    first, second = (gathered(3, first_assignment="random")[0] for _ in range(2))
    first.play()
    second.play()
    assert first.state.assignment == second.state.assignment


def test_square_roots_find_the_same_clusters_where_losses_are_clear() -> None:
    table, truth = gathered(3, square_root=True, centred=False)
    for _ in range(2):
        table.play()
    assert partition(table.state.assignment) == partition(truth)


def test_without_centring_the_vectors_are_the_papers() -> None:
    table, _ = gathered(3, centred=False)
    table.play()
    replies = {c: one.embedding(table.state.saved) for c, one in table.learners.items()}
    members = [c for c, model in table.state.assignment.items() if model == 0]
    centre = table.state.centroids[table.state.centroid_models.index(0)]
    np.testing.assert_allclose(np.mean([replies[c] for c in members], axis=0), centre)


def test_without_matching_clusters_take_models_in_their_own_order() -> None:
    table, _ = gathered(3, matching=False)
    table.play()
    assert table.state.centroid_models == (0, 1, 2)


def test_averaging_models_after_one_step_is_averaging_gradients() -> None:
    """Option II: theta - gamma * sum(n g) / sum(n), with one step of SGD on every client."""
    rng = np.random.default_rng(0)
    theta, gamma = rng.normal(size=DIMENSION), 0.1
    gradients, counts = rng.normal(size=(4, DIMENSION)), np.array([3.0, 5.0, 7.0, 9.0])
    models = theta - gamma * gradients
    averaged = (counts[:, None] * models).sum(axis=0) / counts.sum()
    stepped = theta - gamma * (counts[:, None] * gradients).sum(axis=0) / counts.sum()
    np.testing.assert_allclose(averaged, stepped)


@pytest.mark.parametrize(
    "bad",
    [{"method": "magic"}, {"selection": "magic"}, {"first_assignment": "magic"}, {"method": 3}],
)
def test_an_option_of_another_word_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        clove(3, **bad)
