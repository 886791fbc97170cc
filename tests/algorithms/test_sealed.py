"""Sealed CLoVE: the clusters of the clear form, from sums alone."""

from typing import Any

import numpy as np
import pytest

from secure_clove.algorithms.base import Reveal
from secure_clove.algorithms.sealed import SealedClove
from secure_clove.algorithms.sealed_state import SealedOwn
from secure_clove.errors import ConfigError, LocalProtocolError, RemoteProtocolError
from secure_clove.foundation.ids import ClientId
from tests.algorithms.builders import DIMENSION, crowd, initial, partition
from tests.builders import Room, names, room

both = pytest.mark.parametrize("membership", ["visible", "hidden"])


def sealed(**options: Any) -> SealedClove:
    return SealedClove(**({"parameters": DIMENSION, "clusters": 3, "seed": 0} | options))


def gathered(**options: Any) -> tuple[Room, dict[ClientId, int]]:
    learners, truth = crowd(3, 6)
    algorithm = sealed(**options)
    return room(algorithm, initial(algorithm.initial_models), learners), truth


def picks(table: Room) -> dict[ClientId, int]:
    return {client: own.pick for client, own in table.owns.items()}


@both
def test_the_clusters_are_found(membership: str) -> None:
    table, truth = gathered(membership=membership)
    table.play()
    table.play()
    assert partition(picks(table)) == partition(truth)


def test_with_visible_membership_the_coordinator_knows_them() -> None:
    table, truth = gathered()
    table.play()
    assert partition(table.algorithm.standing(table.state).assignment) == partition(truth)


def test_with_hidden_membership_it_learns_nothing_per_client() -> None:
    table, _ = gathered(membership="hidden")
    for _ in range(4):
        table.play()
    assert not table.state.assignment
    assert all(exchange.reveal is Reveal.SUM for exchange in table.algorithm.exchanges)


@both
def test_the_models_reach_the_points_of_their_clusters(membership: str) -> None:
    table, truth = gathered(membership=membership)
    for _ in range(6):
        table.play()
    for client in truth:
        np.testing.assert_allclose(table.model(client), table.learners[client].point, atol=1.0)


def test_both_memberships_train_the_same_models() -> None:
    one, _ = gathered(membership="visible")
    other, _ = gathered(membership="hidden")
    for table in (one, other):
        table.play()
        table.play()
    np.testing.assert_allclose(one.state.table, other.state.table, atol=1e-9)


@pytest.mark.parametrize("selection", ["residual", "silhouette"])
def test_an_unknown_number_of_clusters_is_found(selection: str) -> None:
    table, truth = gathered(clusters=5, selection=selection)
    for _ in range(3):
        table.play()
    assert partition(table.state.assignment) == partition(truth)


def test_a_round_of_clustering_is_these_exchanges() -> None:
    table, _ = gathered()
    table.play()
    assert table.held == [["moments", "sketch", "join", "train"]]


def test_clustering_ends_with_stability() -> None:
    table, _ = gathered(stable_rounds=2, clustering_rounds=5)
    for _ in range(4):
        table.play()
    assert table.held[-1] == ["train"]


def test_clustering_ends_with_the_last_clustering_round() -> None:
    table, _ = gathered(stable_rounds=9, clustering_rounds=2)
    for _ in range(3):
        table.play()
    assert [round_[0] for round_ in table.held] == ["moments", "moments", "train"]


@both
def test_a_newcomer_finds_its_cluster_by_the_saved_centroids(membership: str) -> None:
    table, truth = gathered(membership=membership, stable_rounds=1, clustering_rounds=1)
    late = names(2)
    table.play(cohort=[client for client in truth if client not in late])
    table.play()
    assert table.held[-1] == ["arrive", "train"]
    assert partition(picks(table)) == partition(truth)


def test_a_client_that_is_placed_is_not_asked_again() -> None:
    table, _ = gathered(clustering_rounds=1)
    table.play(cohort=names(15))
    table.play()
    table.play()
    assert [round_[0] for round_ in table.held] == ["moments", "arrive", "train"]


def test_the_members_of_a_cluster_too_small_to_hide_one_choose_again() -> None:
    learners, truth = crowd(3, 6)
    few = [c for c in truth if truth[c] == 0][:2]
    kept = {c: one for c, one in learners.items() if truth[c] != 0 or c in few}
    algorithm = sealed(smallest=3)
    table = room(algorithm, initial(3), kept)
    table.play()
    assert table.held == [["moments", "sketch", "join", "rejoin", "train"]]
    sizes = np.bincount(list(table.state.assignment.values()), minlength=3)
    assert sorted(sizes.tolist()) == [0, 6, 8]


def test_a_client_that_lost_its_vector_leaves_every_sum_as_it_is() -> None:
    table, _ = gathered(membership="hidden")
    table.play()
    algorithm, state = table.algorithm, table.state
    exchanges = {exchange.name: exchange for exchange in algorithm.exchanges}
    state = algorithm.begin(state, 2, names(18))
    state = exchanges["moments"].fold(state, table.replies(exchanges["moments"]))
    table.state, lost = state, names(1)[0]
    table.owns[lost] = SealedOwn()
    assert not any(value.any() for value in table.reply(exchanges["sketch"], lost).values())
    assert not any(value.any() for value in table.reply(exchanges["join"], lost).values())
    assert not any(value.any() for value in table.reply(exchanges["train"], lost).values())


def test_a_round_without_a_sum_keeps_what_stood() -> None:
    table, truth = gathered()
    table.play()
    before = table.state.assignment
    state = table.algorithm.begin(table.state, 2, names(18))
    exchange = table.algorithm.next(state)
    assert exchange is not None
    after = exchange.fold(state, table.replies(exchange, lost=truth))
    assert (after.step, after.assignment) == ("train", before)


def test_every_answer_of_a_round_comes_from_one_vector() -> None:
    table, _ = gathered()
    state = table.algorithm.begin(table.state, 1, names(18))
    vectors = []
    while (exchange := table.algorithm.next(state)) is not None:
        table.state = state
        state = exchange.fold(state, table.replies(exchange))
        vectors.append(np.stack([table.owns[client].vector for client in names(18)]))
    assert all(np.array_equal(vectors[0], later) for later in vectors)


def test_another_coin_draws_other_frequencies() -> None:
    axes, parts = np.eye(2), sealed().parts
    one = parts.drawn(bytes(32), axes=axes, scale=1.0)
    other = parts.drawn(bytes(31) + b"\1", axes=axes, scale=1.0)
    assert not np.allclose(one, other)


def test_a_sketch_before_the_moments_is_refused() -> None:
    table, _ = gathered()
    sketch = next(x for x in table.algorithm.exchanges if x.name == "sketch")
    with pytest.raises(LocalProtocolError, match="follows the moments"):
        sketch.ask(table.state, names(1)[0])


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"clusters": 1}, "at least 2 clusters"),
        ({"membership": "secret"}, "membership is one of visible, hidden"),
        ({"selection": "elbow"}, "selection of a sealed clustering"),
        ({"features": -1}, "probes and features"),
        ({"probes": 0.5}, "probes and features"),
        ({"stable_rounds": 0}, "whole numbers from 1"),
        ({"stable_share": 0.0}, "stable_share"),
        ({"shared_parameters": DIMENSION}, "shared_parameters"),
    ],
)
def test_settings_that_cannot_work_are_refused(options: dict[str, Any], cause: str) -> None:
    with pytest.raises(ConfigError, match=cause):
        sealed(**options)


@both
def test_more_centroids_than_models_are_refused(membership: str) -> None:
    table, _ = gathered(membership=membership)
    table.play()
    client = names(1)[0]
    join = next(x for x in table.algorithm.exchanges if x.name == "join")
    ask = dict(join.ask(table.state, client))
    ask["centroids"] = np.concatenate([ask["centroids"], ask["centroids"]])
    with pytest.raises(RemoteProtocolError, match="6 centroids are published for 3 models"):
        join.work(table.owns[client], ask, table.learners[client])
