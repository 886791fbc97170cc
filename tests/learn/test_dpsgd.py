"""What one example can change is bounded, and the noise is what the multiplier says."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from opacus.grad_sample import GradSampleModule
from opacus.optimizers import DPOptimizer
from scipy.stats import chi2
from torch import Tensor, nn

from secure_clove.errors import ConfigError, DataError
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.foundation.trees import Vector
from secure_clove.learn import dpsgd
from secure_clove.learn.dpsgd import GridOptimizer, gathering, sampled
from secure_clove.learn.models import MakeModel, load_flat, parameter_count
from secure_clove.learn.sgd import LocalSgd, TrainingSpec
from secure_clove.learn.tasks import Examples
from secure_clove.privacy.clipping import gradient_grid
from tests.learn.builders import (
    CLASSES,
    FEATURES,
    examples,
    learner,
    make_linear,
    make_network,
    weights,
)

CLIP = 0.7


def summed(module: nn.Module) -> Vector:
    parts = [p.grad.flatten() for p in module.parameters() if p.grad is not None]
    vector: Vector = torch.cat(parts).numpy()
    return vector


def gradient(
    x: Tensor, y: Tensor, *, model: MakeModel = make_network, noise: float = 0.0
) -> Vector:
    """The clipped, gridded and noised sum over (x, y), before any division."""
    module = model().double()
    load_flat(module, weights(model))
    wrapped = sampled(module)
    optimizer = GridOptimizer(
        torch.optim.SGD(module.parameters(), lr=1.0),
        clip=CLIP,
        grid=gradient_grid(CLIP, parameter_count(module)),
        noise_multiplier=noise,
        expected_batch=1,
        entropy=SimulatedEntropy(3),
    )
    with gathering(wrapped):
        scores = wrapped(x.double())
        torch.autograd.backward(nn.functional.cross_entropy(scores, y, reduction="sum"))
    optimizer.step()
    return summed(module)


@settings(deadline=None, max_examples=40)
@given(
    scale=st.floats(-6, 6).map(lambda power: 10.0**power),
    label=st.integers(0, CLASSES - 1),
    others=st.integers(1, 6),
)
@pytest.mark.parametrize("model", [make_linear, make_network])
def test_one_example_moves_the_sum_by_at_most_the_sensitivity(
    model: MakeModel, scale: float, label: int, others: int
) -> None:
    x, y = examples(others)
    extreme = torch.full((1, FEATURES), scale)
    grid = gradient_grid(CLIP, parameter_count(model()))
    without = gradient(x, y, model=model)
    together = gradient(torch.cat([x, extreme]), torch.cat([y, torch.tensor([label])]), model=model)
    moved = np.linalg.norm(together - without)
    assert moved <= grid.sensitivity * grid.step * (1 + 1e-12)


def test_a_huge_gradient_is_clipped_to_the_clipping_norm() -> None:
    x, y = examples(1)
    assert np.linalg.norm(gradient(1e5 * x, y)) == pytest.approx(CLIP, rel=0.02)


def test_sums_lie_on_the_grid() -> None:
    step = gradient_grid(CLIP, parameter_count(make_network())).step
    in_steps = gradient(*examples(9), noise=1.3) / step
    np.testing.assert_allclose(in_steps, np.rint(in_steps), atol=1e-9)


def test_a_gradient_that_is_not_finite_counts_as_zero() -> None:
    x, y = examples(4)
    bad = torch.full((1, FEATURES), torch.inf)
    with_bad = gradient(torch.cat([x, bad]), torch.cat([y, y[:1]]), model=make_linear)
    np.testing.assert_array_equal(with_bad, gradient(x, y, model=make_linear))


@pytest.mark.parametrize("dimension", [1, 650, 4096, 5142, 10**6])
def test_paying_for_the_rounding_adds_little_noise(dimension: int) -> None:
    grid = gradient_grid(2.0, dimension)
    worst = np.sqrt(dimension) * grid.step / 2
    assert grid.sensitivity * grid.step >= 2.0 + worst * (1 - 1e-12)
    assert grid.sensitivity * grid.step <= 2.0 * (1 + 1 / 32)


@pytest.mark.parametrize("multiplier", [0.5, 3.57])
def test_the_noise_has_the_stated_variance(multiplier: float) -> None:
    module, count = nn.Linear(64, 10), 40
    load_flat(module, np.zeros(650))
    spec = TrainingSpec(learning_rate=1.0, clip=CLIP, noise_multiplier=multiplier)
    local = LocalSgd(module, spec, "cross_entropy")
    # every label is as likely as its score says, so the gradient of the sum is zero
    data = Examples(x=torch.zeros(count, 64), y=torch.arange(count) % 10)
    drawn = []
    for seed in range(30):
        load_flat(module, np.zeros(650))
        local.run(data, SimulatedEntropy(seed))
        drawn.append(torch.cat([p.detach().flatten() for p in module.parameters()]).numpy())
    grid = gradient_grid(CLIP, 650)
    sigma = multiplier * grid.sensitivity * grid.step / count
    total = float(np.sum((np.concatenate(drawn) / sigma) ** 2))
    low, high = chi2.ppf(1e-6, df=30 * 650), chi2.ppf(1 - 1e-6, df=30 * 650)
    assert low < total < high


def opacus_sum(x: Tensor, y: Tensor) -> Vector:
    module = make_network().double()
    load_flat(module, weights(make_network))
    wrapped = GradSampleModule(module, loss_reduction="sum")
    optimizer = DPOptimizer(
        torch.optim.SGD(module.parameters(), lr=1.0),
        noise_multiplier=0.0,
        max_grad_norm=CLIP,
        expected_batch_size=1,
    )
    torch.autograd.backward(nn.functional.cross_entropy(wrapped(x.double()), y, reduction="sum"))
    optimizer.step()
    return summed(module)


def test_the_clipped_sum_of_opacus_agrees_up_to_the_rounding() -> None:
    x, y = examples(12)
    step = gradient_grid(CLIP, parameter_count(make_network())).step
    assert np.abs(gradient(x, y) - opacus_sum(x, y)).max() <= 12 * step / 2


PRIVATE = TrainingSpec(learning_rate=0.5, steps=3, rate=0.5, clip=CLIP, noise_multiplier=1.0)


def test_the_same_simulated_entropy_gives_the_same_model_bit_by_bit() -> None:
    first, second = (
        learner(PRIVATE, model=make_network).train(weights(make_network), SimulatedEntropy(4))
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_other_entropy_gives_another_model() -> None:
    first, second = (learner(PRIVATE).train(weights(), SimulatedEntropy(seed)) for seed in (4, 5))
    assert np.all(first != second)


def test_an_empty_batch_is_a_step_of_pure_noise() -> None:
    spec = TrainingSpec(learning_rate=1.0, rate=1e-6, clip=CLIP, noise_multiplier=1.0)
    moved = learner(spec, train=5).train(weights(), SimulatedEntropy(0)) - weights()
    grid = gradient_grid(CLIP, len(moved))
    # the noise of a step, divided by rate * n
    assert 0.3 < np.std(moved) * 5e-6 / (grid.sensitivity * grid.step) < 2


def test_a_batch_in_many_parts_takes_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = TrainingSpec(learning_rate=0.5, steps=2, clip=CLIP, noise_multiplier=1.0)
    whole = learner(spec, model=make_network).train(weights(make_network), SimulatedEntropy(0))
    monkeypatch.setattr(dpsgd, "CELLS", 7 * len(whole))
    parts = learner(spec, model=make_network).train(weights(make_network), SimulatedEntropy(0))
    np.testing.assert_allclose(parts, whole, atol=2 * gradient_grid(CLIP, len(whole)).step)


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
        sampled(model())


def test_a_trainable_layer_that_is_never_used_is_refused() -> None:
    with pytest.raises(DataError, match="use it in forward"):
        learner(PRIVATE, model=Idle).train(weights(Idle), SimulatedEntropy(0))


def gradient_step(seed: int, *, share: float, spec: TrainingSpec = PRIVATE) -> Vector:
    one = replace(spec, steps=1, rate=1.0)
    made = learner(one, model=make_network)
    return made.gradient_step(weights(make_network), SimulatedEntropy(seed), share=share)


def test_a_gradient_step_is_a_whole_number_of_steps_of_its_grid() -> None:
    moved = gradient_step(1, share=1.0)
    step = gradient_grid(CLIP * PRIVATE.learning_rate, len(moved)).step
    np.testing.assert_array_equal(moved / step, np.rint(moved / step))


def test_a_gradient_step_moves_a_model_as_training_does() -> None:
    silent = replace(PRIVATE, steps=1, rate=1.0, noise_multiplier=0.0)
    made = learner(silent, model=make_network)
    start = weights(make_network)
    trained = (made.train(start, SimulatedEntropy(0)) - start) * made.examples
    found = gradient_step(0, share=1.0, spec=silent)
    np.testing.assert_allclose(found, trained, atol=1e-4 * made.examples)


def test_the_shares_of_clients_add_up_to_the_noise() -> None:
    silent = replace(PRIVATE, noise_multiplier=0.0)
    clean = gradient_step(0, share=1.0, spec=silent)
    noise = np.stack([gradient_step(seed, share=1 / 2) - clean for seed in range(40)])
    grid = gradient_grid(CLIP * PRIVATE.learning_rate, len(clean))
    sigma = PRIVATE.noise_multiplier * grid.sensitivity * grid.step / 2
    total = float(np.sum((noise / sigma) ** 2))
    low, high = chi2.ppf(1e-6, df=noise.size), chi2.ppf(1 - 1e-6, df=noise.size)
    assert low < total < high


def test_a_gradient_step_without_a_clipping_norm_is_refused() -> None:
    with pytest.raises(ConfigError, match="set clip"):
        gradient_step(0, share=1.0, spec=TrainingSpec(learning_rate=1.0))
