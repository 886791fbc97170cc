"""A task is read once from arrays or torch data sets, and refused when it cannot be learned."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from secure_clove.errors import ConfigError, DataError
from secure_clove.learn.tasks import Examples, Source, TorchTask, check_fit
from tests.learn.builders import CLASSES, FEATURES, examples, make_linear, task


class Squares(Dataset[tuple[Tensor, Tensor]]):
    """A data set that makes its examples when asked."""

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return torch.full((FEATURES,), float(index**2)), torch.tensor(index % CLASSES)


def same(a: Examples, b: Examples) -> bool:
    return torch.equal(a.x, b.x) and torch.equal(a.y, b.y)


def read(train: Source) -> Examples:
    return TorchTask(model=make_linear, train=train, test=examples(2)).training


def test_arrays_tensors_and_data_sets_are_read_alike() -> None:
    x, y = examples(8)
    assert same(read((x, y)), read((x.numpy(), y.numpy())))
    assert same(read((x, y)), read(TensorDataset(x, y)))


def test_a_lazy_data_set_is_materialised() -> None:
    found = read(Squares())
    assert found.x[:, 0].tolist() == [0, 1, 4, 9, 16]
    assert found.y.tolist() == [0, 1, 2, 0, 1]


def test_features_become_float32_and_tokens_int64() -> None:
    y = np.zeros(3, np.int32)
    assert read((np.ones((3, 6)), y)).x.dtype == torch.float32
    assert read((np.ones((3, 6), np.int32), y)).x.dtype == torch.int64


def test_the_held_out_examples_may_be_missing() -> None:
    assert len(task(test=0).held_out) == 0


def test_targets_of_a_regression_become_float32() -> None:
    x, _ = examples(4)
    made = TorchTask(model=make_linear, train=(x, x.double()), test=(x, x), loss="mse")
    assert made.training.y.dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x, y: (x[1:], y), "do not match"),
        (lambda x, y: (x[:0], y[:0]), "no training examples"),
        (lambda x, y: (x / 0, y), "NaN or infinity"),
        (lambda x, y: (x, y.float()), "whole class numbers"),
        (lambda x, y: (x, y - 5), "whole class numbers"),
        (lambda x, y: (x, y[:, None]), "whole class numbers"),
        (lambda x, y: TensorDataset(x, y, y), "3 values per example"),
    ],
)
def test_examples_that_cannot_be_learned_are_refused(
    change: Callable[[Tensor, Tensor], Source], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        read(change(*examples(8)))


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(ConfigError, match="choose cross_entropy or mse"):
        TorchTask(
            model=make_linear,
            train=examples(2),
            test=examples(2),
            loss="hinge",  # type: ignore[arg-type]
        )


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: nn.Linear(FEATURES + 1, CLASSES), "cannot read an example"),
        (lambda: nn.Linear(FEATURES, CLASSES - 1), "2 classes, the data a label 2"),
        (lambda: nn.Sequential(nn.Linear(FEATURES, 1), nn.Flatten(0)), "scores of shape"),
    ],
)
def test_a_model_that_does_not_fit_the_examples_is_refused(
    model: Callable[[], nn.Module], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        check_fit(task(), model())


def test_a_regression_whose_output_would_broadcast_is_refused() -> None:
    x, _ = examples(4)
    made = TorchTask(
        model=lambda: nn.Linear(FEATURES, 1), train=(x, x[:, 0]), test=(x, x[:, 0]), loss="mse"
    )
    with pytest.raises(DataError, match="must agree"):
        check_fit(made, made.model())


def test_printing_examples_shows_none_of_them() -> None:
    assert repr(task().training) == "Examples()"
