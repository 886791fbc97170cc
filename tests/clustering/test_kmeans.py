"""k-means: what it finds, what it does when clients are few or alike, and that it repeats."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from secure_clove.clustering.kmeans import Clustering, cluster, nearest
from secure_clove.clustering.scores import adjusted_rand_index
from secure_clove.errors import ConfigError, DataError
from secure_clove.foundation.seeds import stream

Vectors = NDArray[np.float64]

NEAR = st.sampled_from([0.0, 1.0, 1 + 1e-15, 1 + 1e-9, 1 + 1e-6, 1.000002, -3.0, 1e-300, 1e6])


def blobs(groups: int, members: int) -> tuple[Vectors, NDArray[np.int64]]:
    truth = np.tile(np.arange(groups), members)
    return np.eye(groups)[truth] + 0.05 * stream(1).normal(size=(len(truth), groups)), truth


def test_separate_groups_are_found() -> None:
    vectors, truth = blobs(5, 5)
    assert adjusted_rand_index(truth, cluster(vectors, 5, stream(2)).labels) == 1


def test_the_same_stream_gives_the_same_clustering() -> None:
    vectors = stream(3).normal(size=(40, 4))
    one, two = (cluster(vectors, 4, stream(4)) for _ in range(2))
    np.testing.assert_array_equal(one.labels, two.labels)
    np.testing.assert_array_equal(one.centroids, two.centroids)


def test_clusters_are_numbered_by_first_appearance_whatever_the_seed() -> None:
    vectors, truth = blobs(4, 3)
    for seed in range(3):
        np.testing.assert_array_equal(cluster(vectors, 4, stream(seed)).labels, truth)


def test_a_centroid_is_the_mean_of_its_members() -> None:
    vectors, _ = blobs(3, 4)
    found = cluster(vectors, 3, stream(5))
    expected = [vectors[found.labels == label].mean(axis=0) for label in range(3)]
    np.testing.assert_allclose(found.centroids, expected)


def test_the_scale_and_origin_of_the_losses_do_not_matter() -> None:
    vectors, _ = blobs(3, 4)
    here = cluster(vectors, 3, stream(5)).labels
    np.testing.assert_array_equal(cluster(1e-9 * vectors + 7, 3, stream(5)).labels, here)


def test_fewer_clients_than_clusters_are_a_cluster_each() -> None:
    found = cluster(np.eye(3), 5, stream(6))
    np.testing.assert_array_equal(found.labels, [0, 1, 2])
    np.testing.assert_allclose(found.centroids, np.eye(3))


def test_equal_vectors_are_one_cluster() -> None:
    found = cluster(np.full((6, 3), 0.1), 4, stream(7))
    np.testing.assert_array_equal(found.labels, np.zeros(6))


def test_two_distinct_vectors_are_two_clusters() -> None:
    found = cluster(np.array([[0.0, 1], [0, 1], [1, 0], [1, 0]]), 3, stream(8))
    np.testing.assert_array_equal(found.labels, [0, 0, 1, 1])


@settings(max_examples=25, deadline=None)
@given(arrays(np.float64, (7, 2), elements=NEAR), st.integers(1, 9))
def test_near_duplicates_never_warn_and_leave_no_cluster_empty(
    vectors: Vectors, clusters: int
) -> None:
    found = cluster(vectors, clusters, stream(9))
    assert len(found.centroids) <= clusters
    assert set(found.labels) == set(range(len(found.centroids)))


@pytest.mark.parametrize("clusters", [0, -1])
def test_no_cluster_is_refused(clusters: int) -> None:
    with pytest.raises(ConfigError, match="at least 1 cluster"):
        cluster(np.eye(3), clusters, stream(0))


@pytest.mark.parametrize("vectors", [np.zeros((0, 3)), np.zeros(3), np.full((2, 2), math.nan)])
def test_vectors_that_cannot_be_clustered_are_refused(vectors: Vectors) -> None:
    with pytest.raises(DataError, match="finite vectors"):
        cluster(vectors, 2, stream(0))


def test_a_newcomer_goes_to_the_closest_centroid() -> None:
    assert nearest(np.eye(3), np.array([0.1, 0.8, 0.3])) == 1


def test_a_newcomer_between_two_centroids_goes_to_the_first() -> None:
    assert nearest(np.array([[1.0, 0], [0, 1]]), np.array([0.5, 0.5])) == 0


def test_every_member_of_a_settled_clustering_is_nearest_to_its_own_centroid() -> None:
    vectors, truth = blobs(4, 5)
    found = cluster(vectors, 4, stream(1))
    assert [nearest(found.centroids, v) for v in vectors] == truth.tolist()


@pytest.mark.parametrize("labels", [[0, 2], [1, 1], [0, 0], [-1, 1]])
def test_a_clustering_whose_labels_do_not_number_its_centroids_is_refused(
    labels: list[int],
) -> None:
    with pytest.raises(ConfigError, match="every number"):
        Clustering(labels=np.array(labels), centroids=np.eye(2))


def test_a_clustering_with_flat_centroids_is_refused() -> None:
    with pytest.raises(ConfigError, match="shape"):
        Clustering(labels=np.array([0]), centroids=np.zeros(1))
