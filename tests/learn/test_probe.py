"""The faster execution is what the clock says; a tie or an unknown layer means one by one."""

from collections.abc import Callable, Iterator
from itertools import accumulate, chain, cycle

import pytest
import torch
from torch import Tensor, nn

from secure_clove.errors import ConfigError
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.learn.executions import Execution, Executions
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.models import MakeModel, initial
from secure_clove.learn.probe import faster, probe
from secure_clove.learn.resident import Resident
from secure_clove.learn.sgd import TrainingSpec
from secure_clove.learn.tasks import TorchTask
from tests.learn.builders import (
    CLASSES,
    FEATURES,
    make_batch_norm,
    make_dropout,
    make_network,
    task,
    weights,
)

SPEC = TrainingSpec(learning_rate=0.1, epochs=1, batch_size=8)
PRIVATE = TrainingSpec(learning_rate=0.1, clip=1.0, noise_multiplier=1.0)


def make_padded() -> nn.Module:
    return nn.Sequential(nn.Embedding(5, 4, padding_idx=0), nn.Flatten(), nn.Linear(8, CLASSES))


def padded_task() -> TorchTask:
    tokens, labels = torch.tensor([[1, 0], [2, 3], [4, 0]]), torch.tensor([0, 1, 2])
    return TorchTask(model=make_padded, train=(tokens, labels), test=(tokens, labels))


def ticking(in_turn: float, at_once: float) -> Callable[[], float]:
    """A clock that is read before and after each work; both works take turns."""
    ticks: Iterator[float] = accumulate(chain([0.0], cycle((in_turn, 0.0, at_once, 0.0))))
    return ticks.__next__


def clients(model: MakeModel = make_network, spec: TrainingSpec = SPEC) -> list[TorchLearner]:
    resident = Resident(model, spec)
    return [TorchLearner(task(model=model), spec, resident=resident) for _ in range(3)]


ENTROPIES = [SimulatedEntropy(number) for number in range(3)]


def nothing() -> None: ...


@pytest.mark.parametrize(
    ("in_turn", "at_once", "expected"),
    [
        (2.0, 1.0, Execution.VMAP),
        (1.0, 2.0, Execution.SEQUENTIAL),
        (1.0, 1.0, Execution.SEQUENTIAL),
    ],
)
def test_the_faster_execution_is_taken_and_a_tie_is_sequential(
    in_turn: float, at_once: float, expected: Execution
) -> None:
    assert faster(nothing, nothing, clock=ticking(in_turn, at_once)) is expected
    found = probe(
        clients(), initial(make_network, 3, seed=0), ENTROPIES, clock=ticking(in_turn, at_once)
    )
    assert found == Executions(losses=expected, training=expected)


def test_one_slow_measurement_does_not_decide() -> None:
    ticks = accumulate(chain([0.0, 1.0, 0.0, 99.0, 0.0], cycle((1.0, 0.0, 0.5, 0.0))))
    assert faster(nothing, nothing, clock=ticks.__next__) is Execution.VMAP


def test_a_layer_that_cannot_be_stacked_is_sequential() -> None:
    class Unstackable(nn.Linear):
        def __init__(self) -> None:
            super().__init__(FEATURES, CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * float(self.bias.sum())

    found = probe(
        clients(Unstackable), initial(Unstackable, 2, seed=0), ENTROPIES, clock=ticking(2, 1)
    )
    assert found == Executions()


@pytest.mark.parametrize(
    ("model", "spec", "gradients"),
    [
        (make_batch_norm, SPEC, Execution.SEQUENTIAL),
        (make_network, TrainingSpec(learning_rate=0.1), Execution.SEQUENTIAL),
        (make_network, PRIVATE, Execution.VMAP),
    ],
)
def test_training_that_cannot_be_stacked_is_sequential_and_losses_are_still_measured(
    model: MakeModel, spec: TrainingSpec, gradients: Execution
) -> None:
    found = probe(clients(model, spec), initial(model, 2, seed=0), ENTROPIES, clock=ticking(2, 1))
    assert found == Executions(losses=Execution.VMAP, gradients=gradients)


@pytest.mark.parametrize("model", [make_network, make_dropout, make_padded])
def test_gradients_are_taken_at_once_only_if_that_is_faster_and_changes_nothing(
    model: MakeModel,
) -> None:
    made = [TorchLearner(padded_task() if model is make_padded else task(model=model), PRIVATE)]
    models = initial(model, 2, seed=0)
    slower = probe(made, models, ENTROPIES[:1], clock=ticking(1, 2))
    faster_ = probe(made, models, ENTROPIES[:1], clock=ticking(2, 1))
    assert slower.gradients is Execution.SEQUENTIAL
    expected = Execution.VMAP if model is make_network else Execution.SEQUENTIAL
    assert faster_.gradients is expected


def test_a_learner_computes_gradients_as_its_resident_was_told() -> None:
    made, start = clients(make_network, PRIVATE)[0], weights(make_network)
    told = made.resident.train(start, made.training, SimulatedEntropy(0), gradients=Execution.VMAP)
    made.resident.executions = Executions(gradients=Execution.VMAP)
    assert (made.train(start, SimulatedEntropy(0)) == told).all()


def test_the_real_clock_gives_one_of_both() -> None:
    found = probe(clients(), initial(make_network, 2, seed=0), ENTROPIES)
    assert {found.losses, found.training} <= set(Execution)


def test_a_probe_changes_no_answer() -> None:
    learners, start = clients(), weights(make_network)
    before = learners[0].train(start, SimulatedEntropy(0))
    probe(learners, initial(make_network, 2, seed=0), ENTROPIES, clock=ticking(2, 1))
    assert (learners[0].train(start, SimulatedEntropy(0)) == before).all()


def test_learners_of_different_residents_are_refused() -> None:
    with pytest.raises(ConfigError, match="2 residents"):
        probe([*clients()[:1], *clients()[:1]], initial(make_network, 2, seed=0), ENTROPIES[:2])
