"""The number of clusters is found where it shows, by either rule and either method."""

import numpy as np
import pytest

from secure_clove.clustering.scores import adjusted_rand_index
from secure_clove.clustering.selection import Method, Selection, group
from secure_clove.errors import ConfigError, DataError
from secure_clove.foundation.seeds import stream


def blobs(count: int, *, size: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(count), size)
    return np.eye(10)[truth] + 0.05 * rng.normal(size=(count * size, 10)), truth


@pytest.mark.parametrize("selection", [Selection.SILHOUETTE, Selection.ELBOW])
@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("count", [2, 3, 5, 7])
def test_the_true_number_is_found(selection: Selection, method: Method, count: int) -> None:
    vectors, truth = blobs(count)
    found = group(vectors, 10, method=method, selection=selection, rng=stream(0))
    assert len(found.centroids) == count
    assert adjusted_rand_index(truth, found.labels) == 1.0


@pytest.mark.parametrize("method", list(Method))
def test_a_known_number_is_kept(method: Method) -> None:
    vectors, _ = blobs(3)
    found = group(vectors, 5, method=method, selection=Selection.KNOWN, rng=stream(0))
    assert len(found.centroids) == 5


@pytest.mark.parametrize("clients", [1, 2])
@pytest.mark.parametrize("selection", list(Selection))
def test_fewer_clients_than_candidates_are_grouped_all_the_same(
    clients: int, selection: Selection
) -> None:
    vectors = np.eye(4)[:clients]
    found = group(vectors, 4, method=Method.KMEANS, selection=selection, rng=stream(0))
    assert 1 <= len(found.centroids) <= clients


@pytest.mark.parametrize("method", list(Method))
def test_equal_vectors_are_one_cluster_or_two_halves_but_never_an_error(method: Method) -> None:
    vectors = np.ones((6, 3))
    found = group(vectors, 4, method=method, selection=Selection.ELBOW, rng=stream(0))
    assert len(found.labels) == 6


def test_the_order_of_clients_does_not_matter() -> None:
    vectors, truth = blobs(4)
    order = np.random.default_rng(1).permutation(len(vectors))
    settings = {"method": Method.AGGLOMERATIVE, "selection": Selection.SILHOUETTE}
    found = group(vectors[order], 10, rng=stream(0), **settings)  # type: ignore[arg-type]
    assert adjusted_rand_index(truth[order], found.labels) == 1.0


def test_a_search_over_fewer_than_two_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 2"):
        group(np.eye(3), 1, method=Method.KMEANS, selection=Selection.ELBOW, rng=stream(0))


@pytest.mark.parametrize("method", list(Method))
def test_a_vector_that_is_not_finite_is_refused(method: Method) -> None:
    vectors = np.full((4, 3), np.nan)
    with pytest.raises(DataError, match="finite"):
        group(vectors, 3, method=method, selection=Selection.SILHOUETTE, rng=stream(0))
