"""Each example's gradient is that of the example alone, whichever way it is computed."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from opacus.layers import DPLSTM
from torch import Tensor, nn

from secure_clove.errors import DataError
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.learn.architectures import build_model
from secure_clove.learn.executions import Execution
from secure_clove.learn.gradients import ExampleGradients
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.losses import example_losses
from secure_clove.learn.models import flat, laid_out, load_flat
from secure_clove.learn.sgd import TrainingSpec
from secure_clove.learn.tasks import TorchTask
from secure_clove.privacy.clipping import gradient_grid
from tests.learn.builders import (
    CLASSES,
    FEATURES,
    examples,
    learner,
    make_dropout,
    make_linear,
    make_network,
    weights,
)

PRIVATE = TrainingSpec(learning_rate=0.5, steps=3, rate=0.5, clip=0.7, noise_multiplier=1.0)
BOTH = [Execution.SEQUENTIAL, Execution.VMAP]


def each_alone(module: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The gradient of each example, by torch alone."""
    rows = []
    for one, label in zip(x, y, strict=True):
        loss = example_losses(module(one[None]), label[None], "cross_entropy").sum()
        trained = [p for p in module.parameters() if p.requires_grad]
        found = torch.autograd.grad(loss, trained)
        rows.append(torch.cat([part.flatten() for part in found]))
    return torch.stack(rows)


def found_by(module: nn.Module, x: Tensor, y: Tensor, execution: Execution) -> Tensor:
    gradients = ExampleGradients(module, "cross_entropy")
    return torch.cat(gradients.of(x, y, execution=execution), dim=1)


class InPlace(nn.Module):
    """A network that changes its layers' outputs in place."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(FEATURES, 8), nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.last(torch.relu_(self.first(x)))
        return scores


class Twice(nn.Module):
    """A network that uses one layer twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(FEATURES, FEATURES), nn.Linear(FEATURES, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.last(self.first(self.first(x).tanh()))
        return scores


class Own(nn.Module):
    """A layer with a parameter of its own, which Opacus has no rule for."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.layer = nn.Parameter(torch.ones(FEATURES)), nn.Linear(FEATURES, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.layer(x * self.scale)
        return scores


def frozen() -> nn.Module:
    module = make_network()
    next(module.parameters()).requires_grad_(False)
    return module


def without_bias() -> nn.Module:
    return nn.Linear(FEATURES, CLASSES, bias=False)


@pytest.mark.parametrize("execution", BOTH)
@pytest.mark.parametrize(
    "model", [make_linear, make_network, InPlace, Twice, Own, frozen, without_bias]
)
def test_a_gradient_is_that_of_the_example_alone(
    model: Callable[[], nn.Module], execution: Execution
) -> None:
    module, (x, y) = model(), examples(7)
    found = found_by(module, x, y, execution)
    torch.testing.assert_close(found, each_alone(module, x, y), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("execution", BOTH)
def test_convolutions_have_the_gradient_of_each_image(execution: Execution) -> None:
    module, x, y = build_model("paper-cnn"), torch.rand(3, 28, 28), torch.tensor([1, 2, 1])
    found = found_by(module, x, y, execution)
    torch.testing.assert_close(found, each_alone(module, x, y), atol=1e-5, rtol=1e-3)


def with_groups() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 28)),
        nn.Conv2d(1, 4, 3, padding=1),
        nn.GroupNorm(2, 4),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, stride=2, groups=2),
        nn.Flatten(),
        nn.Linear(6 * 13 * 13, CLASSES),
    )


@pytest.mark.parametrize("execution", BOTH)
@pytest.mark.parametrize("model", [partial(build_model, "paper-cnn"), with_groups])
def test_so_they_have_with_channels_innermost_as_a_resident_lays_them_out(
    model: Callable[[], nn.Module], execution: Execution
) -> None:
    module, x, y = model(), torch.rand(3, 28, 28), torch.tensor([1, 2, 1])
    expected = each_alone(module, x, y)
    for parameter in module.parameters():
        parameter.data = laid_out(parameter.data)
    found = found_by(module, x, y, execution)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-3)


def test_a_private_step_without_noise_goes_where_torch_alone_goes() -> None:
    model, rng = partial(build_model, "paper-cnn"), np.random.default_rng(0)
    x = rng.random((5, 28, 28), dtype=np.float32)
    task = TorchTask(model=model, train=(x, np.arange(5)), test=(x, np.arange(5)))
    spec = TrainingSpec(learning_rate=0.5, clip=8.0)  # so large that nothing is cut
    start, module = flat(model()), model()
    load_flat(module, start)
    mean = each_alone(module, torch.from_numpy(x), torch.arange(5)).mean(0)
    moved = TorchLearner(task, spec).train(start, SimulatedEntropy(0)) - start
    rounding = gradient_grid(8.0, len(start)).step / 2
    np.testing.assert_allclose(moved, -0.5 * mean.numpy(), atol=0.6 * rounding)


def test_a_recurrent_layer_has_the_gradient_of_each_sequence() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = DPLSTM(FEATURES, CLASSES, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            scores: Tensor = self.layer(x)[0][:, -1]
            return scores

    module, x, y = Recurrent(), torch.rand(3, 4, FEATURES), torch.tensor([1, 2, 1])
    found = found_by(module, x, y, Execution.SEQUENTIAL)
    torch.testing.assert_close(found, each_alone(module, x, y), atol=1e-6, rtol=1e-4)


def test_both_ways_train_alike_up_to_rounding() -> None:
    made = learner(PRIVATE, model=make_network)
    one, other = (
        made.resident.train(
            weights(make_network), made.training, SimulatedEntropy(0), gradients=execution
        )
        for execution in BOTH
    )
    np.testing.assert_allclose(one, other, atol=1e-3)


def test_layers_that_draw_are_not_taken_at_once_where_they_can_be_taken_in_turn() -> None:
    with pytest.raises(RuntimeError, match="randomness"):
        found_by(make_dropout(), *examples(3), Execution.VMAP)


def test_the_module_keeps_no_hook_and_no_gradient() -> None:
    module = make_network()
    found_by(module, *examples(3), Execution.SEQUENTIAL)
    assert all(not part._forward_hooks for part in module.modules())
    assert all(parameter.grad is None for parameter in module.parameters())


# ---- what is refused


class Mixing(nn.Module):
    """A model that centres each batch: no layer of it does, so no list of layers shows it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(FEATURES, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.layer(x - x.mean(0))
        return scores


class Sideways(nn.Module):
    """A model whose layer sees the examples in its second dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.layer(x.T[:, :, None]).mean(0)
        return scores


class Changing(nn.Module):
    """A model that changes a layer's input after its use."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(FEATURES, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        inner = x * 1
        scores: Tensor = self.layer(inner)
        inner += 1
        return scores


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Mixing, "depends on the others of its batch"),
        (Sideways, "keep the examples in the first dimension"),
        (Changing, "changed in place after its use"),
    ],
)
def test_a_model_that_does_not_keep_examples_apart_is_refused(
    model: Callable[[], nn.Module], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        learner(PRIVATE, model=model)


def test_without_privacy_a_model_may_mix_its_examples() -> None:
    learner(TrainingSpec(learning_rate=0.1), model=Mixing)


class Counted(nn.Linear):
    """A layer with a whole-number buffer, which Opacus does not support."""

    def __init__(self) -> None:
        super().__init__(FEATURES, CLASSES)
        self.register_buffer("seen", torch.tensor(0))


class Shifted(nn.Module):
    """A layer with a floating-point buffer."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(FEATURES, CLASSES)
        self.register_buffer("mean", torch.zeros(FEATURES))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.layer(x - self.mean)
        return scores


class Idle(nn.Module):
    """A model with a layer that it never uses."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.idle = nn.Linear(FEATURES, CLASSES), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.layer(x)
        return scores


def batch_norm(*, affine: bool) -> nn.Module:
    norm = nn.BatchNorm1d(FEATURES, affine=affine, track_running_stats=affine)
    return nn.Sequential(norm, nn.Linear(FEATURES, CLASSES))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: batch_norm(affine=True), "use GroupNorm instead"),
        (lambda: batch_norm(affine=False), "use GroupNorm instead"),
        (Shifted, "leave without noise"),
        (Counted, "Opacus cannot"),
        (
            lambda: nn.Sequential(
                nn.Unflatten(1, (1, FEATURES)),
                nn.LSTM(FEATURES, CLASSES, batch_first=True),
            ),
            "Opacus cannot",
        ),
    ],
)
def test_a_model_that_cannot_be_private_is_refused(
    model: Callable[[], nn.Module], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        ExampleGradients(model(), "cross_entropy")


def test_a_trainable_layer_that_is_never_used_is_refused() -> None:
    with pytest.raises(DataError, match="use it in forward"):
        learner(PRIVATE, model=Idle).train(weights(Idle), SimulatedEntropy(0))
