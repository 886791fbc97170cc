"""Results of made-up runs."""

from secure_clove.studies.paper.catalogue import SHEETS
from secure_clove.studies.paper.sheet import Row, Sheet
from secure_clove.studies.play.cell import Cell
from secure_clove.studies.play.result import Result


def sheet(name: str = "table 1") -> Sheet:
    """Return a sheet of the catalogue."""
    return SHEETS[name]


def row(
    name: str = "table 1",
    *,
    dataset: str = "mnist",
    kind: str = "label-skew-1",
    algorithm: str = "clove",
) -> Row:
    """Return one row of a sheet."""
    (found,) = (
        row
        for row in sheet(name).rows
        if (row.setting.dataset, row.name, row.setting.algorithm) == (dataset, kind, algorithm)
    )
    return found


def cell(of: Row | None = None, *, rounds: int = 100, seed: int = 0) -> Cell:
    """Return a run of a row."""
    return Cell(setting=(of or row()).setting, seed=seed, rounds=rounds, preset="authors")


def result(of: Row | None = None, *, rounds: int = 100, seed: int = 0) -> Result:
    """Return a run that went as it should."""
    return Result(
        cell=cell(of, rounds=rounds, seed=seed),
        accuracy=0.99,
        training_accuracy=1.0,
        loss=0.01,
        ari=1.0,
        ari_10=1.0,
        first_round=2,
        stable_round=4,
        models=5,
        curve=(0.1, 1.0),
    )
