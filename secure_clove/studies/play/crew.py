"""Who plays the clients of a study: this process alone, or several workers side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from secure_clove.errors import ConfigError, DataError, LocalProtocolError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.trees import Tree, Vector
from secure_clove.learn.executions import Executions
from secure_clove.learn.losses import Score
from secure_clove.studies.play.cell import Cell
from secure_clove.studies.play.clients import Load
from secure_clove.studies.play.station import EVERYBODY, Share, Station
from secure_clove.studies.play.turn import Answers, Seat, Turn, merged

T = TypeVar("T")
P = ParamSpec("P")


class Crew(Protocol):
    """Plays all clients of one cell after another."""

    def open(self, cell: Cell) -> Mapping[ClientId, int]:
        """Get ready to play ``cell``; return the planted cluster of each client.

        Raises:
            ConfigError: the data at hand are too few, with the numbers.
            DataError: the data are missing or damaged.
        """

    def play(self, turn: Turn) -> Answers:
        """Return what the clients answer.

        Raises:
            DataError: a client's training diverged.
        """

    def score(
        self, models: Mapping[ClientId, Vector], *, training: bool
    ) -> Mapping[ClientId, Score]:
        """Return how well each client's model does on its training or its held-out examples."""

    def probe(self, models: NDArray[np.float64]) -> Executions:
        """Return which execution is faster for models like ``models``, shape (K, d)."""

    def use(self, executions: Executions) -> None:
        """Do all further work of this cell so."""


class Alone:
    """One worker in this process: every client, or its share of them."""

    def __init__(self, load: Load, *, share: Share = EVERYBODY, device: str = "cpu") -> None:
        """Keep how data are read, which clients to play, and where models are trained."""
        self._load, self._share, self._device = load, share, device
        self._station: Station | None = None

    def open(self, cell: Cell) -> Mapping[ClientId, int]:
        """See `Crew.open`."""
        self._station = None  # the last cell's examples go before the next ones come
        self._station = Station(cell, self._load, share=self._share, device=self._device)
        return self._station.truth

    def play(self, turn: Turn) -> Answers:
        """See `Crew.play`."""
        return self._opened.play(turn)

    def score(
        self, models: Mapping[ClientId, Vector], *, training: bool
    ) -> Mapping[ClientId, Score]:
        """See `Crew.score`."""
        return self._opened.score(models, training=training)

    def probe(self, models: NDArray[np.float64]) -> Executions:
        """See `Crew.probe`."""
        return self._opened.probe(models)

    def use(self, executions: Executions) -> None:
        """See `Crew.use`."""
        self._opened.use(executions)

    @property
    def _opened(self) -> Station:
        if self._station is None:
            raise LocalProtocolError("open a cell before it is played")
        return self._station


class Worker(Protocol):
    """Somewhere else, an `Alone` with a share of the clients."""

    def start(
        self, act: Callable[Concatenate[Alone, P], T], *args: P.args, **named: P.kwargs
    ) -> Callable[[], T]:
        """Have ``act`` done there; calling what is returned waits for its outcome."""


class Together:
    """Several workers, each with its share: `Share` number i of n for worker i."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        """Keep the workers.

        Raises:
            ConfigError: there is none.
        """
        if not workers:
            raise ConfigError("a crew needs at least 1 worker")
        self._workers = tuple(workers)
        self._clients: tuple[tuple[ClientId, ...], ...] = ()

    def open(self, cell: Cell) -> Mapping[ClientId, int]:
        """See `Crew.open`."""
        opened = [worker.start(Alone.open, cell) for worker in self._workers]
        truth, *_ = [wait() for wait in opened]
        count = len(self._workers)
        self._clients = tuple(tuple(truth)[index::count] for index in range(count))
        return truth

    def play(self, turn: Turn) -> Answers:
        """See `Crew.play`."""
        going = [
            worker.start(Alone.play, _lean(turn.of(clients)))
            for worker, clients in zip(self._workers, self._clients, strict=True)
        ]
        answers = [wait() for wait in going]
        try:
            return merged(answers)
        except DataError as error:
            raise DataError(f"round {turn.round}: {error}") from error

    def score(
        self, models: Mapping[ClientId, Vector], *, training: bool
    ) -> Mapping[ClientId, Score]:
        """See `Crew.score`."""
        shared = _Shared()
        going = [
            worker.start(
                Alone.score,
                {c: shared.array(models[c]) for c in clients if c in models},
                training=training,
            )
            for worker, clients in zip(self._workers, self._clients, strict=True)
        ]
        found = {client: score for wait in going for client, score in wait().items()}
        return dict(sorted(found.items()))

    def probe(self, models: NDArray[np.float64]) -> Executions:
        """See `Crew.probe`: the first worker measures for all."""
        return self._workers[0].start(Alone.probe, models)()

    def use(self, executions: Executions) -> None:
        """See `Crew.use`."""
        for wait in [worker.start(Alone.use, executions) for worker in self._workers]:
            wait()


class _Shared:
    """Gives equal views of one memory the same object, so that they travel once."""

    def __init__(self) -> None:
        self._seen: dict[tuple[object, ...], Vector] = {}

    def array(self, array: Vector) -> Vector:
        memory = array.__array_interface__
        key = (memory["data"], array.shape, array.strides, array.dtype)
        return self._seen.setdefault(key, array)

    def tree(self, tree: Tree) -> Tree:
        return {name: self.array(array) for name, array in tree.items()}


def _lean(turn: Turn) -> Turn:
    shared = _Shared()
    seats = {
        client: Seat(ask=shared.tree(seat.ask), own=seat.own, group=seat.group)
        for client, seat in turn.seats.items()
    }
    return replace(turn, seats=seats)
