"""Without privacy a local training is torch's own; batches are Poisson samples or epochs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from secure_clove.engine.terms import Optimizer
from secure_clove.errors import ConfigError, DataError
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.foundation.trees import Vector
from secure_clove.learn.models import flat, load_flat
from secure_clove.learn.sgd import LocalSgd, TrainingSpec, batches, poisson_batch, shuffled
from secure_clove.learn.tasks import Examples
from tests.builders import run_python
from tests.learn.builders import (
    CLASSES,
    FEATURES,
    examples,
    learner,
    make_batch_norm,
    make_dropout,
    make_network,
    weights,
)


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


# ---- epochs of shuffled batches


def test_an_epoch_holds_every_example_once_in_batches_of_the_size() -> None:
    plan = TrainingSpec(learning_rate=0.1, epochs=1, batch_size=8)
    found = list(batches(plan, 20, SimulatedEntropy(0)))
    assert [len(batch) for batch in found] == [8, 8, 4]
    assert sorted(torch.cat(found).tolist()) == list(range(20))


def test_each_epoch_has_its_own_order() -> None:
    plan = TrainingSpec(learning_rate=0.1, epochs=3, batch_size=50)
    orders = [tuple(batch.tolist()) for batch in batches(plan, 50, SimulatedEntropy(0))]
    assert len(set(orders)) == 3


def test_every_place_of_an_order_is_as_likely() -> None:
    entropy, count = SimulatedEntropy(0), 4
    orders = [tuple(shuffled(count, entropy).tolist()) for _ in range(2400)]
    each = np.array([orders.count(order) for order in set(orders)])
    assert len(each) == 24
    assert float(((each - 100) ** 2 / 100).sum()) < 70  # chi2.ppf(1 - 1e-6, df=23) is 70


def by_hand_in_epochs(kind: type[torch.optim.Optimizer], spec: TrainingSpec) -> Vector:
    entropy = SimulatedEntropy(0)
    entropy.draw(8)  # the seed of dropout comes first
    module = make_network().train()
    load_flat(module, weights(make_network))
    optimizer = kind(module.parameters(), lr=spec.learning_rate)  # type: ignore[call-arg]
    x, y = examples(20)
    for batch in batches(spec, 20, entropy):
        optimizer.zero_grad()
        torch.autograd.backward(functional.cross_entropy(module(x[batch]), y[batch]))
        optimizer.step()
    return flat(module)


@pytest.mark.parametrize(("name", "kind"), [("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)])
def test_epochs_take_the_steps_of_torch_on_the_mean_of_each_batch(
    name: Optimizer, kind: type[torch.optim.Optimizer]
) -> None:
    spec = TrainingSpec(learning_rate=0.02, optimizer=name, epochs=3, batch_size=8)
    found = learner(spec, model=make_network).train(weights(make_network), SimulatedEntropy(0))
    np.testing.assert_allclose(found, by_hand_in_epochs(kind, spec), atol=1e-5)


def test_adam_starts_afresh_in_each_training() -> None:
    made = learner(TrainingSpec(learning_rate=0.02, optimizer="adam", epochs=2, batch_size=8))
    np.testing.assert_array_equal(
        made.train(weights(), SimulatedEntropy(0)), made.train(weights(), SimulatedEntropy(0))
    )


def test_the_order_of_an_epoch_comes_from_the_entropy() -> None:
    spec = TrainingSpec(learning_rate=0.3, epochs=1, batch_size=3)
    first, again, other = (
        learner(spec).train(weights(), SimulatedEntropy(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_batch_larger_than_the_data_is_a_full_step() -> None:
    spec = TrainingSpec(learning_rate=0.3, epochs=7, batch_size=1000)
    found = learner(spec, model=make_network).train(weights(make_network), SimulatedEntropy(0))
    np.testing.assert_allclose(found, by_hand(TrainingSpec(learning_rate=0.3, steps=7)), atol=1e-5)


def test_adam_can_be_private() -> None:
    spec = TrainingSpec(learning_rate=0.05, optimizer="adam", clip=1.0, noise_multiplier=1.0)
    moved = learner(spec).train(weights(), SimulatedEntropy(0)) - weights()
    # the first step of Adam is the learning rate times the sign of the private gradient
    np.testing.assert_allclose(np.abs(moved), 0.05, atol=1e-4)


def test_a_last_batch_of_one_that_batch_norm_cannot_take_is_refused_with_the_cure() -> None:
    made = learner(TrainingSpec(learning_rate=0.1, epochs=1, batch_size=19), model=make_batch_norm)
    with pytest.raises(DataError, match="change batch_size or use GroupNorm"):
        made.train(weights(make_batch_norm), SimulatedEntropy(0))


class Stubborn(nn.Linear):
    """A layer that refuses to train, for a reason of its own."""

    def __init__(self) -> None:
        super().__init__(FEATURES, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            raise ValueError("not today")
        return super().forward(x)


def test_a_model_that_fails_by_itself_is_not_explained_away() -> None:
    with pytest.raises(ValueError, match="not today"):
        learner(TrainingSpec(learning_rate=0.1), model=Stubborn).train(
            weights(Stubborn), SimulatedEntropy(0)
        )


# ---- what is kept and what is said


def test_training_without_privacy_keeps_no_gradients_per_example() -> None:
    module, (x, y) = make_network(), examples(20)
    private = TrainingSpec(learning_rate=0.1, clip=1.0)
    LocalSgd(module, private, "cross_entropy")
    plain = LocalSgd(module, TrainingSpec(learning_rate=0.1, steps=3), "cross_entropy")
    plain.run(Examples(x=x, y=y), SimulatedEntropy(0))
    assert all(getattr(p, "grad_sample", None) is None for p in module.parameters())


PRINTING = """
import sys
from functools import partial
from threading import Thread

import numpy as np

from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.models import initial, linear
from secure_clove.learn.sgd import TrainingSpec
from secure_clove.learn.tasks import TorchTask

sys.stderr = sys.stdout
model, data = partial(linear, 6, 3), (np.ones((8, 6), np.float32), np.zeros(8, np.int64))
start = initial(model, 1, seed=0)[0]

def train():
    task = TorchTask(model=model, train=data, test=data)
    learner = TorchLearner(task, TrainingSpec(learning_rate=0.3, steps=5, clip=1.0))
    learner.train(start, SimulatedEntropy(0))

threads = [Thread(target=train) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_private_training_in_many_threads_prints_no_warning(tmp_path: Path) -> None:
    assert run_python(PRINTING, cwd=tmp_path) == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"learning_rate": 0.0}, "learning_rate > 0"),
        ({"learning_rate": np.inf}, "learning_rate > 0"),
        ({"momentum": 1.0}, "momentum < 1"),
        ({"steps": 0}, "steps >= 1"),
        ({"rate": 0.0}, "rate <= 1"),
        ({"rate": 1.1}, "rate <= 1"),
        ({"clip": 0.0}, "not a positive number"),
        ({"clip": np.nan}, "not a positive number"),
        ({"clip": 1.0, "noise_multiplier": -1.0}, "at least 0"),
        ({"noise_multiplier": 1.0}, "set clip"),
        ({"clip": 1.0, "epochs": 1, "batch_size": 4}, "needs Poisson batches"),
    ],
)
def test_a_spec_that_cannot_train_or_protect_is_refused(
    changes: dict[str, float], words: str
) -> None:
    values = {"learning_rate": 0.1, **changes}
    with pytest.raises(ConfigError, match=words):
        TrainingSpec(**values)  # type: ignore[arg-type]
