"""One local training: stochastic gradient descent or Adam, private if its spec has a clipping norm.

Without privacy the batches may also be those of shuffled epochs, as in the paper's experiments.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from secure_clove.engine.terms import TrainingPlan
from secure_clove.errors import ConfigError, DataError
from secure_clove.foundation.seeds import Entropy
from secure_clove.foundation.trees import Vector
from secure_clove.learn.devices import seeded
from secure_clove.learn.dpsgd import GridOptimizer, gathering, sampled
from secure_clove.learn.losses import example_losses
from secure_clove.learn.tasks import Examples, Loss
from secure_clove.privacy.clipping import gradient_grid


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSpec(TrainingPlan):
    """A training plan and the privacy of each of its steps.

    Attributes:
        clip: Norm that one example's gradient is clipped to; None trains without privacy.
        noise_multiplier: Noise standard deviation over ``clip``, at least 0. With 0 nothing is
            private, whatever ``clip`` is.
    """

    clip: float | None = None
    noise_multiplier: float = 0.0

    def __post_init__(self) -> None:
        """Refuse numbers that cannot train or cannot be private.

        Raises:
            ConfigError: a number out of its range, noise without a clipping norm, or a clipping
                norm with epochs.
        """
        TrainingPlan.__post_init__(self)  # super() does not survive slots=True
        if self.clip is not None and not 0 < self.clip < np.inf:
            raise ConfigError(f"clip={self.clip} is not a positive number")
        if not 0 <= self.noise_multiplier < np.inf:
            raise ConfigError(f"noise_multiplier={self.noise_multiplier} must be at least 0")
        if self.noise_multiplier and self.clip is None:
            raise ConfigError("noise without a clipping norm protects nothing; set clip")
        if self.epochs is not None and self.clip is not None:
            raise ConfigError("private training needs Poisson batches; set steps, not epochs")


def poisson_batch(count: int, rate: float, entropy: Entropy) -> Tensor:
    """Return the indices of a Poisson batch: each of ``count`` enters with probability ``rate``.

    Independent of the others, by a 32-bit word each; the rate is rounded down to 2^-32, so never
    above what the accountant was told.
    """
    if rate == 1:
        return torch.arange(count)
    words = np.frombuffer(entropy.draw(4 * count), dtype="<u4")
    return torch.from_numpy(np.flatnonzero(words < int(rate * 2**32)))


def shuffled(count: int, entropy: Entropy) -> Tensor:
    """Return the indices of ``count`` examples in random order.

    They are sorted by a 64-bit word each, so a replayed entropy gives the same order everywhere.
    """
    words = np.frombuffer(entropy.draw(8 * count), dtype="<u8")
    return torch.from_numpy(np.argsort(words, kind="stable"))


def batches(plan: TrainingPlan, count: int, entropy: Entropy) -> Iterator[Tensor]:
    """Yield the indices of each step of one training on ``count`` examples."""
    if plan.epochs is None or plan.batch_size is None:
        for _ in range(plan.steps):
            yield poisson_batch(count, plan.rate, entropy)
    else:
        for _ in range(plan.epochs):
            yield from torch.split(shuffled(count, entropy), plan.batch_size)


def plain_optimizer(plan: TrainingPlan, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
    """Return a fresh optimizer that knows nothing of privacy."""
    if plan.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=plan.learning_rate)
    return torch.optim.SGD(parameters, lr=plan.learning_rate, momentum=plan.momentum)


class LocalSgd:
    """Trains a resident module in place, one local training a call."""

    def __init__(self, module: nn.Module, spec: TrainingSpec, loss: Loss) -> None:
        """Keep the module, and hook it for per-example gradients if the spec clips.

        Raises:
            DataError: the spec clips, and the module mixes examples.
        """
        self._spec, self._loss = spec, loss
        self._module = module if spec.clip is None else sampled(module)

    def run(self, examples: Examples, entropy: Entropy) -> None:
        """Take the spec's steps from where the module stands, with a fresh optimizer.

        Args:
            examples: n examples, on the device of the module; n is public and sets the normaliser
                rate * n of Poisson batches.
            entropy: Source of the batches, the noise and any dropout.

        Raises:
            DataError: the model cannot train on a batch of one.
        """
        self._module.train()
        optimizer = self._optimizer(len(examples), entropy)
        device = examples.x.device
        with seeded(device, entropy), gathering(self._module):
            for batch in batches(self._spec, len(examples), entropy):
                x, y = examples.x[batch.to(device)], examples.y[batch.to(device)]
                if isinstance(optimizer, GridOptimizer):
                    self._private_step(optimizer, x, y)
                elif len(batch):
                    self._step(optimizer, x, y, self._expected(len(batch), len(examples)))

    def gradient_step(self, examples: Examples, entropy: Entropy, *, share: float) -> Vector:
        """Return by how much one step moves the module, times its examples; the module stays.

        A whole number of steps of the public grid in every coordinate, so that sums over clients
        are exact and their shares of the noise add up to one noise.

        Args:
            examples: n examples, on the device of the module.
            entropy: Source of the batch, the noise and any dropout.
            share: Of the standard deviation of the noise, in (0, 1].

        Returns:
            (d,) float64.

        Raises:
            ConfigError: the spec has no clipping norm.

        Source: clove.txt, Option II (gradient averaging); privacy.md, "Training, Option II".
        """
        spec, device = self._spec, examples.x.device
        if spec.clip is None:
            raise ConfigError("a private gradient needs a clipping norm; set clip")
        self._module.train()
        scale = spec.learning_rate / spec.rate
        grid = gradient_grid(spec.clip * scale, self._parameters)
        in_gradients = replace(grid, step=grid.step / scale)
        optimizer = GridOptimizer(
            plain_optimizer(spec, self._module.parameters()),
            clip=spec.clip,
            grid=in_gradients,
            noise_multiplier=spec.noise_multiplier * share,
            expected_batch=spec.rate * len(examples),
            entropy=entropy,
        )
        with seeded(device, entropy), gathering(self._module):
            batch = poisson_batch(len(examples), spec.rate, entropy).to(device)
            for _ in self._gathered(optimizer, examples.x[batch], examples.y[batch]):
                optimizer.clip_and_accumulate()
        return -grid.step * optimizer.noised().cpu().double().numpy()

    @property
    def _parameters(self) -> int:
        return sum(parameter.numel() for parameter in self._module.parameters())

    def _optimizer(self, count: int, entropy: Entropy) -> torch.optim.Optimizer:
        spec = self._spec
        if spec.clip is None:
            return plain_optimizer(spec, self._module.parameters())
        grid = gradient_grid(spec.clip, self._parameters)
        private: torch.optim.Optimizer = GridOptimizer(
            plain_optimizer(spec, self._module.parameters()),
            clip=spec.clip,
            grid=grid,
            noise_multiplier=spec.noise_multiplier,
            expected_batch=spec.rate * count,
            entropy=entropy,
        )
        return private

    def _expected(self, size: int, count: int) -> float:
        """Return what a summed loss is divided by: a batch of an epoch has the size it has."""
        return size if self._spec.epochs is not None else self._spec.rate * count

    def _step(
        self, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, expected: float
    ) -> None:
        optimizer.zero_grad()
        torch.autograd.backward(self._summed_loss(x, y) / expected)
        optimizer.step()

    def _private_step(self, optimizer: GridOptimizer, x: Tensor, y: Tensor) -> None:
        for is_last in self._gathered(optimizer, x, y):
            optimizer.signal_skip_step(not is_last)
            optimizer.step()

    def _gathered(self, optimizer: GridOptimizer, x: Tensor, y: Tensor) -> Iterator[bool]:
        """Compute the gradients of a batch, part by part; yield whether a part is the last."""
        size = optimizer.at_once
        for start in range(0, max(len(y), 1), size):
            part = slice(start, start + size)
            optimizer.zero_grad()
            if len(y):
                torch.autograd.backward(self._summed_loss(x[part], y[part]))
            else:  # an empty batch is a step of pure noise
                for p in optimizer.params:
                    p.grad_sample = p.new_zeros((0, *p.shape))
            yield start + size >= len(y)

    def _summed_loss(self, x: Tensor, y: Tensor) -> Tensor:
        try:
            output = self._module(x)
        except ValueError as error:
            if len(x) > 1:
                raise
            raise DataError(
                f"the model cannot train on a batch of {len(x)}; "
                "BatchNorm needs two examples: change batch_size or use GroupNorm"
            ) from error
        return example_losses(output, y, self._loss).sum()
