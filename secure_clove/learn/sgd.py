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
from secure_clove.learn.dpsgd import PrivateGradient
from secure_clove.learn.executions import Execution
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
        """Keep the module, and a way to its private gradient if the spec clips.

        Raises:
            DataError: the spec clips, and the module mixes examples.
        """
        self._module, self._spec, self._loss = module, spec, loss
        self._private: PrivateGradient | None = None
        if spec.clip is not None:
            noise = spec.noise_multiplier
            self._private = PrivateGradient(module, loss, clip=spec.clip, noise_multiplier=noise)

    def check(self, examples: Examples) -> None:
        """Refuse a module that cannot be private with such examples, as far as two can tell.

        Raises:
            DataError: it mixes them, or gives no gradient per example.
        """
        if self._private is not None:
            self._private.check(examples.x[:2], examples.y[:2])

    def run(
        self,
        examples: Examples,
        entropy: Entropy,
        *,
        gradients: Execution = Execution.SEQUENTIAL,
    ) -> None:
        """Take the spec's steps from where the module stands, with a fresh optimizer.

        Args:
            examples: n examples, on the device of the module; n is public and sets the normaliser
                rate * n of Poisson batches.
            entropy: Source of the batches, the noise and any dropout.
            gradients: How those of single examples are computed, if the spec clips.

        Raises:
            DataError: the model cannot train on a batch of one, or gives no gradient per example.
        """
        self._module.train()
        with seeded(examples.x.device, entropy):
            if self._private is None:
                self._run_plain(examples, entropy)
            else:
                self._run_private(self._private, examples, entropy, gradients)

    def _run_plain(self, examples: Examples, entropy: Entropy) -> None:
        optimizer = self._optimizer()
        for batch in batches(self._spec, len(examples), entropy):
            if not len(batch):
                continue
            x, y = self._taken(examples, batch)
            expected = self._expected(len(y), len(examples))
            optimizer.zero_grad()
            torch.autograd.backward(self._summed_loss(x, y) / expected)
            optimizer.step()

    def _run_private(
        self, private: PrivateGradient, examples: Examples, entropy: Entropy, execution: Execution
    ) -> None:
        optimizer, grid = self._optimizer(), private.grid
        scale = grid.step / (self._spec.rate * len(examples))
        noises = private.noise(self._spec.steps, entropy, grid=grid)
        for batch, noise in zip(batches(self._spec, len(examples), entropy), noises, strict=True):
            x, y = self._taken(examples, batch)
            total = private.sum(x, y, grid=grid, execution=execution)
            private.assign((total + noise.to(total.device)).double() * scale)
            optimizer.step()

    def gradient_step(
        self,
        examples: Examples,
        entropy: Entropy,
        *,
        share: float,
        gradients: Execution = Execution.SEQUENTIAL,
    ) -> Vector:
        """Return by how much one step moves the module, times its examples; the module stays.

        A whole number of steps of the public grid in every coordinate, so that sums over clients
        are exact and their shares of the noise add up to one noise.

        Args:
            examples: n examples, on the device of the module.
            entropy: Source of the batch, the noise and any dropout.
            share: Of the standard deviation of the noise, in (0, 1].
            gradients: How those of single examples are computed.

        Returns:
            (d,) float64.

        Raises:
            ConfigError: the spec has no clipping norm.
            DataError: the model gives no gradient per example.

        Source: clove.txt, Option II (gradient averaging); privacy.md, "Training, Option II".
        """
        spec, private = self._spec, self._private
        if spec.clip is None or private is None:
            raise ConfigError("a private gradient needs a clipping norm; set clip")
        self._module.train()
        scale = spec.learning_rate / spec.rate
        grid = gradient_grid(spec.clip * scale, sum(p.numel() for p in self._module.parameters()))
        in_gradients = replace(grid, step=grid.step / scale)
        with seeded(examples.x.device, entropy):
            batch = poisson_batch(len(examples), spec.rate, entropy)
            x, y = self._taken(examples, batch)
            total = private.sum(x, y, grid=in_gradients, execution=gradients)
            (noise,) = private.noise(1, entropy, grid=in_gradients, share=share)
        return -grid.step * (total.cpu() + noise).double().numpy()

    def _optimizer(self) -> torch.optim.Optimizer:
        return plain_optimizer(self._spec, self._module.parameters())

    def _taken(self, examples: Examples, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Return inputs and targets of a batch; all of them are not copied."""
        if self._spec.epochs is None and self._spec.rate == 1:
            return examples.x, examples.y
        batch = batch.to(examples.x.device)
        return examples.x[batch], examples.y[batch]

    def _expected(self, size: int, count: int) -> float:
        """Return what a summed loss is divided by: a batch of an epoch has the size it has."""
        return size if self._spec.epochs is not None else self._spec.rate * count

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
