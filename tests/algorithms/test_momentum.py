"""Server momentum: a model goes on by a share of its last move."""

from typing import Any

import numpy as np
import pytest

from secure_clove.algorithms.averaging import FedAvg
from secure_clove.algorithms.clove import Clove
from secure_clove.algorithms.sealed import SealedClove
from secure_clove.algorithms.sharing import trained_table
from secure_clove.errors import ConfigError
from secure_clove.foundation.trees import Tree, Vector


def total(update: Vector, examples: float = 2.0) -> Tree:
    return {"update": update * examples, "examples": np.array(examples)}


TABLE, NONE = np.zeros((3, 4)), np.zeros((0, 0))


def moved(momentum: float, rounds: int, shared: int = 0) -> Vector:
    table, velocity = TABLE, NONE
    for _ in range(rounds):
        sums = {1: total(np.ones(4))}
        table, velocity = trained_table(table, velocity, sums, shared=shared, momentum=momentum)
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


@pytest.mark.parametrize("momentum", [-0.1, 1.0])
@pytest.mark.parametrize(
    ("algorithm", "more"),
    [(FedAvg, {}), (Clove, {"clusters": 2, "seed": 0}), (SealedClove, {"clusters": 2, "seed": 0})],
)
def test_a_momentum_that_never_rests_is_refused(
    algorithm: Any, more: dict[str, Any], momentum: float
) -> None:
    with pytest.raises(ConfigError, match="server_momentum"):
        algorithm(parameters=4, server_momentum=momentum, **more)
