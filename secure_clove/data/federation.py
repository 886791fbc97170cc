"""A federation's examples, client by client, and the clusters a simulation planted in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from secure_clove.errors import DataError
from secure_clove.foundation.ids import ClientId

Features = NDArray[np.float32 | np.int64]
"""Numbers as float32, or tokens as int64."""

Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClientData:
    """One client's examples.

    Attributes:
        train_x: Features, shape (n, ...), n >= 1, finite: float32, or int64 for tokens.
        train_y: Labels, shape (n,), from 0.
        test_x: Held-out features, shape (m, ...), of the same distribution; m may be 0.
        test_y: Held-out labels, shape (m,).
    """

    train_x: Features = field(repr=False)
    train_y: Labels = field(repr=False)
    test_x: Features = field(repr=False)
    test_y: Labels = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse examples that cannot be trained on.

        Raises:
            DataError: a wrong type or shape, a value that is not finite, or nothing to train on.
        """
        _check(self.train_x, self.train_y, part="training")
        _check(self.test_x, self.test_y, part="held-out")
        if self.train_y.size == 0:
            raise DataError("the client has no training examples; leave it out of the federation")
        if self.train_x.shape[1:] != self.test_x.shape[1:]:
            raise DataError(
                f"a training example has shape {self.train_x.shape[1:]}, "
                f"a held-out one {self.test_x.shape[1:]}; they must agree"
            )
        if self.train_x.dtype != self.test_x.dtype:
            raise DataError(
                f"training examples are {self.train_x.dtype}, held-out ones "
                f"{self.test_x.dtype}; they must agree"
            )


def _check(x: Features, y: Labels, *, part: str) -> None:
    if x.dtype not in (np.float32, np.int64) or y.dtype != np.int64:
        raise DataError(
            f"{part} examples are {x.dtype} and {y.dtype}; convert to float32 and int64"
        )
    if y.ndim != 1 or x.ndim < 2 or len(x) != len(y):
        raise DataError(f"{part} features {x.shape} and labels {y.shape}: (n, ...) and (n,) needed")
    if not np.isfinite(x).all():
        raise DataError(f"{part} features hold NaN or infinity; clean or impute them first")
    if y.size and y.min() < 0:
        raise DataError(f"{part} labels must count from 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientReport:
    """How much one client holds, for people to read.

    Attributes:
        client: Its id.
        cluster: The planted cluster.
        train: Count of training examples.
        test: Count of held-out examples.
        labels: Training and held-out examples of each class, from class 0.
    """

    client: ClientId
    cluster: int
    train: int
    test: int
    labels: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Federation:
    """Clients with their examples, as a simulation sees them from above.

    Attributes:
        name: What the data and the split are called in reports.
        clients: Examples by client, in ascending order of ids.
        truth: Planted cluster of each client, for scoring only: no algorithm may look at it.
        classes: Count of labels; every label is below it.
    """

    name: str
    clients: Mapping[ClientId, ClientData] = field(repr=False)
    truth: Mapping[ClientId, int] = field(repr=False)
    classes: int

    def __post_init__(self) -> None:
        """Refuse a federation whose parts do not fit together.

        Raises:
            DataError: no clients, a client without truth or out of order, different features, or
                a label that is not below ``classes``.
        """
        if not self.clients or set(self.clients) != set(self.truth):
            raise DataError("a federation needs clients, and a planted cluster for each of them")
        if list(self.clients) != sorted(self.clients):
            raise DataError("clients must come in ascending order of their ids")
        if len({data.train_x.shape[1:] for data in self.clients.values()}) != 1:
            raise DataError("all clients must hold examples of one shape")
        labels = [y for data in self.clients.values() for y in (data.train_y, data.test_y)]
        if np.concatenate(labels).max() >= self.classes:
            raise DataError(f"labels must be below classes={self.classes}")

    def report(self) -> tuple[ClientReport, ...]:
        """Return sizes and label counts, one entry per client in the order of ids."""
        return tuple(self._row(client, data) for client, data in self.clients.items())

    def _row(self, client: ClientId, data: ClientData) -> ClientReport:
        labels = np.concatenate([data.train_y, data.test_y])
        return ClientReport(
            client=client,
            cluster=self.truth[client],
            train=len(data.train_y),
            test=len(data.test_y),
            labels=tuple(np.bincount(labels, minlength=self.classes).tolist()),
        )
