"""The table plays what a federation plays."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from secure_clove.algorithms.registry import NAMES, build
from secure_clove.errors import DataError
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.models import initial, parameter_count
from secure_clove.learn.sgd import TrainingSpec
from secure_clove.sdk.config import Settings, TrainingSettings
from secure_clove.sdk.simulate import simulate
from secure_clove.studies.paper.direct import Measured, Player, Table
from tests.builders import tiny_model, tiny_tasks

ROUNDS = 3
TRAINING = TrainingSettings(learning_rate=0.05, optimizer="adam", epochs=1, batch_size=10)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def table(name: str, **options: Any) -> Table:
    spec = TrainingSpec(**TRAINING.model_dump())
    tasks = tiny_tasks()
    algorithm = build(
        name,
        parameters=parameter_count(tiny_model()()),
        clusters=2,
        seed=0,
        smallest=4,
        options=options,
    )
    return Table(
        algorithm,
        {
            client: Player(trainer=TorchLearner(task, spec), mirror=TorchLearner(task, spec))
            for client, task in tasks.items()
        },
        initial=initial(tiny_model(), algorithm.initial_models, seed=0),
        entropy=SimulatedEntropy(0),
        federation="demo",
    )


def played(at: Table) -> list[Measured]:
    return list(at.rounds(ROUNDS, evaluate_every=2))


@pytest.mark.parametrize("name", NAMES)
def test_a_table_plays_what_a_federation_with_masks_plays(name: str) -> None:
    fields: Any = {"algorithm": name}
    settings = Settings(**fields, clusters=2, rounds=ROUNDS, privacy=None, training=TRAINING)
    federation = simulate(settings, tiny_tasks(), noise=SimulatedEntropy(0))
    at = table(name)
    last = played(at)[-1]
    if name == "clove":
        assert last.assignment == federation.assignment
    for client, result in federation.clients.items():
        assert result.model is not None
        assert at.model(client) == pytest.approx(result.model, abs=1e-3)
        assert last.accuracy[client] == result.accuracy


def test_training_accuracy_is_measured_when_asked_and_at_the_end() -> None:
    assert [m.training_accuracy is not None for m in played(table("fedavg"))] == [False, True, True]


def test_the_picks_of_ifca_are_seen() -> None:
    assert set(played(table("ifca"))[-1].assignment) == set(tiny_tasks())


def test_fedavg_is_one_cluster() -> None:
    assert set(played(table("fedavg"))[-1].assignment.values()) == {0}


def test_clients_that_train_alone_have_no_assignment() -> None:
    assert played(table("local"))[-1].assignment == {}


def test_before_the_first_round_a_client_of_clove_has_no_model() -> None:
    with pytest.raises(DataError, match="play a round first"):
        table("clove").model(next(iter(tiny_tasks())))


def test_rounds_that_were_played_are_not_played_again() -> None:
    at = table("fedavg")
    played(at)
    before = np.copy(at.model(next(iter(tiny_tasks()))))
    assert played(at) == []
    assert np.array_equal(at.model(next(iter(tiny_tasks()))), before)
