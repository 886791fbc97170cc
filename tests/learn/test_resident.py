"""One module serves every client that fits it, and refuses the others."""

import numpy as np
import pytest
import torch
from torch import nn

from secure_clove.errors import ConfigError, DataError
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.foundation.trees import Vector
from secure_clove.learn.architectures import build_model
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.models import MakeModel, initial
from secure_clove.learn.resident import Resident
from secure_clove.learn.sgd import TrainingSpec
from secure_clove.learn.tasks import TorchTask
from tests.learn.builders import (
    CLASSES,
    FEATURES,
    examples,
    make_dropout,
    make_linear,
    make_network,
    task,
    weights,
)

PLAIN = TrainingSpec(learning_rate=0.1, epochs=2, batch_size=8)
PRIVATE = TrainingSpec(learning_rate=0.1, steps=3, clip=1.0, noise_multiplier=1.0)


def client(number: int, *, model: MakeModel = make_network) -> TorchTask:
    return TorchTask(
        model=model, train=examples(20, seed=number), test=examples(9, seed=100 + number)
    )


def answers(learner: TorchLearner, models: Vector, number: int) -> list[Vector]:
    return [
        learner.losses(models),
        learner.train(models[0], SimulatedEntropy(number)),
        learner.train_locally(models[1], SimulatedEntropy(number)),
        np.array([learner.correct(models[2])], dtype=float),
    ]


@pytest.mark.parametrize("model", [make_network, make_dropout])
@pytest.mark.parametrize("spec", [PLAIN, PRIVATE])
def test_clients_of_one_resident_answer_as_with_modules_of_their_own(
    model: MakeModel, spec: TrainingSpec
) -> None:
    resident, models = Resident(model, spec), initial(model, 3, seed=0)
    made = [client(number, model=model) for number in range(3)]
    sharing = [TorchLearner(each, spec, resident=resident) for each in made]
    for number, (shared, each) in enumerate(zip(sharing, made, strict=True)):
        alone = TorchLearner(each, spec)
        for found, expected in zip(
            answers(shared, models, number), answers(alone, models, number), strict=True
        ):
            np.testing.assert_array_equal(found, expected)


def test_a_thousand_clients_make_one_module() -> None:
    made: list[nn.Module] = []

    def model() -> nn.Module:
        made.append(make_network())
        return made[-1]

    resident, (x, y) = Resident(model, PLAIN), examples(4)
    one = TorchTask(model=model, train=(x, y), test=(x, y))
    learners = [TorchLearner(one, PLAIN, resident=resident) for _ in range(1000)]
    assert {id(learner.resident.module) for learner in learners} == {id(made[0])}
    assert len(made) == 1


def test_examples_on_the_cpu_are_not_copied() -> None:
    made = task()
    assert TorchLearner(made, PLAIN).training.x is made.training.x


def test_the_numbers_of_a_convolution_do_not_depend_on_its_layout() -> None:
    resident = Resident(lambda: build_model("paper-cnn"), PLAIN)
    module, x = resident.module, torch.rand((3, 784))
    weight = next(p for p in module.parameters() if p.ndim == 4)
    assert weight.stride() == (25, 1, 5, 1)
    laid_out = module(x).detach()
    for parameter in module.parameters():
        parameter.data = parameter.data.contiguous(memory_format=torch.contiguous_format).clone()
    torch.testing.assert_close(module(x).detach(), laid_out)


def test_building_the_module_leaves_the_generator_of_torch_alone() -> None:
    before = torch.get_rng_state()
    Resident(make_network, PLAIN)
    assert torch.equal(before, torch.get_rng_state())


def test_a_task_of_another_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="another model than the resident"):
        TorchLearner(task(model=make_linear), PLAIN, resident=Resident(make_network, PLAIN))


@pytest.mark.parametrize("spec", [PRIVATE, TrainingSpec(learning_rate=0.2)])
def test_a_client_that_trains_otherwise_is_refused(spec: TrainingSpec) -> None:
    with pytest.raises(ConfigError, match="must be those of its resident"):
        TorchLearner(task(), spec, resident=Resident(make_linear, PLAIN))


def test_a_client_with_another_loss_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be those of its resident"):
        TorchLearner(task(), PLAIN, resident=Resident(make_linear, PLAIN, loss="mse"))


def test_a_client_whose_labels_go_beyond_the_classes_is_refused() -> None:
    x, y = examples(8)
    made = TorchTask(model=make_linear, train=(x, y), test=(x, y + CLASSES))
    with pytest.raises(DataError, match="the data a label"):
        TorchLearner(made, PLAIN, resident=Resident(make_linear, PLAIN))


def test_a_client_whose_examples_do_not_fit_is_refused() -> None:
    x, y = torch.zeros((8, FEATURES + 1)), examples(8)[1]
    made = TorchTask(model=make_linear, train=(x, y), test=(x, y))
    with pytest.raises(DataError, match="cannot read an example"):
        TorchLearner(made, PLAIN, resident=Resident(make_linear, PLAIN))


def test_a_batch_norm_that_no_groups_can_replace_cannot_be_private() -> None:
    with pytest.raises(DataError, match="use GroupNorm instead"):
        Resident(lambda: nn.BatchNorm1d(1), PRIVATE)


def test_a_resident_without_privacy_keeps_its_batch_norm() -> None:
    assert isinstance(Resident(lambda: nn.BatchNorm1d(FEATURES), PLAIN).module, nn.BatchNorm1d)


# ---- scores


def test_a_score_is_the_mean_loss_and_the_hits_of_one_set() -> None:
    made, learner = client(0), TorchLearner(client(0), PLAIN)
    model = weights(make_network)
    found = learner.score(model, training=True)
    twin = TorchTask(
        model=make_network,
        train=(made.training.x, made.training.y),
        test=(made.training.x, made.training.y),
    )
    assert found.loss == pytest.approx(float(learner.losses(model[None]).mean()), rel=1e-6)
    assert found.hits == TorchLearner(twin, PLAIN).correct(model)
    assert found.examples == 20


def test_a_score_of_held_out_examples_counts_what_correct_counts() -> None:
    learner, model = TorchLearner(client(3), PLAIN), weights(make_network)
    found = learner.score(model, training=False)
    assert (found.hits, found.examples) == (learner.correct(model), 9)


def test_a_reconstruction_has_a_loss_and_no_hits() -> None:
    x, _ = examples(5)
    made = TorchTask(
        model=lambda: nn.Linear(FEATURES, FEATURES), train=(x, x + 2), test=(x, x), loss="mse"
    )
    identity = np.concatenate([np.eye(FEATURES).ravel(), np.zeros(FEATURES)])
    found = TorchLearner(made, PLAIN).score(identity, training=True)
    assert found.loss == pytest.approx(4.0)
    assert found.hits == 0


def test_a_score_of_nothing_is_no_number() -> None:
    found = TorchLearner(task(test=0), PLAIN).score(weights(), training=False)
    assert np.isnan(found.loss)
    assert (found.hits, found.examples) == (0, 0)
