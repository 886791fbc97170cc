"""One local training: stochastic gradient descent or Adam, private if its spec has a clipping norm.

Without privacy the batches may also be those of shuffled epochs, as in the paper's experiments.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from secure_clove.engine.plan import TrainingPlan
from secure_clove.errors import ConfigError, DataError
from secure_clove.foundation.seeds import Entropy
from secure_clove.learn.devices import seeded
from secure_clove.learn.dpsgd import GridOptimizer, gathering, sampled
from secure_clove.learn.losses import example_losses
from secure_clove.learn.tasks import Examples, Loss


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

    def _optimizer(self, count: int, entropy: Entropy) -> torch.optim.Optimizer:
        spec = self._spec
        plain = plain_optimizer(spec, self._module.parameters())
        if spec.clip is None:
            return plain
        private: torch.optim.Optimizer = GridOptimizer(
            plain,
            clip=spec.clip,
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
        size = optimizer.at_once
        for start in range(0, max(len(y), 1), size):
            part = slice(start, start + size)
            optimizer.zero_grad()
            if len(y):
                torch.autograd.backward(self._summed_loss(x[part], y[part]))
            else:  # an empty batch is a step of pure noise
                for p in optimizer.params:
                    p.grad_sample = p.new_zeros((0, *p.shape))
            optimizer.signal_skip_step(start + size < len(y))
            optimizer.step()

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
