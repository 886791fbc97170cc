"""An algorithm and its clients around one table: the rounds of one cell.

What clients and coordinator compute is what they compute in a federation: the same asks, the same
guarded work, the same sums and folds. Only the carriage is left out. A test holds the two against
each other.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import ceil, isfinite
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from secure_clove.algorithms.base import Exchange, Replies, Reveal
from secure_clove.algorithms.ifca import IfcaOwn
from secure_clove.algorithms.sealed_state import SealedOwn
from secure_clove.errors import DataError
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import stream
from secure_clove.foundation.trees import Layout, Vector, unflatten
from secure_clove.learn.executions import Executions
from secure_clove.learn.losses import Score
from secure_clove.learn.models import initial, parameter_count
from secure_clove.studies.play.cell import Cell, Setting, make_algorithm, make_model
from secure_clove.studies.play.crew import Crew
from secure_clove.studies.play.turn import STEP, Answers, Seat, Turn

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one round came to.

    Attributes:
        round: Counted from 1.
        cohort: Who took part.
        assignment: Model of each client that has one; empty where clients train alone.
        stable_share: Share of the cohort that declared stability, if the algorithm asks for it.
        held_out: Of each client that has a model, by that model after the round.
        training: The same on its training examples; None where it was not asked for.
        has_classes: Whether hits were counted; a regression has none.
        seconds: Wall-clock time of the round and its measurement.
        crew_seconds: What of it the crew took.
    """

    round: int
    cohort: tuple[ClientId, ...]
    assignment: Mapping[ClientId, int]
    stable_share: float | None
    held_out: Mapping[ClientId, Score]
    training: Mapping[ClientId, Score] | None
    has_classes: bool
    seconds: float
    crew_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A table between two rounds, from which it continues as if it had never stopped.

    Attributes:
        round: Rounds played.
        state: The coordinator's state, encoded.
        owns: What each client remembers, encoded.
        executions: How the work on many models is done, which moves the last digits.
    """

    round: int
    state: bytes = field(repr=False)
    owns: Mapping[ClientId, bytes] = field(repr=False)
    executions: Executions


class Table:
    """The coordinator's side of one cell."""

    def __init__(self, cell: Cell, crew: Crew, *, saved: Saved | None = None) -> None:
        """Sit down before round 1, or where ``saved`` left off.

        Args:
            cell: What is played.
            crew: Who plays the clients; it is opened here.
            saved: From `save`, of the same cell.

        Raises:
            ConfigError: the data at hand are too few, with the numbers.
            DataError: the data are missing or damaged.
        """
        self._cell, self._crew = cell, crew
        self.truth = crew.open(cell)
        make = make_model(cell.setting)
        self._algorithm = make_algorithm(cell, parameter_count(make()))
        count = self._algorithm.initial_models
        models = initial(make, count, seed=cell.seed, alike=_alike(cell.setting, count))
        self._round, self._state = 0, self._algorithm.start(models)
        self._owns: dict[ClientId, Any] = {c: self._algorithm.enrol() for c in self.truth}
        self._crew_seconds = 0.0
        if saved is not None:
            self._round, self._state = saved.round, decode(saved.state, self._algorithm.state)
            self._owns = {c: decode(own, self._algorithm.own) for c, own in saved.owns.items()}
        self._executions = crew.probe(models) if saved is None else saved.executions
        crew.use(self._executions)

    @property
    def round(self) -> int:
        """Rounds played."""
        return self._round

    def save(self) -> Saved:
        """Return where the table stands."""
        owns = {client: encode(own) for client, own in self._owns.items()}
        return Saved(
            round=self._round, state=encode(self._state), owns=owns, executions=self._executions
        )

    def rounds(self, last: int, *, evaluate_every: int) -> Iterator[Measured]:
        """Yield every round up to round ``last``.

        Args:
            last: Number of the last round.
            evaluate_every: Training examples are scored in every so many rounds and in the last.

        Raises:
            DataError: a client's training diverged.
        """
        while self._round < last:
            began, self._crew_seconds = perf_counter(), 0.0
            cohort = self._play()
            standing = self._algorithm.standing(self._state)
            models = self._models()
            with_training = self._round == last or self._round % evaluate_every == 0
            held_out = self._score(models, training=False)
            training = self._score(models, training=True) if with_training else None
            yield Measured(
                round=self._round,
                cohort=cohort,
                assignment=self._picks() or standing.assignment,
                stable_share=standing.stable_share,
                held_out=held_out,
                training=training,
                has_classes=self._cell.setting.target == "classes",
                seconds=perf_counter() - began,
                crew_seconds=self._crew_seconds,
            )

    def heat(self) -> NDArray[np.float64]:
        """Return what the model of one client of each planted cluster loses on another's examples.

        Entry (i, j) is the mean loss on the held-out examples of the first client of cluster i
        under the model of the first client of cluster j. First is who has a model; a cluster in
        which nobody has one is left out.

        Source: clove.txt, D.2.1 and Figure 5.
        """
        models, first = self._models(), dict[int, ClientId]()
        for client in models:
            first.setdefault(self.truth[client], client)
        chosen = [first[cluster] for cluster in sorted(first)]
        columns = [
            self._crew.score(dict.fromkeys(chosen, models[column]), training=False)
            for column in chosen
        ]
        return np.array([[scores[row].loss for scores in columns] for row in chosen])

    def _play(self) -> tuple[ClientId, ...]:
        self._round += 1
        cohort = self._cohort()
        self._state = self._algorithm.begin(self._state, self._round, cohort)
        while (exchange := self._algorithm.next(self._state)) is not None:
            turn = self._turn(exchange)
            answers = self._timed(partial(self._crew.play, turn))
            self._owns.update(answers.owns)
            self._state = exchange.fold(self._state, _replies(answers, exchange.layout, turn.coin))
        return cohort

    def _cohort(self) -> tuple[ClientId, ...]:
        """Draw who takes part. Source: clove.txt, Algorithm 1, line 3."""
        everybody, share = tuple(self.truth), self._cell.setting.participation
        if share == 1:
            return everybody
        rng = stream(self._cell.seed, "participants", self._round)
        drawn = rng.choice(len(everybody), size=ceil(share * len(everybody)), replace=False)
        return tuple(everybody[place] for place in sorted(drawn))

    def _turn(self, exchange: Exchange[Any, Any]) -> Turn:
        is_summed = exchange.reveal is Reveal.SUM
        seats = {
            client: Seat(
                ask=exchange.ask(self._state, client),
                own=self._owns[client],
                group=exchange.group(self._state, client) if is_summed else None,
            )
            for client in exchange.cohort(self._state)
        }
        coin = stream(self._cell.seed, "coin", self._round, exchange.name).bytes(32)
        return Turn(
            round=self._round,
            exchange=exchange.name,
            coin=coin,
            clients=len(seats),
            members=Counter(seat.group for seat in seats.values() if seat.group is not None),
            seats=seats,
        )

    def _models(self) -> dict[ClientId, Vector]:
        """Return the model that each client would take home now, if it has one."""
        gifts = {client: self._algorithm.personal(self._state, client) for client in self.truth}
        return {
            client: self._algorithm.mine(self._owns[client], gift)
            for client, gift in gifts.items()
            if gift is not None
        }

    def _picks(self) -> Mapping[ClientId, int]:
        """Return who picked which model; the study sees the clients' picks, no coordinator does."""
        owns = self._owns.items()
        picking = {c: own.pick for c, own in owns if isinstance(own, IfcaOwn | SealedOwn)}
        return {client: pick for client, pick in picking.items() if pick >= 0}

    def _score(
        self, models: Mapping[ClientId, Vector], *, training: bool
    ) -> Mapping[ClientId, Score]:
        scores = self._timed(lambda: self._crew.score(models, training=training))
        for client, score in scores.items():
            if score.examples and not isfinite(score.loss):
                raise DataError(
                    f"{client} in round {self._round}: the loss of its model is not finite; "
                    "training diverged, lower the learning rate"
                )
        return scores

    def _timed(self, work: Callable[[], T]) -> T:
        began = perf_counter()
        done = work()
        self._crew_seconds += perf_counter() - began
        return done


def _alike(setting: Setting, count: int) -> int:
    """Return how many of the initial models are one and the same."""
    clusters = setting.models or setting.clusters
    return min(clusters, count) if setting.starts == "same" else 1


def _replies(answers: Answers, layout: Layout, coin: bytes) -> Replies:
    sums = {
        group: unflatten(np.float64(STEP) * total, layout) for group, total in answers.sums.items()
    }
    coins = dict.fromkeys(sums, coin)
    return Replies(each=answers.each, sums=sums, counts=answers.counts, coins=coins)
