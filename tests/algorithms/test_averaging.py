"""Federated averaging: one model, moved by the example-weighted mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_clove.algorithms.averaging import FedAvg, accuracy, averaged, trained
from secure_clove.algorithms.base import Replies, Reveal
from secure_clove.foundation.trees import Vector
from tests.algorithms.builders import DIMENSION, crowd, initial
from tests.builders import PointLearner, Room, names, room


def gathered(*, seed: int = 0) -> Room:
    learners, _ = crowd(2, seed=seed)
    return room(FedAvg(parameters=DIMENSION), initial(2), learners)


def total(hits: float, tried: float) -> dict[str, Vector]:
    return {"correct": np.array(hits), "held_out": np.array(tried)}


@given(st.integers(0, 10**6))
def test_the_model_becomes_the_example_weighted_mean_of_the_trained_ones(seed: int) -> None:
    table = gathered(seed=seed)
    start = table.state.model
    table.play()
    expected = np.average(
        [one.train(start) for one in table.learners.values()],
        axis=0,
        weights=[one.examples for one in table.learners.values()],
    )
    np.testing.assert_allclose(table.state.model, expected)


def test_one_client_alone_gets_its_own_training() -> None:
    learner = PointLearner(point=np.ones(DIMENSION))
    table = room(FedAvg(parameters=DIMENSION), initial(1), dict.fromkeys(names(1), learner))
    table.play()
    np.testing.assert_allclose(table.state.model, learner.train(initial(1)[0]))


def test_equal_clients_give_what_each_of_them_trained() -> None:
    learner = PointLearner(point=np.ones(DIMENSION))
    table = room(FedAvg(parameters=DIMENSION), initial(1), dict.fromkeys(names(7), learner))
    table.play()
    np.testing.assert_allclose(table.state.model, learner.train(initial(1)[0]))


def test_a_client_with_more_examples_pulls_harder() -> None:
    far = {
        names(2)[0]: PointLearner(point=np.zeros(DIMENSION), examples=30),
        names(2)[1]: PointLearner(point=np.ones(DIMENSION), examples=10),
    }
    table = room(FedAvg(parameters=DIMENSION), np.zeros((1, DIMENSION)), far)
    table.play()
    np.testing.assert_allclose(table.state.model, 0.25 * 0.5 * np.ones(DIMENSION))


def test_rounds_converge_to_the_weighted_mean_of_all_points() -> None:
    table = gathered()
    for _ in range(40):
        table.play()
    points = [one.point for one in table.learners.values()]
    weights = [one.examples for one in table.learners.values()]
    np.testing.assert_allclose(table.state.model, np.average(points, axis=0, weights=weights))


def test_everybody_takes_the_same_model_home() -> None:
    table = gathered()
    table.play()
    for client in table.learners:
        np.testing.assert_array_equal(table.model(client), table.state.model)


def test_everybody_stands_on_model_0() -> None:
    table = gathered()
    table.play()
    assert set(table.algorithm.standing(table.state).assignment.values()) == {0}


def test_an_empty_training_changes_nothing_and_the_round_ends() -> None:
    table = gathered()
    table.play()
    state = table.algorithm.begin(table.state, 2, names(4))
    after = table.algorithm.exchanges[0].fold(state, Replies())
    np.testing.assert_array_equal(after.model, state.model)
    assert after.accuracy == state.accuracy
    assert table.algorithm.next(after) is None


def test_a_dropout_is_left_out_of_the_mean() -> None:
    table, lost = gathered(), names(1)
    start = table.state.model
    table.play(lost=lost)
    rest = [one for client, one in table.learners.items() if client not in lost]
    expected = np.average(
        [one.train(start) for one in rest], axis=0, weights=[one.examples for one in rest]
    )
    np.testing.assert_allclose(table.state.model, expected)


def test_one_exchange_a_round_and_it_shows_a_sum() -> None:
    table = gathered()
    table.play()
    assert table.held == [["train"]]
    assert [x.reveal for x in table.algorithm.exchanges] == [Reveal.SUM]


# ---- the shared pieces


def test_a_training_reply_weighs_the_update_by_the_examples() -> None:
    learner = PointLearner(point=np.ones(3), examples=20, held_out=6)
    reply = trained(np.zeros(3), learner)
    np.testing.assert_allclose(reply["update"], 20 * 0.5 * np.ones(3))
    assert (float(reply["examples"]), float(reply["held_out"])) == (20, 6)


def test_a_training_reply_measures_the_model_it_was_sent() -> None:
    learner = PointLearner(point=np.ones(1), held_out=6, rate=1.0, reach=0.5)
    assert float(trained(np.zeros(1), learner)["correct"]) == 0
    assert float(trained(np.ones(1), learner)["correct"]) == 6


@pytest.mark.parametrize("weight", [0.0, -3.0])
def test_a_sum_without_examples_leaves_the_model(weight: float) -> None:
    model = np.arange(3.0)
    moved = averaged(model, {"update": np.ones(3), "examples": np.array(weight)})
    np.testing.assert_array_equal(moved, model)


def test_averaging_does_not_write_into_the_old_model() -> None:
    model = np.zeros(3)
    averaged(model, {"update": np.ones(3), "examples": np.array(2.0)})
    np.testing.assert_array_equal(model, np.zeros(3))


def test_the_accuracy_is_taken_over_all_groups_together() -> None:
    assert accuracy({0: total(1, 4), 3: total(5, 8)}) == 0.5


def test_without_held_out_examples_there_is_no_accuracy() -> None:
    assert accuracy({0: total(0, 0)}) is None
    assert accuracy({}) is None


@pytest.mark.parametrize(("hits", "expected"), [(-3, 0.0), (14, 1.0)])
def test_noise_cannot_push_the_accuracy_out_of_its_range(hits: float, expected: float) -> None:
    assert accuracy({0: total(hits, 10)}) == expected
