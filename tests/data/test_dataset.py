"""A data set refuses parts that do not belong together and scales by constants."""

from dataclasses import replace

import numpy as np
import pytest

from secure_clove.data.dataset import Part
from secure_clove.errors import DataError
from tests.data.builders import tiny

X, Y = np.zeros((3, 4), np.uint8), np.zeros(3, np.int64)


@pytest.mark.parametrize(
    ("x", "y", "groups"),
    [
        (X.astype(np.float64), Y, None),
        (X, Y.astype(np.int32), None),
        (X[:2], Y, None),
        (X[:, 0], Y, None),
        (X, Y[:, None], None),
        (X, Y, Y[:2]),
    ],
    ids=["x type", "y type", "lengths", "flat x", "wide y", "groups"],
)
def test_arrays_that_do_not_match_are_refused(
    x: np.ndarray, y: np.ndarray, groups: np.ndarray | None
) -> None:
    with pytest.raises(DataError):
        Part(x=x, y=y, groups=groups)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classes": ("a",)}, r"labels must be in 0\.\.0, found 0\.\.1"),
        ({"group_names": ("w",)}, "groups and their names"),
        ({"test": Part(x=X, y=Y)}, "shapes"),
    ],
)
def test_a_data_set_that_does_not_fit_together_is_refused(
    changes: dict[str, object], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        replace(tiny([2, 2]), **changes)  # type: ignore[arg-type]


def test_a_group_without_a_name_is_refused() -> None:
    with pytest.raises(DataError, match=r"groups must be in 0\.\.0"):
        replace(tiny([2, 2], groups=2), group_names=("w",))


def test_features_are_exact_quotients() -> None:
    made = replace(tiny([2]), unit=255.0)
    every = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(made.features(every), (every / 255).astype(np.float32))


def test_tokens_stay_whole() -> None:
    made = replace(tiny([2]), unit=None)
    assert made.features(np.array([19_999], np.int32)).dtype == np.int64


def test_printing_a_data_set_shows_no_examples() -> None:
    assert "array" not in repr(tiny([2], test=[1]))
