"""Losses example by example, of one model or of all K in one pass over the data."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional

from secure_clove.learn.executions import Execution
from secure_clove.learn.models import as_tensor, check_vectors, laid_out, views
from secure_clove.learn.tasks import Examples, Loss

BATCH = 128
"""Examples that a model with convolutions evaluates at a time.

Measured for K = 5 on one core with 1 MB of L2: the paper's CNN and the autoencoder of CIFAR-10 gain
at most 6 % from 512, whose activations are four times as large, and lose 10 to 25 % at 32 to 64,
where the cost of each call shows; the deep CNN, whose activations leave the cache, gains 20 % at 48
and loses 18 % at 256.
"""

FLAT_BATCH = 512
"""The same without convolutions: activations are small, and each batch reads all weights again.

Measured as above: against 128, the autoencoder of MNIST and `amazon-mlp` gain 10 %, `linear` half.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well one model does on one set of examples.

    Attributes:
        loss: Mean loss; NaN without examples.
        hits: Examples classified correctly; 0 where there are no classes.
        examples: Count of examples.
    """

    loss: float
    hits: int
    examples: int


def example_losses(output: Tensor, y: Tensor, loss: Loss) -> Tensor:
    """Return the loss of each example, shape (n,), in the precision of ``output``."""
    if loss == "cross_entropy":
        return functional.cross_entropy(output, y, reduction="none")
    return functional.mse_loss(output, y, reduction="none").flatten(1).mean(1)


def score(module: nn.Module, *, examples: Examples, loss: Loss) -> Score:
    """Return loss and hits of ``module`` as it stands, from one forward pass."""
    if not len(examples):
        return Score(loss=float("nan"), hits=0, examples=0)
    module.eval()
    total, hits = 0.0, 0
    with torch.no_grad():
        for x, y in _parts(module, examples):
            output = module(x).double()
            total += float(example_losses(output, y, loss).sum())
            hits += int((output.argmax(1) == y).sum()) if loss == "cross_entropy" else 0
    return Score(loss=total / len(examples), hits=hits, examples=len(examples))


def loss_rows(
    module: nn.Module,
    vectors: NDArray[np.float64],
    *,
    examples: Examples,
    loss: Loss,
    execution: Execution = Execution.SEQUENTIAL,
    room: Tensor | None = None,
) -> NDArray[np.float64]:
    """Return the loss of every example under every model, shape (n, K); it may be infinite.

    Each batch is read once and meets all K models. They are views of the vectors, converted once:
    no numbers are copied into the module, whose own stay as they are.

    Args:
        module: How to compute; on the device of the examples.
        vectors: The models, shape (K, d).
        examples: n >= 1 examples.
        loss: Which loss.
        execution: One model after another, or all at once; the module must allow it.
        room: Overwritten with the models in float32, shape (K, d), on the device of the examples;
            whoever asks often saves the time of asking the system for memory.

    Raises:
        DataError: a model of another length.

    Source: CLoVE, Algorithm 1, line 7 (the loss vector is the mean of these rows).
    """
    check_vectors(module, vectors)
    module.eval()
    with torch.no_grad():
        if room is None:
            room = torch.empty(vectors.shape, device=examples.x.device)
        numbers = room.copy_(as_tensor(vectors))
        outputs = (
            _at_once(module, numbers) if execution is Execution.VMAP else _in_turn(module, numbers)
        )
        rows = [
            torch.stack([example_losses(output.double(), y, loss) for output in outputs(x)], dim=1)
            for x, y in _parts(module, examples)
        ]
        return torch.cat(rows).cpu().numpy()


def _parts(module: nn.Module, examples: Examples) -> Iterator[tuple[Tensor, Tensor]]:
    size = BATCH if any(weight.ndim > 2 for weight in module.parameters()) else FLAT_BATCH
    return zip(*(torch.split(tensor, size) for tensor in (examples.x, examples.y)), strict=True)


def _in_turn(module: nn.Module, numbers: Tensor) -> Callable[[Tensor], Iterable[Tensor]]:
    models = [
        {name: laid_out(tensor) for name, tensor in views(module, row).items()} for row in numbers
    ]
    return lambda x: (functional_call(module, model, (x,)) for model in models)


def _at_once(module: nn.Module, numbers: Tensor) -> Callable[[Tensor], Iterable[Tensor]]:
    models, call = views(module, numbers), vmap(partial(functional_call, module), in_dims=(0, None))
    return lambda x: call(models, (x,))
