"""One site at a terminal: its data from a file, its progress on one line, its model to a file."""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from rich.console import Console
from safetensors.torch import save_file

from secure_clove.engine.progress import Progress
from secure_clove.errors import DataError
from secure_clove.learn.models import linear, load_flat
from secure_clove.learn.tasks import TorchTask
from secure_clove.sdk.results import ClientResult

ARRAYS = ("train_x", "train_y", "test_x", "test_y")
DAMAGED = (BadZipFile, NotImplementedError, zlib.error)
"""What the zip reader raises for a damaged file, beside ordinary errors."""


def linear_task(path: Path, classes: int) -> TorchTask:
    """Return a linear classifier's task on the arrays of an ``.npz`` file.

    Raises:
        DataError: the file cannot be read, or lacks one of `ARRAYS`.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            train_x, train_y, test_x, test_y = (file[name] for name in ARRAYS)
    except (OSError, EOFError, ValueError, KeyError, TypeError, *DAMAGED) as error:
        raise DataError(f"{path} must be an .npz file with {', '.join(ARRAYS)}") from error
    features = int(np.prod(train_x.shape[1:]))
    return TorchTask(
        model=partial(linear, features, classes), train=(train_x, train_y), test=(test_x, test_y)
    )


def save_model(path: Path, task: TorchTask, result: ClientResult) -> None:
    """Write a site's final model as safetensors, by parameter name."""
    if result.model is None:
        raise DataError("the federation closed before this site got a model")
    module = task.model()
    load_flat(module, result.model)
    save_file({name: tensor.contiguous() for name, tensor in module.state_dict().items()}, path)


@contextmanager
def terminal_watch(console: Console) -> Iterator[Callable[[Progress], None]]:
    """Yield a watcher that keeps one line of the terminal up to date."""
    torch.set_num_threads(1)
    with console.status("joining; waiting for the federation to start") as status:
        accuracy = ""

        def show(progress: Progress) -> None:
            nonlocal accuracy
            if progress.accuracy is not None:
                accuracy = f" · accuracy {progress.accuracy:.3f}"
                return
            status.update(f"round {progress.round} · {progress.phase} · {progress.step}{accuracy}")

        yield show
