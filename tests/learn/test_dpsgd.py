"""What one example can change is bounded, and the noise is what the multiplier says."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from opacus.grad_sample import GradSampleModule
from opacus.optimizers import DPOptimizer
from scipy.stats import chi2
from torch import Tensor, nn

from secure_clove.errors import ConfigError
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.foundation.trees import Vector
from secure_clove.learn import dpsgd
from secure_clove.learn.dpsgd import PrivateGradient, whole_rows
from secure_clove.learn.executions import Execution
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


def gradient(x: Tensor, y: Tensor, *, model: MakeModel = make_network) -> Vector:
    """The clipped and gridded sum over (x, y)."""
    module = model().double()
    load_flat(module, weights(model))
    private = PrivateGradient(module, "cross_entropy", clip=CLIP, noise_multiplier=1.0)
    total = private.sum(x.double(), y, grid=private.grid, execution=Execution.SEQUENTIAL)
    vector: Vector = total.double().numpy() * private.grid.step
    return vector


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
    in_steps = gradient(*examples(9)) / step
    np.testing.assert_array_equal(in_steps, np.rint(in_steps))


@settings(deadline=None, max_examples=60)
@given(
    power=st.integers(-60, 120), width=st.sampled_from([1, 7, 650, 5142]), seed=st.integers(0, 99)
)
def test_a_row_is_never_longer_than_the_sensitivity(power: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    grid = gradient_grid(CLIP, width)
    for row in (rng.normal(size=width), rng.choice([-1.0, 1.0], width), np.eye(1, width)[0]):
        rows = torch.from_numpy((2.0**power * row).astype(np.float32)).double()[None]
        found = whole_rows(rows, clip=CLIP, grid=grid)[0]
        squared = sum(int(number) ** 2 for number in found.tolist())
        assert Fraction(squared) <= Fraction(grid.sensitivity) ** 2


def test_rounding_is_all_that_can_exceed_the_clipping_norm() -> None:
    grid = gradient_grid(CLIP, 4)
    rows = torch.tensor([[CLIP * 1e9, 0.0, 0.0, 0.0]], dtype=torch.float64)
    assert int(whole_rows(rows, clip=CLIP, grid=grid).abs().max()) <= CLIP / grid.step + 0.5


def test_a_gradient_that_is_not_finite_counts_as_zero() -> None:
    x, y = examples(4)
    bad = torch.full((1, FEATURES), torch.inf)
    with_bad = gradient(torch.cat([x, bad]), torch.cat([y, y[:1]]), model=make_linear)
    np.testing.assert_array_equal(with_bad, gradient(x, y, model=make_linear))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf, 1e200])
def test_a_row_that_has_no_finite_norm_becomes_zeros_and_no_other_row(bad: float) -> None:
    rows = torch.full((3, 4), 0.1, dtype=torch.float64)
    rows[1, 2] = bad
    found = whole_rows(rows, clip=CLIP, grid=gradient_grid(CLIP, 4))
    assert not found[1].any()
    assert found[[0, 2]].all()


def test_a_gradient_of_zeros_stays_zeros() -> None:
    rows = torch.zeros((2, 4), dtype=torch.float64)
    assert not whole_rows(rows, clip=CLIP, grid=gradient_grid(CLIP, 4)).any()


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


def summed(module: nn.Module) -> Vector:
    parts = [p.grad.flatten() for p in module.parameters() if p.grad is not None]
    vector: Vector = torch.cat(parts).numpy()
    return vector


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


@pytest.mark.parametrize("cells", ["CELLS", "BLOCK"])
def test_a_batch_in_many_parts_takes_one_step(cells: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = TrainingSpec(learning_rate=0.5, steps=1, clip=CLIP, noise_multiplier=1.0)
    whole = learner(spec, model=make_network).train(weights(make_network), SimulatedEntropy(0))
    monkeypatch.setattr(dpsgd, cells, 7 * len(whole))
    parts = learner(spec, model=make_network).train(weights(make_network), SimulatedEntropy(0))
    np.testing.assert_allclose(parts, whole, atol=gradient_grid(CLIP, len(whole)).step)


def test_noises_of_many_steps_are_drawn_together_and_all_differ() -> None:
    private = PrivateGradient(make_network(), "cross_entropy", clip=CLIP, noise_multiplier=1.0)
    entropy = SimulatedEntropy(0)
    found = torch.stack(list(private.noise(5, entropy, grid=private.grid)))
    assert len({tuple(row.tolist()) for row in found}) == 5


def test_noises_beyond_a_block_are_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    private = PrivateGradient(make_network(), "cross_entropy", clip=CLIP, noise_multiplier=1.0)
    monkeypatch.setattr(dpsgd, "BLOCK", 2 * parameter_count(make_network()))
    assert len(list(private.noise(5, SimulatedEntropy(0), grid=private.grid))) == 5


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
