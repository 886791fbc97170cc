"""Many clients trained at once end where they would end one after another."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from secure_clove.engine.terms import Optimizer
from secure_clove.errors import ConfigError, DataError
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.learn.architectures import build_model
from secure_clove.learn.executions import Execution, Executions
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.losses import loss_rows
from secure_clove.learn.many import is_stackable, train_many
from secure_clove.learn.models import MakeModel, initial
from secure_clove.learn.resident import Resident
from secure_clove.learn.sgd import TrainingSpec
from secure_clove.learn.tasks import TorchTask
from tests.learn.builders import (
    CLASSES,
    FEATURES,
    examples,
    make_batch_norm,
    make_dropout,
    make_linear,
    make_network,
)

EPOCHS = TrainingSpec(learning_rate=0.05, epochs=2, batch_size=8)
AT_ONCE = Executions(training=Execution.VMAP)


def make_frozen() -> nn.Module:
    module = make_network()
    next(module.parameters()).requires_grad_(False)
    return module


class Drawing(nn.Linear):
    """Dropout that no list of layers shows."""

    def __init__(self) -> None:
        super().__init__(FEATURES, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(functional.dropout(x, 0.5, self.training))


def clients(
    model: MakeModel, spec: TrainingSpec, *, counts: tuple[int, ...] = (20, 20, 20)
) -> list[TorchLearner]:
    resident = Resident(model, spec)
    resident.executions = AT_ONCE
    return [
        TorchLearner(
            TorchTask(model=model, train=examples(count, seed=number), test=examples(2)),
            spec,
            resident=resident,
        )
        for number, count in enumerate(counts)
    ]


def entropies(count: int = 3) -> list[SimulatedEntropy]:
    return [SimulatedEntropy(7, number) for number in range(count)]


def alone(learners: list[TorchLearner], models: np.ndarray) -> np.ndarray:
    each = zip(learners, models, entropies(), strict=True)
    return np.stack([learner.train(model, entropy) for learner, model, entropy in each])


@pytest.mark.parametrize("model", [make_linear, make_network, make_frozen])
@pytest.mark.parametrize(("optimizer", "momentum"), [("sgd", 0.0), ("sgd", 0.9), ("adam", 0.0)])
def test_at_once_every_client_ends_where_it_would_alone(
    model: MakeModel, optimizer: Optimizer, momentum: float
) -> None:
    spec = TrainingSpec(
        learning_rate=0.02, optimizer=optimizer, momentum=momentum, epochs=3, batch_size=8
    )
    learners, models = clients(model, spec), initial(model, 3, seed=0)
    assert is_stackable(learners)
    found = train_many(learners, models, entropies())
    np.testing.assert_allclose(found, alone(learners, models), atol=2e-5)


def test_convolutions_are_trained_at_once_too() -> None:
    model = partial(build_model, "paper-cnn")
    spec = TrainingSpec(learning_rate=0.05, epochs=1, batch_size=4)
    resident, rng = Resident(model, spec), np.random.default_rng(0)
    resident.executions = AT_ONCE
    data = (rng.random((8, 784), np.float32), rng.integers(10, size=8))
    learners = [
        TorchLearner(TorchTask(model=model, train=data, test=data), spec, resident=resident)
        for _ in range(3)
    ]
    models = initial(model, 3, seed=0)
    assert is_stackable(learners)
    found = train_many(learners, models, entropies())
    np.testing.assert_allclose(found, alone(learners, models), atol=1e-5)


def test_padding_is_trained_in_turn_because_vmap_would_let_it_learn() -> None:
    def model() -> nn.Module:
        return nn.Sequential(
            nn.Embedding(5, 3, padding_idx=0), nn.Flatten(), nn.Linear(12, CLASSES)
        )

    resident = Resident(model, EPOCHS)
    resident.executions = AT_ONCE
    words = (torch.arange(80).view(20, 4) % 5, torch.arange(20) % CLASSES)
    task = TorchTask(model=model, train=words, test=words)
    learners = [TorchLearner(task, EPOCHS, resident=resident) for _ in range(3)]
    assert not is_stackable(learners)
    assert not train_many(learners, initial(model, 3, seed=0), entropies())[:, :3].any()


@pytest.mark.parametrize(
    ("model", "spec", "counts"),
    [
        (make_network, EPOCHS, (20, 20, 19)),
        (make_network, TrainingSpec(learning_rate=0.1, steps=3, rate=0.5), (20, 20, 20)),
        (make_network, TrainingSpec(learning_rate=0.1, clip=1.0, noise_multiplier=1.0), (9, 9, 9)),
        (make_dropout, EPOCHS, (20, 20, 20)),
        (Drawing, EPOCHS, (20, 20, 20)),
        (make_batch_norm, EPOCHS, (20, 20, 20)),
    ],
)
def test_what_cannot_be_stacked_is_trained_in_turn_to_the_bit(
    model: MakeModel, spec: TrainingSpec, counts: tuple[int, ...]
) -> None:
    learners, models = clients(model, spec, counts=counts), initial(model, 3, seed=0)
    assert not is_stackable(learners)
    found = train_many(learners, models, entropies())
    np.testing.assert_array_equal(found, alone(learners, models))


def test_without_a_choice_clients_are_trained_in_turn_to_the_bit() -> None:
    learners, models = clients(make_network, EPOCHS), initial(make_network, 3, seed=0)
    learners[0].resident.executions = Executions()
    found = train_many(learners, models, entropies())
    np.testing.assert_array_equal(found, alone(learners, models))


def test_a_training_that_diverges_at_once_returns_nothing() -> None:
    spec = TrainingSpec(learning_rate=1e38, epochs=5, batch_size=8)
    with pytest.raises(DataError, match="lower the learning rate"):
        train_many(clients(make_network, spec), initial(make_network, 3, seed=0), entropies())


def test_models_of_another_architecture_are_refused() -> None:
    with pytest.raises(DataError, match="another architecture"):
        train_many(clients(make_network, EPOCHS), np.zeros((3, 5)), entropies())


def test_counts_that_differ_are_refused() -> None:
    with pytest.raises(ConfigError, match="3 clients, 2 models and 3 entropies"):
        train_many(clients(make_network, EPOCHS), np.zeros((2, 5)), entropies())


def test_clients_of_different_residents_are_refused() -> None:
    mixed = clients(make_network, EPOCHS)[:2] + clients(make_network, EPOCHS)[:1]
    with pytest.raises(ConfigError, match="2 residents"):
        train_many(mixed, initial(make_network, 3, seed=0), entropies())


def test_no_clients_are_refused() -> None:
    with pytest.raises(ConfigError, match="0 residents"):
        train_many([], np.zeros((0, 5)), [])


# ---- losses at once


@pytest.mark.parametrize("model", [make_network, make_dropout, make_batch_norm])
def test_losses_at_once_are_those_in_turn(model: MakeModel) -> None:
    learner, models = clients(model, EPOCHS)[0], np.abs(initial(model, 4, seed=0))
    in_turn, at_once = (
        loss_rows(
            learner.resident.module,
            models,
            examples=learner.training,
            loss="cross_entropy",
            execution=execution,
        )
        for execution in Execution
    )
    np.testing.assert_allclose(at_once, in_turn, rtol=1e-5)


def test_a_learner_takes_the_execution_of_its_resident() -> None:
    class Unstackable(nn.Linear):
        def __init__(self) -> None:
            super().__init__(FEATURES, CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            if float(self.bias.sum()) == np.inf:
                raise ValueError
            return super().forward(x)

    learner, models = clients(Unstackable, EPOCHS)[0], initial(Unstackable, 2, seed=0)
    assert learner.losses(models).shape == (20, 2)
    learner.resident.executions = Executions(losses=Execution.VMAP)
    with pytest.raises(RuntimeError, match="vmap"):
        learner.losses(models)
