"""Torch models as flat vectors: an architecture id, reading, writing and initial models.

A vector holds the parameters and then the floating-point buffers (such as running statistics), in
the order in which the module names them.
"""

from collections.abc import Callable
from hashlib import sha256

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from secure_clove.errors import ConfigError, DataError
from secure_clove.foundation.seeds import stream
from secure_clove.foundation.trees import Vector

MakeModel = Callable[[], nn.Module]

BIAS_SCALE = 0.05
"""Standard deviation of an initial bias of `linear`."""


class Linear(nn.Module):
    """One linear layer whose initial models differ in their biases only.

    With all weights zero, the losses of two initial models differ by an amount that depends on the
    label alone. So each example speaks about its class at full strength, and label skew shows in
    the loss embedding through far more noise than with random weights.
    """

    def __init__(self, features: int, classes: int) -> None:
        """Draw an initial model from torch's generator."""
        super().__init__()
        self.layer = nn.Linear(features, classes)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weights to zero and the biases to N(0, BIAS_SCALE^2)."""
        nn.init.zeros_(self.layer.weight)
        nn.init.normal_(self.layer.bias, std=BIAS_SCALE)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score per class, shape (n, classes), for x of shape (n, ...)."""
        scores: Tensor = self.layer(x.flatten(1))
        return scores


def linear(features: int, classes: int) -> nn.Module:
    """Return a linear classifier with zero weights and small random biases."""
    return Linear(features, classes)


def _tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    buffers = [(name, b) for name, b in module.named_buffers() if b.is_floating_point()]
    return [*module.named_parameters(), *buffers]


def architecture(model: nn.Module) -> str:
    """Return 16 hex digits that name the model's arrays and their shapes, not their values."""
    lines = [f"{name}:{tuple(tensor.shape)}" for name, tensor in _tensors(model)]
    return sha256("\n".join(lines).encode()).hexdigest()[:16]


def parameter_count(model: nn.Module) -> int:
    """Return the length of the model's vector."""
    return sum(tensor.numel() for _, tensor in _tensors(model))


def flat(model: nn.Module) -> Vector:
    """Return the model's numbers as one float64 vector of shape (d,)."""
    parts = [tensor.detach().reshape(-1).double() for _, tensor in _tensors(model)]
    return torch.cat(parts).cpu().numpy()


def load_flat(model: nn.Module, vector: Vector) -> None:
    """Write ``vector`` into ``model``; the inverse of `flat`, rounded to the model's precision.

    Raises:
        DataError: the length is not the model's, or a number is not finite.
    """
    check_vectors(model, vector[None])
    numbers = views(model, as_tensor(vector))
    with torch.no_grad():
        for (_, tensor), view in zip(_tensors(model), numbers.values(), strict=True):
            tensor.copy_(view)


def as_tensor(vectors: NDArray[np.float64]) -> Tensor:
    """Return ``vectors`` as a tensor to read from; only what torch cannot share is copied."""
    return torch.from_numpy(np.require(vectors, requirements=["C", "W"]))  # decoded ones are not W


def views(model: nn.Module, numbers: Tensor) -> dict[str, Tensor]:
    """Return ``numbers``, shape (..., d), as the model's tensors by name, shape (..., *its own)."""
    tensors = _tensors(model)
    parts = torch.split_with_sizes(numbers, [tensor.numel() for _, tensor in tensors], -1)
    return {
        name: part.view(*numbers.shape[:-1], *tensor.shape)
        for (name, tensor), part in zip(tensors, parts, strict=True)
    }


def check_vectors(model: nn.Module, vectors: NDArray[np.float64]) -> None:
    """Refuse vectors, shape (K, d), that are not models of this architecture.

    Raises:
        DataError: the length is not the model's, or a number is not finite.
    """
    count = parameter_count(model)
    if vectors.ndim != 2 or vectors.shape[1] != count:
        raise DataError(
            f"a vector of shape {vectors.shape[1:]} does not fit a model of {count} numbers; "
            "the federation trains another architecture"
        )
    if not np.isfinite(vectors).all():
        raise DataError("the model received holds NaN or infinity; training has diverged")


def laid_out(weight: Tensor) -> Tensor:
    """Return ``weight`` in the layout in memory that suits its device: the numbers are the same.

    On a CPU the weights of a convolution of images get their channels innermost. It answers in the
    layout of its weights, so all layers after it work in it too, and torch's pooling is several
    times faster there: measured, a forward pass of the paper's CNN takes 0.8 of its time and one of
    `deep-cnn` 0.7, a training step 0.75 and 0.85.
    """
    if weight.ndim != 4 or weight.device.type != "cpu":
        return weight
    # `contiguous(memory_format=...)` would leave weights of one channel as they are
    return torch.empty_like(weight, memory_format=torch.channels_last).copy_(weight)


def initial(make_model: MakeModel, count: int, *, seed: int, alike: int = 1) -> NDArray[np.float64]:
    """Return ``count`` initial models, shape (count, d), drawn as torch draws them.

    Model i depends on ``seed`` and i only. Torch's global generator is left as it was.

    Args:
        make_model: Draws one model.
        count: How many, from 1.
        seed: Of the draws.
        alike: How many of the first models are one and the same, the first; from 1 to ``count``.
            1 draws every model on its own. CLoVE with equal initialisation has K, so that probes
            behind the K models still differ.

    Raises:
        ConfigError: ``alike`` is out of range, or two other models are equal, because
            ``make_model`` seeds torch or draws nothing.
    """
    if not 1 <= alike <= count:
        raise ConfigError(f"{alike} of {count} initial models cannot be alike; set 1 to {count}")
    drawn = [_one_initial(make_model, seed, index) for index in (0, *range(alike, count))]
    if len({model.tobytes() for model in drawn}) < len(drawn):
        raise ConfigError(
            "initial models must differ: make_model must draw its weights at random "
            "and must not seed torch itself"
        )
    return np.stack([drawn[0]] * alike + drawn[1:])


def _one_initial(make_model: MakeModel, seed: int, index: int) -> Vector:
    with torch.random.fork_rng(devices=[]):
        rng = stream(seed, "initial", index)
        torch.default_generator.manual_seed(int(rng.integers(2**63)))
        return flat(make_model())
