"""Models that start as one (clove.txt, section 5.2): the first clustering sees nothing to go by."""

from typing import Any

import numpy as np
import pytest

from secure_clove.foundation.trees import Vector
from tests.algorithms.builders import DIMENSION, crowd, initial, partition
from tests.algorithms.test_clove import clove, gathered
from tests.builders import Room, room

WAYS = [
    {"method": method, "selection": selection, "centred": centred}
    for method in ("kmeans", "agglomerative")
    for selection in ("known", "silhouette", "elbow")
    for centred in (True, False)
]


def alike(clusters: int, *, probes: int = 0) -> Vector:
    """Return ``clusters`` equal models and different probes behind them."""
    models = np.stack([initial(1)[0]] * clusters)
    return np.concatenate([models, initial(probes, seed=1)]) if probes else models


def played(rounds: int, clusters: int = 3, **options: Any) -> tuple[Room, dict[Any, int]]:
    table, truth = gathered(clusters, models=alike(clusters), clustering_rounds=9, **options)
    for _ in range(rounds):
        table.play()
    return table, truth


@pytest.mark.parametrize("options", WAYS)
def test_equal_models_are_clustered_somehow(options: dict[str, Any]) -> None:
    table, truth = played(1, first_assignment="evaluated", **options)
    assert set(table.state.assignment) == set(truth)
    assert np.isfinite(table.state.centroids).all()


@pytest.mark.parametrize("seed", range(3))
def test_where_nothing_tells_clients_apart_all_train_one_model(seed: int) -> None:
    """Equal columns, centred, are zero vectors, whatever a client loses."""
    table, _ = gathered(3, seed=seed, models=np.zeros((3, DIMENSION)))
    table.play()
    assert len(set(table.state.assignment.values())) == 1


@pytest.mark.parametrize("options", WAYS)
def test_training_after_it_separates_the_models(options: dict[str, Any]) -> None:
    table, _ = played(3, first_assignment="evaluated", **options)
    assert len(np.unique(table.state.models, axis=0)) > 1


@pytest.mark.parametrize("clusters", [2, 3, 4, 5])
def test_from_a_random_first_assignment_the_true_clusters_are_found(clusters: int) -> None:
    table, truth = played(4, clusters, first_assignment="random")
    assert partition(table.state.assignment) == partition(truth)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("clusters", [2, 3, 4])
def test_from_an_evaluated_first_assignment_they_are_found_once_training_tells_models_apart(
    clusters: int, centred: bool
) -> None:
    table, truth = played(5, clusters, first_assignment="evaluated", centred=centred)
    assert partition(table.state.assignment) == partition(truth)


def test_probes_behind_equal_models_tell_the_clusters_apart_in_the_first_round() -> None:
    learners, truth = crowd(3)
    table = room(clove(3, probes=4), alike(3, probes=4), learners)
    table.play()
    assert partition(table.state.assignment) == partition(truth)
