"""IFCA: clients pick in silence, the coordinator sees one sum, and the picks can collapse."""

import numpy as np
import pytest

from secure_clove.algorithms.base import Replies, Reveal
from secure_clove.algorithms.clove import Clove
from secure_clove.algorithms.ifca import Ifca
from secure_clove.errors import ConfigError
from secure_clove.foundation.trees import Vector
from tests.algorithms.builders import DIMENSION, centres, crowd, partition
from tests.builders import PointLearner, Room, names, room


def gathered(models: Vector, *, clusters: int = 3) -> tuple[Room, dict[str, int]]:
    learners, truth = crowd(clusters)
    algorithm = Ifca(parameters=DIMENSION, clusters=clusters, seed=0)
    return room(algorithm, models, learners), {str(c): k for c, k in truth.items()}


def near_the_truth() -> Vector:
    return 0.6 * centres(3)[[2, 0, 1]]


def test_each_client_picks_the_model_that_loses_least() -> None:
    table, truth = gathered(near_the_truth())
    table.play()
    model_of = {2: 0, 0: 1, 1: 2}
    assert {str(c): own.pick for c, own in table.owns.items()} == {
        client: model_of[cluster] for client, cluster in truth.items()
    }


def test_a_reply_fills_the_slot_of_the_pick_alone() -> None:
    table, _ = gathered(near_the_truth())
    table.play()
    train = table.algorithm.exchanges[0]
    for client in table.learners:
        reply = table.reply(train, client)
        others = [k for k in range(3) if k != table.owns[client].pick]
        for name, value in reply.items():
            assert value.shape[0] == 3
            assert not value[others].any(), name
        assert reply["examples"].sum() == table.learners[client].examples


def test_every_slot_moves_by_the_weighted_mean_of_those_who_picked_it() -> None:
    table, _ = gathered(near_the_truth())
    table.play()
    for model in range(3):
        pickers = [table.learners[c] for c, own in table.owns.items() if own.pick == model]
        expected = np.average(
            [one.train(near_the_truth()[model]) for one in pickers],
            axis=0,
            weights=[one.examples for one in pickers],
        )
        np.testing.assert_allclose(table.state.models[model], expected)


def test_a_model_that_nobody_picks_stays() -> None:
    models = near_the_truth()
    models[1] = 100.0
    table, _ = gathered(models)
    table.play()
    np.testing.assert_array_equal(table.state.models[1], models[1])


def test_the_coordinator_sees_one_sum_and_no_assignment() -> None:
    table, _ = gathered(near_the_truth())
    table.play()
    (train,) = table.algorithm.exchanges
    assert train.reveal is Reveal.SUM
    assert {train.group(table.state, client) for client in table.learners} == {0}
    assert table.algorithm.standing(table.state).assignment == {}


def test_everybody_is_asked_about_the_same_models() -> None:
    table, _ = gathered(near_the_truth())
    asks = [table.algorithm.exchanges[0].ask(table.state, client) for client in table.learners]
    for ask in asks:
        np.testing.assert_array_equal(ask["models"], near_the_truth())


def test_a_client_takes_the_model_home_that_it_picked_last() -> None:
    table, _ = gathered(near_the_truth())
    table.play()
    for client, own in table.owns.items():
        np.testing.assert_array_equal(table.model(client), table.state.models[own.pick])


def test_an_empty_training_changes_nothing_and_the_round_ends() -> None:
    table, _ = gathered(near_the_truth())
    table.play()
    state = table.algorithm.begin(table.state, 2, names(4))
    after = table.algorithm.exchanges[0].fold(state, Replies())
    np.testing.assert_array_equal(after.models, state.models)
    assert table.algorithm.next(after) is None


def one_good_model() -> Vector:
    """Return initial models of which one loses less than all others, for every client."""
    return np.stack([np.zeros(DIMENSION), 20.0 * np.ones(DIMENSION), -20.0 * np.ones(DIMENSION)])


def test_from_a_bad_start_all_clients_pick_one_model_for_ever() -> None:
    """The known failure: Figure 1 of the CLoVE paper, "all clients select the same model"."""
    table, _ = gathered(one_good_model())
    for _ in range(10):
        table.play()
        assert {own.pick for own in table.owns.values()} == {0}
    np.testing.assert_array_equal(table.state.models[1:], one_good_model()[1:])


def test_from_the_same_bad_start_clove_finds_the_clusters_at_once() -> None:
    learners, truth = crowd(3)
    lopsided = one_good_model() * np.linspace(0.5, 1.5, DIMENSION)
    lopsided[2] = 20.0 * np.eye(DIMENSION)[0] - 20.0
    assert {int(np.argmin(one.embedding(lopsided))) for one in learners.values()} == {0}
    table = room(Clove(parameters=DIMENSION, clusters=3, seed=0), lopsided, learners)
    table.play()
    assert partition(table.state.assignment) == partition(truth)


def test_a_tie_is_broken_by_the_lowest_number() -> None:
    learner = PointLearner(point=np.zeros(DIMENSION))
    table = room(
        Ifca(parameters=DIMENSION, clusters=2, seed=0),
        np.ones((2, DIMENSION)),
        {names(1)[0]: learner},
    )
    table.play()
    assert table.owns[names(1)[0]].pick == 0


@pytest.mark.parametrize("clusters", [1, 0, -1])
def test_fewer_than_two_clusters_are_refused(clusters: int) -> None:
    with pytest.raises(ConfigError, match="at least 2 clusters"):
        Ifca(parameters=DIMENSION, clusters=clusters, seed=0)


def test_no_such_first_assignment_is_refused() -> None:
    with pytest.raises(ConfigError, match="evaluated, random"):
        Ifca(parameters=DIMENSION, clusters=2, seed=0, first_assignment="best")


def test_the_picks_of_round_1_may_be_drawn_and_later_ones_are_the_clients_own() -> None:
    learners, truth = crowd(3)
    algorithm = Ifca(parameters=DIMENSION, clusters=3, seed=1, first_assignment="random")
    table = room(algorithm, near_the_truth(), learners)
    table.play()
    drawn = table.state.drawn
    assert {client: own.pick for client, own in table.owns.items()} == drawn
    assert len({drawn[c] for c, cluster in truth.items() if cluster == 0}) > 1
    table.play()
    assert not table.state.drawn
    for cluster in range(3):
        picks = {table.owns[client].pick for client, k in truth.items() if k == cluster}
        assert len(picks) == 1


def test_drawn_picks_move_every_model_by_those_who_were_given_it() -> None:
    learners, _ = crowd(3)
    algorithm = Ifca(parameters=DIMENSION, clusters=3, seed=1, first_assignment="random")
    table = room(algorithm, near_the_truth(), learners)
    table.play()
    for model, before in enumerate(near_the_truth()):
        members = [learners[c] for c, pick in table.state.drawn.items() if pick == model]
        expected = np.average(
            [one.train(before) for one in members],
            axis=0,
            weights=[one.examples for one in members],
        )
        np.testing.assert_allclose(table.state.models[model], expected)
