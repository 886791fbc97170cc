"""What a data scientist hands over: a model, examples and a loss."""

from collections.abc import Sized
from dataclasses import InitVar, dataclass, field
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from secure_clove.errors import ConfigError, DataError
from secure_clove.learn.models import MakeModel

Loss = Literal["cross_entropy", "mse"]
Arrays = tuple[NDArray[np.generic] | Tensor, NDArray[np.generic] | Tensor]
Source = Arrays | TensorDataset | Dataset[tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Examples:
    """Inputs and targets as tensors in memory.

    Attributes:
        x: Shape (n, ...): float32, or int64 for tokens.
        y: Shape (n,) int64 for ``cross_entropy``, (n, ...) float32 for ``mse``.
    """

    x: Tensor = field(repr=False)
    y: Tensor = field(repr=False)

    def __len__(self) -> int:
        """Count of examples."""
        return len(self.y)

    def first(self, count: int) -> "Examples":
        """Return the first ``count`` examples, or all if there are fewer."""
        return Examples(x=self.x[:count], y=self.y[:count])

    def to(self, device: torch.device) -> "Examples":
        """Return the examples on ``device``; on the CPU they are not copied."""
        return Examples(x=self.x.to(device), y=self.y.to(device))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TorchTask:
    """A client's learning task.

    Attributes:
        model: Makes the model, freshly initialised, each time it is called.
        train: Inputs and targets to train on: two arrays or a torch data set.
        test: Held-out inputs and targets; may be empty.
        loss: ``cross_entropy`` over class scores, or ``mse`` (mean over an example's outputs).
        training: The training examples, read once from ``train``.
        held_out: The held-out examples, read once from ``test``.
    """

    model: MakeModel
    train: InitVar[Source]
    test: InitVar[Source]
    loss: Loss = "cross_entropy"
    training: Examples = field(init=False)
    held_out: Examples = field(init=False)

    def __post_init__(self, train: Source, test: Source) -> None:
        """Read and check the examples.

        Raises:
            ConfigError: no such loss.
            DataError: examples that cannot be read, do not match, or are not finite.
        """
        if self.loss not in ("cross_entropy", "mse"):
            raise ConfigError(f"no loss '{self.loss}'; choose cross_entropy or mse")
        object.__setattr__(self, "training", _read(train, self.loss, part="training"))
        object.__setattr__(self, "held_out", _read(test, self.loss, part="held-out"))
        if not len(self.training):
            raise DataError("the client has no training examples, so it cannot take part")


def _read(source: Source, loss: Loss, *, part: str) -> Examples:
    try:
        x, y = (_plain(torch.as_tensor(array)) for array in _arrays(source, part))
    except TypeError as error:
        raise DataError(f"{part} examples must be real numbers") from error
    if loss == "mse":
        y = y.float()
    if x.ndim < 1 or y.ndim < 1 or len(x) != len(y):
        raise DataError(f"{part} inputs {tuple(x.shape)} and targets {tuple(y.shape)} do not match")
    if not (x.isfinite().all() and y.isfinite().all()):
        raise DataError(f"{part} examples hold NaN or infinity; clean or impute them first")
    if loss == "cross_entropy" and (y.ndim != 1 or y.is_floating_point() or (y < 0).any()):
        raise DataError(f"{part} targets must be whole class numbers from 0, shape (n,)")
    return Examples(x=x.contiguous(), y=y.contiguous())


def _plain(tensor: Tensor) -> Tensor:
    if tensor.is_complex():
        raise TypeError("complex numbers")
    return tensor.detach().float() if tensor.is_floating_point() else tensor.detach().long()


def _arrays(source: Source, part: str) -> Arrays:
    if isinstance(source, tuple):
        return source
    if isinstance(source, TensorDataset):
        pair = source.tensors
    else:
        items = [source[index] for index in range(len(cast(Sized, source)))]
        pair = tuple(torch.stack([torch.as_tensor(v) for v in c]) for c in zip(*items, strict=True))
    if len(pair) != 2:
        raise DataError(f"the {part} data set yields {len(pair)} values per example, not (x, y)")
    return pair[0], pair[1]


def check_fit(task: TorchTask, module: nn.Module) -> None:
    """Try ``module`` on one training example of ``task``, and hold its output against all targets.

    Raises:
        DataError: the model cannot read the examples, or its output does not fit the targets.
    """
    x, y = task.training.x[:1], task.training.y[:1]
    device = next((tensor.device for tensor in module.parameters()), x.device)
    module.eval()
    try:
        with torch.no_grad():
            output: Tensor = module(x.to(device))
    except (RuntimeError, IndexError) as error:
        raise DataError(
            f"the model cannot read an example of shape {tuple(x.shape[1:])}"
        ) from error
    if task.loss == "mse" and output.shape != y.shape:
        raise DataError(f"output {tuple(output.shape)} and target {tuple(y.shape)} must agree")
    if task.loss == "cross_entropy":
        _check_classes(task, output)


def _check_classes(task: TorchTask, output: Tensor) -> None:
    if output.ndim != 2:
        raise DataError(f"a classifier gives scores of shape (n, classes), not {output.ndim}-d")
    highest = int(torch.cat([task.training.y, task.held_out.y]).max())
    if highest >= output.shape[1]:
        raise DataError(f"the model has {output.shape[1]} classes, the data a label {highest}")
