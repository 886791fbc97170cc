"""Without privacy a local training is torch's own SGD; batches are Poisson samples."""

import warnings

import numpy as np
import pytest
import torch
from torch.nn import functional

from secure_clove.errors import ConfigError
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.foundation.trees import Vector
from secure_clove.learn.models import flat, load_flat
from secure_clove.learn.sgd import TrainingSpec, poisson_batch
from tests.learn.builders import examples, learner, make_dropout, make_linear, make_network, weights


def by_hand(spec: TrainingSpec) -> Vector:
    module = make_network().train()
    load_flat(module, weights(make_network))
    optimizer = torch.optim.SGD(module.parameters(), lr=spec.learning_rate, momentum=spec.momentum)
    x, y = examples(20)
    for _ in range(spec.steps):
        optimizer.zero_grad()
        torch.autograd.backward(functional.cross_entropy(module(x), y))
        optimizer.step()
    return flat(module)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_without_privacy_full_batches_are_plain_sgd(momentum: float) -> None:
    spec = TrainingSpec(learning_rate=0.3, momentum=momentum, steps=7)
    found = learner(spec, model=make_network).train(weights(make_network), SimulatedEntropy(0))
    np.testing.assert_allclose(found, by_hand(spec), atol=1e-5)


@pytest.mark.parametrize("rate", [0.4, 1.0])
def test_a_clipping_norm_that_never_binds_is_plain_sgd_up_to_the_grid(rate: float) -> None:
    plain, clipped = (
        learner(
            TrainingSpec(learning_rate=0.3, momentum=0.5, steps=6, rate=rate, clip=clip),
            model=make_network,
        ).train(weights(make_network), SimulatedEntropy(0))
        for clip in (None, 10.0)
    )
    np.testing.assert_allclose(clipped, plain, atol=0.01)


def test_momentum_starts_from_zero_in_each_training() -> None:
    made = learner(TrainingSpec(learning_rate=0.3, momentum=0.9, steps=3))
    np.testing.assert_array_equal(
        made.train(weights(), SimulatedEntropy(0)), made.train(weights(), SimulatedEntropy(0))
    )


def test_all_examples_enter_a_step_at_rate_one() -> None:
    assert poisson_batch(5, 1.0, SimulatedEntropy(0)).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("rate", [0.03, 0.5, 0.97])
def test_each_example_enters_with_the_rate(rate: float) -> None:
    count = 20_000
    taken = len(poisson_batch(count, rate, SimulatedEntropy(1)))
    assert abs(taken - rate * count) < 5 * np.sqrt(count * rate * (1 - rate))


def test_batches_differ_in_size_and_hold_no_example_twice() -> None:
    entropy = SimulatedEntropy(2)
    batches = [poisson_batch(50, 0.3, entropy) for _ in range(20)]
    assert len({len(batch) for batch in batches}) > 3
    assert all(len(set(batch.tolist())) == len(batch) for batch in batches)


def test_an_empty_batch_without_privacy_changes_nothing() -> None:
    spec = TrainingSpec(learning_rate=0.3, rate=1e-9)
    np.testing.assert_array_equal(learner(spec).train(weights(), SimulatedEntropy(0)), weights())


def test_a_step_is_divided_by_the_expected_size_of_the_batch() -> None:
    entropy = SimulatedEntropy(0)
    entropy.draw(8)  # the seed of dropout comes first
    batch = examples(20)[1][poisson_batch(20, 0.4, entropy)]
    start = np.zeros(len(weights()))
    moved = learner(TrainingSpec(learning_rate=1.0, rate=0.4)).train(start, SimulatedEntropy(0))
    # at scores of zero the gradient of a bias is 1/3 per example less the examples of its class
    expected = (np.bincount(batch, minlength=3) - len(batch) / 3) / (0.4 * 20)
    assert len(batch) != 8
    np.testing.assert_allclose(moved[-3:], expected, atol=1e-6)


def test_dropout_is_drawn_from_the_entropy() -> None:
    spec = TrainingSpec(learning_rate=0.3, steps=2)
    first, again, other = (
        learner(spec, model=make_dropout).train(weights(make_dropout), SimulatedEntropy(seed))
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_training_leaves_the_generator_of_torch_alone() -> None:
    before = torch.get_rng_state()
    learner(TrainingSpec(learning_rate=0.3), model=make_dropout).train(
        weights(make_dropout), SimulatedEntropy(0)
    )
    assert torch.equal(before, torch.get_rng_state())


def test_private_training_prints_no_warning() -> None:
    made = learner(TrainingSpec(learning_rate=0.3, clip=1.0), model=make_linear)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made.train(weights(), SimulatedEntropy(0))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"learning_rate": 0.0}, "learning_rate > 0"),
        ({"learning_rate": np.inf}, "learning_rate > 0"),
        ({"momentum": 1.0}, "momentum in"),
        ({"steps": 0}, "steps >= 1"),
        ({"rate": 0.0}, "not a probability"),
        ({"rate": 1.1}, "not a probability"),
        ({"clip": 0.0}, "not a positive number"),
        ({"clip": np.nan}, "not a positive number"),
        ({"clip": 1.0, "noise_multiplier": -1.0}, "at least 0"),
        ({"noise_multiplier": 1.0}, "set clip"),
    ],
)
def test_a_spec_that_cannot_train_or_protect_is_refused(
    changes: dict[str, float], words: str
) -> None:
    values = {"learning_rate": 0.1, **changes}
    with pytest.raises(ConfigError, match=words):
        TrainingSpec(**values)  # type: ignore[arg-type]
