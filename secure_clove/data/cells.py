"""Random examples for given counts: what fills the histograms of a partition.

Every example lies in one cell: its class or, where the groups of the data set count, its class
within its group. A histogram says how many examples of each cell a client gets.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from secure_clove.data.dataset import Dataset, Part
from secure_clove.data.histograms import Counts, whole
from secure_clove.errors import ConfigError
from secure_clove.foundation.seeds import Rng

Indices = NDArray[np.int64]

Hand: TypeAlias = tuple[Indices, Indices]
"""A client's training and held-out examples. The held-out ones count within the test part if the
data set has one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """The cells of one part of a data set.

    Attributes:
        of: Cell of every example, shape (n,): its group times ``classes``, plus its class.
        classes: Count of classes.
        groups: Count of groups; 1: they do not count.
    """

    of: Indices = field(repr=False)
    classes: int
    groups: int

    @property
    def counts(self) -> Counts:
        """Examples in each cell, shape (groups * classes,)."""
        return np.bincount(self.of, minlength=self.classes * self.groups)


def cells_of(dataset: Dataset, part: Part, *, has_groups: bool) -> Cells:
    """Return the cells of ``part``.

    Raises:
        ConfigError: groups are to count and the data set has none.
    """
    classes = len(dataset.classes)
    if not has_groups:
        return Cells(of=part.y, classes=classes, groups=1)
    if part.groups is None:
        raise ConfigError(f"{dataset.provenance.dataset} does not say whose its examples are")
    of = part.groups * classes + part.y
    return Cells(of=of, classes=classes, groups=len(dataset.group_names))


def deal(dataset: Dataset, cells: Cells, rows: Counts, *, share: float, rng: Rng) -> list[Hand]:
    """Return random training and held-out examples for every client.

    Args:
        dataset: What to deal from.
        cells: Cells of its training part.
        rows: Examples of each cell that a client gets, shape (clients, cells). Without a test part
            the held-out examples are among them.
        share: Held-out examples for one example of ``rows``, in the same proportions.
        rng: Chooses the examples and their order.

    Raises:
        ConfigError: a cell has fewer examples than the clients need.
    """
    held = np.array([whole(row, round(share * row.sum())) for row in rows])
    if dataset.test is None:
        hands = _drawn(cells, np.concatenate([rows - held, held]), rng, what="training")
        return list(zip(hands[: len(rows)], hands[len(rows) :], strict=True))
    own = cells_of(dataset, dataset.test, has_groups=cells.groups > 1)
    test = _drawn(own, held, rng, what="test")
    return list(zip(_drawn(cells, rows, rng, what="training"), test, strict=True))


def _drawn(cells: Cells, rows: Counts, rng: Rng, *, what: str) -> list[Indices]:
    """Return random examples for every row, as many of each cell as it says, none twice."""
    supply = cells.counts
    _check_supply(cells, supply, rows.sum(axis=0), what=what)
    order = rng.permutation(len(cells.of))
    order = order[np.argsort(cells.of[order], kind="stable")]
    ends = np.cumsum(rows, axis=0) + np.cumsum(supply) - supply
    return [rng.permutation(_cut(order, end, row)) for end, row in zip(ends, rows, strict=True)]


def _cut(order: Indices, ends: Counts, row: Counts) -> Indices:
    parts: Sequence[Indices] = [order[e - n : e] for e, n in zip(ends, row, strict=True)]
    return np.concatenate(parts)


def _check_supply(cells: Cells, supply: Counts, demand: Counts, *, what: str) -> None:
    worst = int(np.argmax(demand - supply))
    if demand[worst] > supply[worst]:
        raise ConfigError(
            f"the {what} part has {supply[worst]} examples of class {worst % cells.classes}, the "
            f"clients need {demand[worst]}; ask for {supply[worst] / demand[worst]:.0%} of that "
            "or less"
        )
