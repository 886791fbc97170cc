"""A data set as it was distributed: examples, labels, whose they are, and where they come from."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from secure_clove.data.federation import Features, Labels
from secure_clove.errors import DataError

Stored = NDArray[np.uint8 | np.int32 | np.float32]
"""Examples as they are kept: the type of the file, four to eight times smaller than features."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where the examples of a data set come from.

    Attributes:
        dataset: Name of the data set, such as ``mnist``.
        distribution: Which of its distributions was read, such as ``idx``.
        home: Page of its publishers.
        files: Path below the set's folder and hex SHA-256 of every file that was read.
        verified: Whether every file has the digest of this library's table.
    """

    dataset: str
    distribution: str
    home: str
    files: tuple[tuple[str, str], ...]
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """The training or the test part of a data set.

    Attributes:
        x: Examples, shape (n, ...), uint8, int32 or float32; images channel first.
        y: Labels, shape (n,), from 0.
        groups: Index into ``group_names`` (a writer, a domain), shape (n,); None: no groups.
    """

    x: Stored = field(repr=False)
    y: Labels = field(repr=False)
    groups: Labels | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together.

        Raises:
            DataError: a wrong type or shape.
        """
        if self.x.dtype not in (np.uint8, np.int32, np.float32) or self.y.dtype != np.int64:
            raise DataError(f"examples are {self.x.dtype} and labels {self.y.dtype}")
        sizes = {len(self.x), *self.y.shape, *(() if self.groups is None else self.groups.shape)}
        if self.x.ndim < 2 or self.y.ndim != 1 or len(sizes) != 1:
            raise DataError(f"examples {self.x.shape} and labels {self.y.shape} do not match")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Examples of one data set in memory.

    Attributes:
        train: The training part.
        test: The test part; None where the publishers made none.
        classes: Names of the classes, from label 0.
        group_names: Names of the groups; empty: there are none.
        unit: A feature is the stored number divided by this; None: tokens, which are not scaled.
        provenance: Where the examples come from.
    """

    train: Part
    test: Part | None
    classes: tuple[str, ...]
    group_names: tuple[str, ...] = field(default=(), repr=False)
    unit: float | None
    provenance: Provenance

    def __post_init__(self) -> None:
        """Refuse labels and groups without a name, and parts of different shapes.

        Raises:
            DataError: what does not fit.
        """
        for part in (self.train, *(() if self.test is None else (self.test,))):
            _check_range(part.y, len(self.classes), what="labels")
            if (part.groups is None) != (not self.group_names):
                raise DataError("groups and their names must come together")
            if part.groups is not None:
                _check_range(part.groups, len(self.group_names), what="groups")
            if part.x.shape[1:] != self.train.x.shape[1:]:
                raise DataError(f"examples have shapes {self.train.x.shape} and {part.x.shape}")

    @property
    def x(self) -> Stored:
        """The training examples as they are kept."""
        return self.train.x

    @property
    def y(self) -> Labels:
        """The training labels."""
        return self.train.y

    @property
    def test_x(self) -> Stored | None:
        """The test examples as they are kept, if there are any."""
        return None if self.test is None else self.test.x

    @property
    def test_y(self) -> Labels | None:
        """The test labels, if there are any."""
        return None if self.test is None else self.test.y

    def features(self, stored: Stored) -> Features:
        """Return ``stored`` as a model reads it: float32 scaled by a public constant, or tokens."""
        if self.unit is None:
            return stored.astype(np.int64)
        return stored.astype(np.float32) / np.float32(self.unit)


def _check_range(values: Labels, count: int, *, what: str) -> None:
    if values.size and not (values.min() >= 0 and values.max() < count):
        raise DataError(f"{what} must be in 0..{count - 1}, found {values.min()}..{values.max()}")
