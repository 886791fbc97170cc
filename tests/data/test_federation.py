"""A federation refuses examples that cannot work and reports what it holds."""

from collections.abc import Callable

import numpy as np
import pytest

from secure_clove.data.federation import ClientData, Federation
from secure_clove.errors import DataError
from secure_clove.foundation.ids import ClientId


def client(*, train: int = 4, test: int = 2, features: int = 3) -> ClientData:
    return ClientData(
        train_x=np.zeros((train, features), np.float32),
        train_y=np.arange(train, dtype=np.int64) % 2,
        test_x=np.zeros((test, features), np.float32),
        test_y=np.ones(test, np.int64),
    )


def federation(**changes: object) -> Federation:
    a, b = ClientId("a"), ClientId("b")
    values = {"clients": {a: client(), b: client(train=3)}, "truth": {a: 0, b: 1}, "classes": 2}
    return Federation(name="two", **{**values, **changes})  # type: ignore[arg-type]


def test_the_report_counts_examples_and_labels_per_client() -> None:
    first, second = federation().report()
    assert (first.client, first.cluster, first.train, first.test) == ("a", 0, 4, 2)
    assert first.labels == (2, 4)
    assert second.labels == (2, 3)


def test_the_report_names_classes_that_a_client_does_not_hold() -> None:
    assert federation(classes=4).report()[0].labels == (2, 4, 0, 0)


def test_held_out_examples_may_be_missing() -> None:
    assert client(test=0).test_y.size == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: {"train_x": d.train_x.astype(np.float64)}, "convert to float32"),
        (lambda d: {"train_y": d.train_y.astype(np.int32)}, "convert to float32 and int64"),
        (lambda d: {"train_y": d.train_y[:-1]}, "features .* and labels"),
        (lambda d: {"test_y": d.test_y[:-1]}, "held-out features"),
        (lambda d: {"train_x": d.train_x + np.float32(np.nan)}, "NaN or infinity"),
        (lambda d: {"test_x": d.test_x + np.float32(np.inf)}, "held-out features hold NaN"),
        (lambda d: {"train_x": d.train_x[:0], "train_y": d.train_y[:0]}, "no training examples"),
        (lambda d: {"test_x": d.test_x[:, :-1]}, "must agree"),
        (lambda d: {"train_y": d.train_y - 1}, "count from 0"),
    ],
)
def test_examples_that_cannot_be_trained_on_are_refused(
    change: Callable[[ClientData], dict[str, object]], words: str
) -> None:
    good = client()
    parts = {name: getattr(good, name) for name in ("train_x", "train_y", "test_x", "test_y")}
    with pytest.raises(DataError, match=words):
        ClientData(**{**parts, **change(good)})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"clients": {}, "truth": {}}, "needs clients"),
        ({"truth": {"a": 0}}, "planted cluster for each"),
        ({"clients": {"b": client(), "a": client()}}, "ascending order"),
        ({"clients": {"a": client(), "b": client(features=5)}}, "one shape"),
        ({"classes": 1}, "below classes=1"),
    ],
)
def test_a_federation_that_does_not_fit_together_is_refused(
    changes: dict[str, object], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        federation(**changes)


def test_printing_a_client_shows_no_examples() -> None:
    assert repr(client()) == "ClientData()"
