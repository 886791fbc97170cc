"""What several test folders build: fresh interpreters, a learner in memory, rounds, small tasks."""

import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import secure_clove
from secure_clove.algorithms.base import Algorithm, Exchange, Models, Replies, Reveal
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import stream
from secure_clove.foundation.trees import Tree, Vector, flatten, unflatten
from secure_clove.learn.models import linear
from secure_clove.learn.tasks import TorchTask

REPOSITORY = Path(__file__).resolve().parents[1]
"""The checkout, if these tests run in one; the library itself may be installed elsewhere."""

LIBRARY = Path(secure_clove.__file__).resolve().parent
"""The folder of the imported library."""

needs_checkout = pytest.mark.skipif(
    not (REPOSITORY / "secure_clove").is_dir(), reason="not in a checkout of the repository"
)

CLASSES = 4


def interpreter(code: str, *arguments: str | Path) -> list[str]:
    """Return the command line that runs ``code`` in a fresh interpreter."""
    return [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]


def library_alone() -> dict[str, str]:
    """Return an environment in which the library can be imported and this checkout cannot."""
    return {**os.environ, "PYTHONPATH": str(LIBRARY.parent)}


def run_python(code: str, *arguments: str | Path, cwd: Path) -> str:
    """Return what ``code`` prints in a fresh interpreter; a failure shows its traceback."""
    done = subprocess.run(
        interpreter(code, *arguments),
        env=library_alone(),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def killed_after_ready(code: str, *arguments: str | Path, cwd: Path) -> None:
    """Run ``code`` until it prints a line, then end it with SIGKILL."""
    with subprocess.Popen(
        interpreter(code, *arguments),
        env=library_alone(),
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        process.kill()
    assert said == "ready\n"
    assert process.returncode == -9


def names(count: int, prefix: str = "client") -> tuple[ClientId, ...]:
    """Return ``count`` client names in ascending order."""
    return tuple(ClientId(f"{prefix}-{number:02}") for number in range(count))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PointLearner:
    """A client whose data is one point: a model loses its squared distance to it.

    Attributes:
        point: ``(d,)`` the model that would suit this client best.
        examples: How many examples it claims to train on.
        held_out: How many it claims to have held out; a model within ``reach`` gets all right.
        rate: Share of the way to the point that one training goes.
        reach: Distance up to which a model is right.
    """

    point: Vector
    examples: int = 10
    held_out: int = 4
    rate: float = 0.5
    reach: float = 1.0

    def embedding(self, models: Models) -> Vector:
        return np.array([((model - self.point) ** 2).sum() for model in models])

    def train(self, model: Vector) -> Vector:
        trained: Vector = model + self.rate * (self.point - model)
        return trained

    def update(self, model: Vector) -> Vector:
        return (self.train(model) - model) * self.examples

    def correct(self, model: Vector) -> int:
        return self.held_out if np.linalg.norm(model - self.point) <= self.reach else 0


COIN = bytes(range(32))
"""In the place of what falls in a session."""


@dataclass(slots=True, kw_only=True)
class Room:
    """An algorithm and its clients around one table, without engine, noise or masks.

    Attributes:
        algorithm: What is played.
        learners: Every client's data.
        state: The coordinator's state.
        owns: What each client remembers.
        held: Names of all exchanges held so far, by round.
    """

    algorithm: Algorithm[Any, Any]
    learners: Mapping[ClientId, PointLearner]
    state: Any
    owns: dict[ClientId, Any] = field(default_factory=dict)
    held: list[list[str]] = field(default_factory=list)

    @property
    def round(self) -> int:
        return len(self.held)

    def play(
        self, *, cohort: Collection[ClientId] | None = None, lost: Collection[ClientId] = ()
    ) -> None:
        """Hold one round among ``cohort``, everybody unless given; ``lost`` clients go silent."""
        self.held.append([])
        present = tuple(sorted(self.learners if cohort is None else cohort))
        self.state = self.algorithm.begin(self.state, self.round, present)
        while (exchange := self.algorithm.next(self.state)) is not None:
            self.held[-1].append(exchange.name)
            self.state = exchange.fold(self.state, self.replies(exchange, lost))

    def model(self, client: ClientId) -> Vector:
        """Return the model that ``client`` would take home now."""
        gift = self.algorithm.personal(self.state, client)
        assert gift is not None
        return self.algorithm.mine(self.owns.get(client, self.algorithm.enrol()), gift)

    def reply(self, exchange: Exchange[Any, Any], client: ClientId) -> Tree:
        """Return a client's answer, in the layout that the exchange declares."""
        own = self.owns.get(client, self.algorithm.enrol())
        ask = exchange.ask(self.state, client)
        self.owns[client], tree = exchange.work(own, ask, self.learners[client])
        if exchange.toss is not None:
            tree = exchange.toss(self.owns[client], COIN)
        return unflatten(flatten(tree, exchange.layout), exchange.layout)

    def replies(self, exchange: Exchange[Any, Any], lost: Collection[ClientId] = ()) -> Replies:
        """Return what the coordinator gets from all that are asked and not ``lost``."""
        asked = [client for client in exchange.cohort(self.state) if client not in lost]
        each = {client: self.reply(exchange, client) for client in asked}
        if exchange.reveal is Reveal.EACH:
            return Replies(each=each)
        return summed(exchange, {c: (exchange.group(self.state, c), each[c]) for c in asked})


def summed(exchange: Exchange[Any, Any], replies: Mapping[ClientId, tuple[int, Tree]]) -> Replies:
    """Return the sum over each group, as a coordinator of masked sessions gets it."""
    totals: dict[int, Vector] = {}
    counts: dict[int, int] = {}
    for group, tree in replies.values():
        totals[group] = totals.get(group, 0.0) + flatten(tree, exchange.layout)
        counts[group] = counts.get(group, 0) + 1
    sums = {group: unflatten(total, exchange.layout) for group, total in totals.items()}
    return Replies(sums=sums, counts=counts, coins=dict.fromkeys(sums, COIN))


def room(
    algorithm: Algorithm[Any, Any], initial: Vector, learners: Mapping[ClientId, PointLearner]
) -> Room:
    """Return a room before its first round; an algorithm takes as many models as it needs."""
    models = initial[: algorithm.initial_models]
    return Room(algorithm=algorithm, learners=learners, state=algorithm.start(models))


def tiny_model() -> partial[Any]:
    """Return what makes a linear classifier of `tiny_tasks`."""
    return partial(linear, CLASSES, CLASSES)


def tiny_tasks(
    *, clusters: int = 2, clients_per_cluster: int = 4, held_out: int = 8
) -> dict[ClientId, TorchTask]:
    """Return separable tasks over four classes, of which each cluster has two of its own."""
    found = {}
    for number, client in enumerate(names(clusters * clients_per_cluster)):
        rng = stream(0, "tiny", client)
        y = (np.arange(24 + held_out) % 2 + 2 * (number // clients_per_cluster)) % CLASSES
        x = np.eye(CLASSES)[y] + 0.1 * rng.normal(size=(len(y), CLASSES))
        train, test = slice(held_out, None), slice(held_out)
        found[client] = TorchTask(
            model=tiny_model(), train=(x[train], y[train]), test=(x[test], y[test])
        )
    return found
