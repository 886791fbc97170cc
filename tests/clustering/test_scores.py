"""Scores of partitions: known answers, identities, and where they are undefined."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from secure_clove.clustering.scores import adjusted_rand_index, agreement, silhouette
from secure_clove.errors import ConfigError
from secure_clove.foundation.seeds import stream

PARTITIONS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=8, max_size=20).map(
    lambda pairs: tuple(zip(*pairs, strict=True))
)


@pytest.mark.parametrize(
    ("truth", "labels", "expected"),
    [
        ([0, 0, 1, 1], [1, 1, 0, 0], 1.0),
        ([0, 0, 1, 2], [0, 0, 1, 1], 4 / 7),
        ([0, 0, 1, 1], [0, 0, 1, 2], 4 / 7),
        ([0, 0, 0, 0], [0, 1, 2, 3], 0.0),
        ([0, 0, 1, 1], [0, 1, 0, 1], -0.5),
        ([0, 0, 0], [5, 5, 5], 1.0),
        ([0, 1, 2], [2, 0, 1], 1.0),
        ([3], [4], 1.0),
    ],
)
def test_the_adjusted_rand_index_has_its_known_values(
    truth: list[int], labels: list[int], expected: float
) -> None:
    assert adjusted_rand_index(truth, labels) == pytest.approx(expected, abs=1e-15)


@settings(deadline=None)
@given(PARTITIONS)
def test_the_adjusted_rand_index_agrees_with_scikit_learn(
    partitions: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    assert adjusted_rand_index(*partitions) == pytest.approx(adjusted_rand_score(*partitions))


@settings(deadline=None)
@given(PARTITIONS)
def test_the_adjusted_rand_index_is_symmetric(
    partitions: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    assert adjusted_rand_index(*partitions) == adjusted_rand_index(*partitions[::-1])


def test_an_unchanged_partition_agrees_fully_under_other_names() -> None:
    assert agreement([0, 0, 1, 2], [2, 2, 0, 1]) == 1


@pytest.mark.parametrize(("truth", "labels"), [([0, 1], [0]), ([], [])])
def test_partitions_of_other_clients_are_refused(truth: list[int], labels: list[int]) -> None:
    with pytest.raises(ConfigError, match="same clients"):
        adjusted_rand_index(truth, labels)


def test_compact_and_distant_clusters_have_a_silhouette_near_one() -> None:
    vectors = np.array([[0.0, 0], [0, 0.01], [9, 9], [9, 9.01]])
    score = silhouette(vectors, np.array([0, 0, 1, 1]))
    assert score is not None
    assert score > 0.99


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]])
def test_the_silhouette_of_one_cluster_or_of_single_clients_is_undefined(labels: list[int]) -> None:
    assert silhouette(np.eye(3), np.array(labels)) is None


def test_many_small_clusters_are_scored_without_a_warning() -> None:
    labels = np.arange(30) // 2
    score = silhouette(stream(1).normal(size=(30, 4)), labels)
    assert score is not None
    assert -1 <= score <= 1
