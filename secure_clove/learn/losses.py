"""Losses example by example, of one model or of all K."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from secure_clove.learn.models import load_flat
from secure_clove.learn.tasks import Examples, Loss

BATCH = 512
"""Examples evaluated at a time, to bound the memory for activations."""


def example_losses(output: Tensor, y: Tensor, loss: Loss) -> Tensor:
    """Return the loss of each example, shape (n,), in the precision of ``output``."""
    if loss == "cross_entropy":
        return functional.cross_entropy(output, y, reduction="none")
    return functional.mse_loss(output, y, reduction="none").flatten(1).mean(1)


def outputs(module: nn.Module, x: Tensor) -> Tensor:
    """Return the outputs for n >= 1 examples, in evaluation mode and without gradients."""
    module.eval()
    with torch.no_grad():
        return torch.cat([module(x[i : i + BATCH]) for i in range(0, len(x), BATCH)])


def loss_rows(
    module: nn.Module, vectors: NDArray[np.float64], *, examples: Examples, loss: Loss
) -> NDArray[np.float64]:
    """Return the loss of every example under every model, shape (n, K); it may be infinite.

    Args:
        module: Scratch space: its numbers are overwritten.
        vectors: The models, shape (K, d).
        examples: n examples.
        loss: Which loss.

    Raises:
        DataError: a model of another length.

    Source: CLoVE, Algorithm 1, line 7 (the loss vector is the mean of these rows).
    """
    rows = np.empty((len(examples), len(vectors)))
    for k, vector in enumerate(vectors):
        load_flat(module, vector)
        scores = outputs(module, examples.x).double()
        rows[:, k] = example_losses(scores, examples.y, loss).numpy()
    return rows
