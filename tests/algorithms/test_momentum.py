"""Server momentum and smoothing: a model goes on by a share of its last move, and is averaged."""

from typing import Any

import numpy as np
import pytest

from secure_clove.algorithms.averaging import FedAvg
from secure_clove.algorithms.base import Replies
from secure_clove.algorithms.clove import Clove
from secure_clove.algorithms.motion import Motion, Trail
from secure_clove.algorithms.sealed import SealedClove
from secure_clove.algorithms.sharing import trained_table
from secure_clove.errors import ConfigError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.trees import Tree, Vector


def total(update: Vector, examples: float = 2.0) -> Tree:
    return {"update": update * examples, "examples": np.array(examples)}


TABLE = np.zeros((3, 4))
NO_COUNTS = {"correct": np.zeros(()), "held_out": np.zeros(())}


def moved(momentum: float, rounds: int, shared: int = 0) -> Vector:
    table, trail, motion = TABLE, Trail(), Motion(momentum=momentum, smoothing=0.0)
    for _ in range(rounds):
        sums = {1: total(np.ones(4))}
        table, trail = trained_table(table, trail, sums, shared=shared, motion=motion)
    return table


def test_without_it_moves_are_the_averages() -> None:
    np.testing.assert_array_equal(moved(0.0, 3)[1], 3 * np.ones(4))


def test_with_it_a_steady_push_adds_up() -> None:
    np.testing.assert_allclose(moved(0.5, 3)[1], (1 + 1.5 + 1.75) * np.ones(4))


def test_models_without_a_sum_stay_as_they_are() -> None:
    np.testing.assert_array_equal(moved(0.5, 3)[[0, 2]], TABLE[[0, 2]])


def test_what_all_models_share_moves_alike() -> None:
    table = moved(0.5, 3, shared=2)
    np.testing.assert_array_equal(table[:, :2], np.broadcast_to(table[1, :2], (3, 2)))
    np.testing.assert_array_equal(table[[0, 2], 2:], TABLE[[0, 2], 2:])


def test_clients_take_home_the_average_of_the_places_and_train_from_the_last() -> None:
    algorithm = FedAvg(parameters=4, server_smoothing=0.5)
    (train,) = algorithm.exchanges
    state = algorithm.start(np.zeros((1, 4)))
    for _ in range(2):
        state = train.fold(state, Replies(sums={0: {**total(np.ones(4)), **NO_COUNTS}}))
    taken = algorithm.mine(algorithm.enrol(), algorithm.personal(state, ClientId("a")))
    np.testing.assert_array_equal(taken, (0.5 * 0.5 * 1 + 0.5 * 2) * np.ones(4))
    np.testing.assert_array_equal(train.ask(state, ClientId("a"))["model"], 2 * np.ones(4))


def test_without_smoothing_they_take_the_last() -> None:
    motion, table = Motion(momentum=0.5, smoothing=0.0), np.ones((2, 3))
    _, trail = motion.moved(table, Trail(), 2 * table, is_moved=np.ones(1, dtype=bool))
    np.testing.assert_array_equal(motion.shown(table, trail), table)


@pytest.mark.parametrize("option", ["server_momentum", "server_smoothing"])
@pytest.mark.parametrize("momentum", [-0.1, 1.0])
@pytest.mark.parametrize(
    ("algorithm", "more"),
    [(FedAvg, {}), (Clove, {"clusters": 2, "seed": 0}), (SealedClove, {"clusters": 2, "seed": 0})],
)
def test_a_share_that_never_rests_is_refused(
    algorithm: Any, more: dict[str, Any], momentum: float, option: str
) -> None:
    with pytest.raises(ConfigError, match=option):
        algorithm(parameters=4, **{option: momentum}, **more)
