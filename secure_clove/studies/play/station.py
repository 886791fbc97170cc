"""The clients that one worker plays: one model in memory and every client's examples.

There is nothing to protect here: batches, and the noise of embeddings where it is asked for, come
from the seed, so that a run is the same again.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from secure_clove.algorithms.base import Exchange, Use
from secure_clove.algorithms.client_level import honest_in_a_sum, protect
from secure_clove.engine.guard import Guard
from secure_clove.engine.plan import check_embedding, check_shared_noise
from secure_clove.engine.ports import Trainer
from secure_clove.errors import DataError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.foundation.trees import Tree, Vector, flatten
from secure_clove.learn.executions import Execution, Executions
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.losses import Score
from secure_clove.learn.models import parameter_count
from secure_clove.learn.probe import probe
from secure_clove.learn.resident import Resident
from secure_clove.learn.sgd import TrainingSpec
from secure_clove.studies.play.cell import Cell, make_algorithm, noise_plan, training_plan
from secure_clove.studies.play.clients import Load, clients_of
from secure_clove.studies.play.together import work_together
from secure_clove.studies.play.turn import STEP, Answers, Seat, Tally, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Which of the clients a worker plays: every ``of``-th, beginning with number ``index``."""

    index: int = 0
    of: int = 1

    def has(self, place: int) -> bool:
        """Return whether the client at ``place`` is played here."""
        return place % self.of == self.index


EVERYBODY = Share()

PROBED = 4
"""Clients whose training is timed to choose an execution."""


class Station:
    """A worker's clients of one cell."""

    def __init__(
        self, cell: Cell, load: Load, *, share: Share = EVERYBODY, device: str = "cpu"
    ) -> None:
        """Read the data and keep the worker's part of them.

        Args:
            cell: What is played.
            load: Reads the data set.
            share: Which clients are played here.
            device: Where models are evaluated and trained.

        Raises:
            ConfigError: the data at hand are too few, there is no such device, or the algorithm
                has no use for the setting's embedding.
            DataError: the data are missing or damaged, or the model does not fit them.
        """
        found = clients_of(cell, load, wanted=share.has)
        self.truth = found.truth
        setting = cell.setting
        spec = _spec(cell)
        self._resident = Resident(found.model, spec, loss=found.loss, device=device)
        self._learners = {
            client: TorchLearner(task, spec, resident=self._resident)
            for client, task in found.tasks.items()
        }
        algorithm = make_algorithm(cell, parameter_count(self._resident.module))
        self._exchanges = {exchange.name: exchange for exchange in algorithm.exchanges}
        self._entropy = SimulatedEntropy(cell.seed)
        self._plan = noise_plan(setting)
        for exchange in self._exchanges.values():
            check_embedding(exchange, self._plan)
            if self._shares_noise:
                check_shared_noise(exchange)
        self._place = f"{setting.dataset}-{setting.kind}"

    @property
    def _shares_noise(self) -> bool:
        return self._plan is not None and self._plan.noise == "distributed"

    @property
    def clients(self) -> tuple[ClientId, ...]:
        """Who is played here."""
        return tuple(self._learners)

    def play(self, turn: Turn) -> Answers:
        """Return what this worker's clients answer.

        Raises:
            DataError: a client's training diverged, with its name.
        """
        exchange, tally = self._exchanges[turn.exchange], Tally()
        owns: dict[ClientId, Any] = {}
        each: dict[ClientId, Tree] = {}
        with _one_thread():
            for client, (own, reply) in zip(turn.seats, self._works(exchange, turn), strict=True):
                owns[client], group = own, turn.seats[client].group
                if group is None:
                    each[client] = reply
                    continue
                with _named(client, turn.round):
                    tally.add(group, flatten(reply, exchange.layout))
        return Answers(owns=owns, each=each, sums=tally.sums, counts=tally.counts)

    def score(
        self, models: Mapping[ClientId, Vector], *, training: bool
    ) -> Mapping[ClientId, Score]:
        """Return how well each client's model does on its own examples.

        Args:
            models: A model ``(d,)`` by client.
            training: On its training examples; otherwise on those held out.
        """
        with _one_thread():
            return {
                client: self._learners[client].score(model, training=training)
                for client, model in models.items()
            }

    def probe(self, models: NDArray[np.float64]) -> Executions:
        """Return which execution is faster here for models like ``models``, shape (K, d)."""
        with _one_thread():
            learners = list(self._learners.values())[:PROBED]
            entropies = [self._entropy.fork("probe", place) for place in range(len(learners))]
            return probe(learners, models, entropies)

    def use(self, executions: Executions) -> None:
        """Do all further work so."""
        self._resident.executions = executions

    def _works(self, exchange: Exchange[Any, Any], turn: Turn) -> Iterable[tuple[Any, Tree]]:
        """Yield each client's work, in the order of the seats."""
        learners = [self._learners[client] for client in turn.seats]
        works = [partial(self._work, exchange, turn, client) for client in turn.seats]
        trains = exchange.uses & {Use.UPDATE, Use.LOCAL}
        if trains and self._resident.executions.training is Execution.VMAP:
            return work_together(learners, works)
        return (work(learner) for work, learner in zip(works, learners, strict=True))

    def _work(
        self, exchange: Exchange[Any, Any], turn: Turn, client: ClientId, trainer: Trainer
    ) -> tuple[Any, Tree]:
        seat, entropy = turn.seats[client], self._entropy.fork("client", client)
        guard = Guard(
            trainer,
            uses=exchange.uses,
            plan=self._plan,
            entropy=entropy.fork(self._place, turn.round, exchange.name),
            honest=self._honest(turn, seat),
        )
        with _named(client, turn.round):
            own, reply = exchange.work(seat.own, seat.ask, guard)
            reply = exchange.toss(own, turn.coin) if exchange.toss else reply
            if any(part.client_sigma for part in exchange.parts):
                noise = entropy.fork(self._place, turn.round, exchange.name, "client")
                honest = honest_in_a_sum(turn.clients)
                reply = protect(
                    exchange.parts, reply, step=lambda part: STEP, honest=honest, entropy=noise
                )
        return own, reply

    def _honest(self, turn: Turn, seat: Seat) -> int:
        """Return among how many at least the noise of a client's updates is shared."""
        if not self._shares_noise or seat.group is None:
            return 1
        return honest_in_a_sum(turn.members[seat.group])


def _spec(cell: Cell) -> TrainingSpec:
    plan, noise = asdict(training_plan(cell)), cell.setting.updates
    if noise is None:
        return TrainingSpec(**plan)
    return TrainingSpec(**plan, clip=noise.clip, noise_multiplier=noise.multiplier)


@contextmanager
def _named(client: ClientId, round_: int) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise DataError(f"{client} in round {round_}: {error}") from error


@contextmanager
def _one_thread() -> Iterator[None]:
    """Models this small are trained fastest, and always alike, by one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
