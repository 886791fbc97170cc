"""What is read of a clustering from a coordinator's store, for either form of it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from secure_clove.clustering.scores import adjusted_rand_index
from secure_clove.errors import NotFoundError
from secure_clove.foundation.ids import ClientId, FederationId
from secure_clove.foundation.trees import Vector
from secure_clove.studies.seen import ended_with, sealed_clusters, shown_vectors
from tests.engine.builders import NAME, Toy

FORMS: Mapping[str, dict[str, Any]] = {
    "noised": {"algorithm": "clove"},
    "visible": {"algorithm": "sealed-clove"},
    "hidden": {"algorithm": "sealed-clove", "options": {"membership": "hidden"}},
}
sealed = pytest.mark.parametrize("form", ["visible", "hidden"])


@pytest.fixture(scope="module")
def runs() -> dict[str, Toy]:
    """Return a finished federation of 12 clients in 3 clusters in each form."""
    found = {}
    for form, changes in FORMS.items():
        found[form] = toy = Toy(changes={**changes, "rounds": 2})
        toy.start()
        toy.run()
    return found


def models(toy: Toy) -> dict[ClientId, Vector]:
    """Return the final model that each client holds."""
    found = {name: participant.model for name, participant in toy.participants.items()}
    return {name: model for name, model in found.items() if model is not None}


def test_vectors_that_were_sent_are_shown_with_their_clients(runs: dict[str, Toy]) -> None:
    toy = runs["noised"]
    assigned = {str(name): model for name, model in toy.assignment().items()}
    seen = shown_vectors(toy.store, NAME, assigned=assigned, truth=toy.truth)
    assert seen is not None
    assert seen.clients == tuple(toy.names)
    assert seen.vectors.shape == (12, 3)
    assert adjusted_rand_index(seen.truth or (), seen.assigned) == 1.0


def test_a_client_without_a_model_has_no_point(runs: dict[str, Toy]) -> None:
    toy = runs["noised"]
    seen = shown_vectors(toy.store, NAME, assigned={"c03": 1}, truth=toy.truth)
    assert seen is not None
    assert seen.clients == ("c03",)


@sealed
def test_a_sealed_clustering_shows_no_vector(runs: dict[str, Toy], form: str) -> None:
    toy = runs[form]
    assigned = {str(name): 0 for name in toy.names}
    assert shown_vectors(toy.store, NAME, assigned=assigned, truth=toy.truth) is None


@sealed
def test_a_sealed_clustering_shows_centroids_and_sizes(runs: dict[str, Toy], form: str) -> None:
    seen = sealed_clusters(runs[form].store, NAME)
    assert seen is not None
    assert seen.centroids.shape == (3, 2)
    assert seen.sizes == (4, 4, 4)
    assert sorted(seen.models) == [0, 1, 2]


def test_vectors_in_the_clear_leave_no_centroids(runs: dict[str, Toy]) -> None:
    assert sealed_clusters(runs["noised"].store, NAME) is None


def test_final_models_tell_the_clusters_that_the_coordinator_cannot(runs: dict[str, Toy]) -> None:
    toy = runs["hidden"]
    assert toy.assignment() == {}
    found = ended_with(toy.store, NAME, models(toy))
    truth = [toy.truth[name] for name in toy.names]
    assert adjusted_rand_index(truth, [found[name] for name in toy.names]) == 1.0


def test_final_models_have_the_numbers_that_the_coordinator_gives_them(
    runs: dict[str, Toy],
) -> None:
    toy = runs["visible"]
    assert ended_with(toy.store, NAME, models(toy)) == toy.assignment()


def test_a_model_of_no_cluster_has_no_number(runs: dict[str, Toy]) -> None:
    strange = {ClientId("c00"): np.array([77.0, 0.0])}
    assert ended_with(runs["hidden"].store, NAME, strange) == {}


def test_a_federation_that_is_not_there_is_named(runs: dict[str, Toy]) -> None:
    with pytest.raises(NotFoundError, match="no such federation"):
        sealed_clusters(runs["hidden"].store, FederationId("other"))
