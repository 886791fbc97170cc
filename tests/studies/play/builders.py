"""Small cells, drawn or on made-up images, and how to play them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secure_clove.data.dataset import Dataset, Part, Provenance
from secure_clove.errors import ConfigError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import stream
from secure_clove.foundation.trees import Vector
from secure_clove.learn.executions import Executions
from secure_clove.learn.losses import Score
from secure_clove.studies.play.cell import REGRESSION, Cell, Setting
from secure_clove.studies.play.crew import Alone, Crew
from secure_clove.studies.play.record import Step, read_rounds, run_cell
from secure_clove.studies.play.result import RoundLine
from secure_clove.studies.play.table import Table
from secure_clove.studies.play.turn import Answers, Turn

IN_TURN = Executions()

ALGORITHMS = ("clove", "ifca", "fedavg", "local")


def images(name: str) -> Dataset:
    """Return grey images of ten classes, each a bright row of its own in noise."""
    rng = stream(0, "images")
    y = np.arange(400) % 10
    x = rng.integers(0, 60, size=(len(y), 1, 28, 28)).astype(np.uint8)
    x[np.arange(len(y)), 0, 2 * y + 4] = 250
    provenance = Provenance(
        dataset=name, distribution="made up", home="none", files=(), verified=True
    )
    return Dataset(
        train=Part(x=x, y=y.astype(np.int64)),
        test=None,
        classes=tuple("0123456789"),
        unit=255.0,
        provenance=provenance,
    )


def no_files(name: str) -> Dataset:
    """Refuse to read."""
    raise ConfigError(f"no {name} here")


def regression(*, algorithm: str = "clove", rounds: int = 3, seed: int = 0, **changes: Any) -> Cell:
    """Return a cell of eight clients in two clusters, whose data are drawn."""
    setting = Setting(
        dataset=REGRESSION,
        kind="1",
        algorithm=algorithm,
        model="linear-regression",
        clients=8,
        clusters=2,
        examples=30,
        target="numbers",
    )
    setting = replace(setting, **changes)
    return Cell(setting=setting, seed=seed, rounds=rounds, preset="authors")


def pictures(*, algorithm: str = "clove", rounds: int = 1, **changes: Any) -> Cell:
    """Return a cell of six clients in two clusters on `images`."""
    setting = Setting(
        dataset="mnist",
        kind="label-skew-1",
        algorithm=algorithm,
        model="paper-cnn",
        clients=6,
        clusters=2,
        examples=16,
        test_examples=6,
    )
    return Cell(setting=replace(setting, **changes), seed=0, rounds=rounds, preset="authors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """A crew that works as it is told, and not as is faster just now.

    Attributes:
        crew: Who works.
        executions: How.
    """

    crew: Crew
    executions: Executions = IN_TURN

    def open(self, cell: Cell) -> Mapping[ClientId, int]:
        return self.crew.open(cell)

    def play(self, turn: Turn) -> Answers:
        return self.crew.play(turn)

    def score(
        self, models: Mapping[ClientId, Vector], *, training: bool
    ) -> Mapping[ClientId, Score]:
        return self.crew.score(models, training=training)

    def probe(self, models: NDArray[np.float64]) -> Executions:
        return self.executions

    def use(self, executions: Executions) -> None:
        self.crew.use(executions)


def alone(executions: Executions = IN_TURN) -> Crew:
    """Return a crew of this process on `images`."""
    return Steady(crew=Alone(images), executions=executions)


def table(cell: Cell) -> Table:
    """Return a table of `alone` before round 1."""
    return Table(cell, alone())


def silent(step: Step) -> None:
    """Watch nothing."""


def lines(cell: Cell, folder: Path, crew: Crew) -> list[RoundLine]:
    """Return the rounds of ``cell``, played in ``folder``, without their times."""
    folder.mkdir(exist_ok=True)
    run_cell(cell, folder, crew, watch=silent)
    return timeless(read_rounds(folder / f"{cell.name}.jsonl"))


def timeless(found: Sequence[RoundLine]) -> list[RoundLine]:
    """Return lines without their times."""
    return [replace(line, seconds=0.0) for line in found]
