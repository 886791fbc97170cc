"""What goes between a table and those who play its clients: asks, answers and scores."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secure_clove.errors import DataError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.trees import Tree, Vector

STEP = 2.0**-32
"""Grid of summed replies. Whole numbers add up alike in every order, so the models do not depend on
how many workers there are."""

Whole = NDArray[np.int64]
"""A flattened tree in units of `STEP`."""

ROOM = 2**62
"""Bound of a number on the grid, 2^30 in units of 1: far above examples times weights. Two numbers
below it add up within 64 bits."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seat:
    """One client's part in a turn.

    Attributes:
        ask: What it is sent.
        own: What it remembers.
        group: Which sum its reply belongs to; None: its reply is handed over as it is.
    """

    ask: Tree = field(repr=False)
    own: Any = field(repr=False)
    group: int | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Turn:
    """One exchange of one round.

    Attributes:
        round: Counted from 1.
        exchange: Its name.
        coin: In the place of what falls in a session.
        clients: How many are asked, by all workers together.
        members: How many of them answer to each sum.
        seats: Who is asked.
    """

    round: int
    exchange: str
    coin: bytes
    clients: int
    members: Mapping[int, int] = field(default_factory=dict)
    seats: Mapping[ClientId, Seat] = field(repr=False)

    def of(self, clients: Iterable[ClientId]) -> "Turn":
        """Return the turn of some of the clients."""
        seats = {client: self.seats[client] for client in clients if client in self.seats}
        return replace(self, seats=seats)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """What came of a turn.

    Attributes:
        owns: What each client remembers now.
        each: Replies that are handed over as they are.
        sums: Sums of the others by group, flattened, whole numbers in units of `STEP`.
        counts: Clients in each sum.
    """

    owns: Mapping[ClientId, Any] = field(repr=False)
    each: Mapping[ClientId, Tree] = field(default_factory=dict, repr=False)
    sums: Mapping[int, Whole] = field(default_factory=dict, repr=False)
    counts: Mapping[int, int] = field(default_factory=dict)


class Tally:
    """Sums replies by group on the grid, one after another."""

    def __init__(self) -> None:
        self.sums: dict[int, Whole] = {}
        self.counts: dict[int, int] = {}

    def add(self, group: int, reply: Vector) -> None:
        """Add one client's reply, flattened, to its group.

        Raises:
            DataError: a number is too large for the grid.
        """
        steps = np.rint(reply / STEP)
        _check(steps)
        self.merge(group, steps.astype(np.int64), count=1)

    def merge(self, group: int, total: Whole, *, count: int) -> None:
        """Add a sum of ``count`` replies, in units of `STEP`.

        Raises:
            DataError: the sum is too large for the grid.
        """
        if group in self.sums:
            total = self.sums[group] + total
            _check(total)
        self.sums[group] = total
        self.counts[group] = self.counts.get(group, 0) + count


def _check(steps: Vector | Whole) -> None:
    if steps.size and not (steps.min() > -ROOM and steps.max() < ROOM):
        raise DataError("updates add up to over 2^30; training diverged, lower the learning rate")


def merged(parts: Iterable[Answers]) -> Answers:
    """Return the answers of several workers to one turn as one."""
    owns: dict[ClientId, Any] = {}
    each: dict[ClientId, Tree] = {}
    tally = Tally()
    for part in parts:
        owns.update(part.owns)
        each.update(part.each)
        for group, total in part.sums.items():
            tally.merge(group, total, count=part.counts[group])
    return Answers(owns=owns, each=dict(sorted(each.items())), sums=tally.sums, counts=tally.counts)
