"""One local training: stochastic gradient descent, private if its spec has a clipping norm."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from secure_clove.errors import ConfigError
from secure_clove.foundation.seeds import Entropy
from secure_clove.learn.dpsgd import GridOptimizer, sampled
from secure_clove.learn.losses import example_losses
from secure_clove.learn.tasks import Examples, Loss


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSpec:
    """How a client trains between two exchanges.

    Attributes:
        learning_rate: Of plain SGD, above 0.
        momentum: In [0, 1); starts from zero in each training.
        steps: Gradient steps, at least 1.
        rate: Probability that an example enters a step, in (0, 1]; 1 takes all.
        clip: Norm that one example's gradient is clipped to; None trains without privacy.
        noise_multiplier: Noise standard deviation over ``clip``, at least 0. With 0 nothing is
            private, whatever ``clip`` is.
    """

    learning_rate: float
    momentum: float = 0.0
    steps: int = 1
    rate: float = 1.0
    clip: float | None = None
    noise_multiplier: float = 0.0

    def __post_init__(self) -> None:
        """Refuse numbers that cannot train or cannot be private.

        Raises:
            ConfigError: a number out of its range, or noise without a clipping norm.
        """
        if not (0 < self.learning_rate < np.inf and 0 <= self.momentum < 1 and self.steps >= 1):
            raise ConfigError("learning_rate > 0, momentum in [0, 1) and steps >= 1 are needed")
        if not 0 < self.rate <= 1:
            raise ConfigError(f"rate={self.rate} is not a probability in (0, 1]")
        if self.clip is not None and not 0 < self.clip < np.inf:
            raise ConfigError(f"clip={self.clip} is not a positive number")
        if not 0 <= self.noise_multiplier < np.inf:
            raise ConfigError(f"noise_multiplier={self.noise_multiplier} must be at least 0")
        if self.noise_multiplier and self.clip is None:
            raise ConfigError("noise without a clipping norm protects nothing; set clip")


def poisson_batch(count: int, rate: float, entropy: Entropy) -> Tensor:
    """Return the indices of a Poisson batch: each of ``count`` enters with probability ``rate``.

    Independent of the others, by a 32-bit word each; the rate is rounded down to 2^-32, so never
    above what the accountant was told.
    """
    if rate == 1:
        return torch.arange(count)
    words = np.frombuffer(entropy.draw(4 * count), dtype="<u4")
    return torch.from_numpy(np.flatnonzero(words < int(rate * 2**32)))


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
            examples: n examples; n is public and sets the normaliser rate * n.
            entropy: Source of the batches, the noise and any dropout.
        """
        self._module.train()
        optimizer = self._optimizer(len(examples), entropy)
        with _torch_seeded(entropy), _quiet_hooks():
            for _ in range(self._spec.steps):
                batch = poisson_batch(len(examples), self._spec.rate, entropy)
                self._step(optimizer, examples.x[batch], examples.y[batch], len(examples))

    def _optimizer(self, count: int, entropy: Entropy) -> torch.optim.Optimizer:
        spec = self._spec
        sgd = torch.optim.SGD(
            self._module.parameters(), lr=spec.learning_rate, momentum=spec.momentum
        )
        if spec.clip is None:
            return sgd
        private: torch.optim.Optimizer = GridOptimizer(
            sgd,
            clip=spec.clip,
            noise_multiplier=spec.noise_multiplier,
            expected_batch=spec.rate * count,
            entropy=entropy,
        )
        return private

    def _step(self, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, count: int) -> None:
        if isinstance(optimizer, GridOptimizer):
            self._private_step(optimizer, x, y)
        elif len(y):
            optimizer.zero_grad()
            torch.autograd.backward(self._summed_loss(x, y) / (self._spec.rate * count))
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
        return example_losses(self._module(x), y, self._loss).sum()


@contextmanager
def _torch_seeded(entropy: Entropy) -> Iterator[None]:
    """Draw dropout masks from ``entropy``, and give torch's generator back as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int.from_bytes(entropy.draw(8), "little"))
        yield


@contextmanager
def _quiet_hooks() -> Iterator[None]:
    """Silence the one warning torch has for the hooks of Opacus on a first layer."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Full backward hook is firing")
        yield
