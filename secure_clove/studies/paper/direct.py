"""An algorithm played around one table: its exchanges without keys, masks, signatures or grids.

What clients and coordinator compute is what they compute in a federation: the same asks, the same
guarded work, the same sums and folds. Only the carriage is left out, because a table of the paper
needs thousands of rounds. A test holds the two against each other.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from secure_clove.algorithms.base import Algorithm, Exchange, Replies, Reveal
from secure_clove.algorithms.ifca import IfcaOwn
from secure_clove.engine.guard import Guard
from secure_clove.engine.ports import Trainer
from secure_clove.errors import DataError
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import Entropy
from secure_clove.foundation.trees import Tree, Vector, flatten, unflatten


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """One client at the table.

    Attributes:
        trainer: Its training and held-out examples.
        mirror: The same client with its training examples in the place of the held-out ones, so
            that training accuracy is counted by the same code.
    """

    trainer: Trainer
    mirror: Trainer


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one round came to.

    Attributes:
        round: Counted from 1.
        assignment: Model of each client; empty where clients train alone.
        accuracy: Share of hits on each client's held-out examples, by its model after the round.
        training_accuracy: The same on its training examples; None where it was not asked for.
        seconds: Wall-clock time of the round and its measurement.
    """

    round: int
    assignment: Mapping[ClientId, int]
    accuracy: Mapping[ClientId, float]
    training_accuracy: Mapping[ClientId, float] | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A table between two rounds, from which it continues as if it had never stopped.

    Attributes:
        round: Rounds played.
        state: The coordinator's state, encoded.
        owns: What each client remembers, encoded.
    """

    round: int
    state: bytes = field(repr=False)
    owns: Mapping[ClientId, bytes] = field(repr=False)


class Table:
    """An algorithm and its clients, all of whom take part in every round."""

    def __init__(
        self,
        algorithm: Algorithm[Any, Any],
        players: Mapping[ClientId, Player],
        *,
        initial: Vector,
        entropy: Entropy,
        federation: str,
        saved: Saved | None = None,
    ) -> None:
        """Sit down before round 1, or where ``saved`` left off.

        Args:
            algorithm: What is played.
            players: Every client.
            initial: Its initial models, shape (count, d).
            entropy: Source of batches. A round draws from a fork of its own, so that a continued
                table draws what an uninterrupted one would.
            federation: Name that the forks carry, as in a federation.
            saved: From `save`, with the same arguments.
        """
        self._algorithm, self._players = algorithm, dict(sorted(players.items()))
        self._entropy, self._federation = entropy, federation
        self._round, self._state = 0, algorithm.start(initial)
        self._owns: dict[ClientId, Any] = {c: algorithm.enrol() for c in self._players}
        if saved is not None:
            self._round, self._state = saved.round, decode(saved.state, algorithm.state)
            self._owns = {c: decode(own, algorithm.own) for c, own in saved.owns.items()}

    def save(self) -> Saved:
        """Return where the table stands."""
        owns = {client: encode(own) for client, own in self._owns.items()}
        return Saved(round=self._round, state=encode(self._state), owns=owns)

    def rounds(self, last: int, *, evaluate_every: int) -> Iterator[Measured]:
        """Yield every round up to round ``last``.

        Args:
            last: Number of the last round.
            evaluate_every: Training accuracy is measured in every so many rounds and in the last.
        """
        while self._round < last:
            began = perf_counter()
            self._play()
            with_training = self._round == last or self._round % evaluate_every == 0
            yield Measured(
                round=self._round,
                assignment=self._assignment(),
                accuracy=self._accuracy({c: p.trainer for c, p in self._players.items()}),
                training_accuracy=self._accuracy({c: p.mirror for c, p in self._players.items()})
                if with_training
                else None,
                seconds=perf_counter() - began,
            )

    def model(self, client: ClientId) -> Vector:
        """Return the model ``(d,)`` that ``client`` would take home now.

        Raises:
            DataError: it has none yet.
        """
        gift = self._algorithm.personal(self._state, client)
        if gift is None:
            raise DataError(f"{client} has no model yet; play a round first")
        return self._algorithm.mine(self._owns[client], gift)

    def _play(self) -> None:
        self._round += 1
        self._state = self._algorithm.begin(self._state, self._round, tuple(self._players))
        while (exchange := self._algorithm.next(self._state)) is not None:
            self._state = exchange.fold(self._state, self._replies(exchange))

    def _replies(self, exchange: Exchange[Any, Any]) -> Replies:
        each = {client: self._reply(exchange, client) for client in exchange.cohort(self._state)}
        if exchange.reveal is Reveal.EACH:
            return Replies(each=each)
        groups: dict[int, list[Vector]] = defaultdict(list)
        for client, tree in each.items():
            group = exchange.group(self._state, client)
            groups[group].append(flatten(tree, exchange.layout))
        sums = {group: sum(vectors[1:], vectors[0]) for group, vectors in groups.items()}
        return Replies(
            sums={group: unflatten(total, exchange.layout) for group, total in sums.items()},
            counts={group: len(vectors) for group, vectors in groups.items()},
        )

    def _reply(self, exchange: Exchange[Any, Any], client: ClientId) -> Tree:
        entropy = self._entropy.fork("client", client)
        guard = Guard(
            self._players[client].trainer,
            uses=exchange.uses,
            plan=None,
            entropy=entropy.fork(self._federation, self._round, exchange.name),
        )
        ask = exchange.ask(self._state, client)
        self._owns[client], reply = exchange.work(self._owns[client], ask, guard)
        return reply

    def _assignment(self) -> Mapping[ClientId, int]:
        """Return who has which model; the study sees IFCA's picks, its coordinator does not."""
        picks = {c: own.pick for c, own in self._owns.items() if isinstance(own, IfcaOwn)}
        return picks or self._algorithm.standing(self._state).assignment

    def _accuracy(self, judges: Mapping[ClientId, Trainer]) -> Mapping[ClientId, float]:
        return {
            client: judge.correct(self.model(client)) / judge.held_out
            for client, judge in judges.items()
            if judge.held_out
        }
