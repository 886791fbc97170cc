"""Runs cells, keeps every round in a file, and goes on where a run was interrupted."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from secure_clove.errors import ConfigError, DataError, MalformedError, StoreError
from secure_clove.foundation.codec import decode, encode
from secure_clove.studies.play.cell import Cell
from secure_clove.studies.play.crew import Crew
from secure_clove.studies.play.result import Result, RoundLine, line_of, summed_up
from secure_clove.studies.play.table import Saved, Table

RESULTS = "results.jsonl"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How far a study is.

    Attributes:
        cell: What is being played.
        line: Its newest round; None before the first.
        done: Its rounds played so far.
    """

    cell: Cell
    line: RoundLine | None
    done: int


Watch = Callable[[Step], None]


def run_study(
    wanted: Iterable[Cell],
    folder: Path,
    crew: Crew,
    *,
    evaluate_every: int = 10,
    watch: Watch,
) -> tuple[Result, ...]:
    """Run every cell that is not finished in ``folder`` and return the results of all.

    A cell that the data cannot serve, or whose training diverges, says so in its result. The
    results are added to those that ``folder`` holds of other cells.

    Args:
        wanted: What to run.
        folder: Takes one file of rounds a cell, and `RESULTS`.
        crew: Who plays the clients.
        evaluate_every: Training examples are scored in every so many rounds and in the last.
        watch: Called before the first and after every round of a cell.

    Raises:
        StoreError: the folder cannot be used, or what it holds is damaged.
        TransportError: a worker is gone.
    """
    results = []
    with _kept(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for cell in wanted:
            results.append(_result(cell, folder, crew, evaluate_every, watch))
            known = {r.cell.name: r for r in (*read_results(folder / RESULTS), *results)}
            write_results(folder / RESULTS, known.values())
    return tuple(results)


def _result(cell: Cell, folder: Path, crew: Crew, evaluate_every: int, watch: Watch) -> Result:
    watch(Step(cell=cell, line=None, done=0))
    try:
        return run_cell(cell, folder, crew, evaluate_every=evaluate_every, watch=watch)
    except (ConfigError, DataError) as error:
        return Result(cell=cell, reason=str(error))


def run_cell(
    cell: Cell, folder: Path, crew: Crew, *, evaluate_every: int = 10, watch: Watch
) -> Result:
    """Play a cell to its last round and return its result; an interrupted cell goes on.

    The state is replaced after every line, in one step, so that at most one round is played again,
    with the same outcome.

    Args:
        cell: What to play.
        folder: Exists; takes ``NAME.jsonl`` and, until the end, ``NAME.state``. A reconstruction
            leaves ``NAME.heat.json`` too.
        crew: Who plays the clients.
        evaluate_every: As in `run_study`.
        watch: Called after every round.

    Raises:
        ConfigError: the data at hand are too few.
        DataError: the data are missing or damaged, or training diverged; whole rounds are kept.
        StoreError: what the folder holds is damaged.
    """
    path, kept, heat = (folder / f"{cell.name}.{end}" for end in ("jsonl", "state", "heat.json"))
    lines = read_rounds(path)
    if len(lines) >= cell.rounds and not kept.exists():
        return summed_up(cell, lines, _heat(heat))
    table = _table(cell, crew, kept, len(lines))
    lines = lines[: table.round]
    path.write_bytes(b"".join(map(_line, lines)))
    with path.open("ab", buffering=0) as file:
        for measured in table.rounds(cell.rounds, evaluate_every=evaluate_every):
            lines.append(line_of(measured, table.truth))
            file.write(_line(lines[-1]))
            _replace(kept, encode(table.save()))
            watch(Step(cell=cell, line=lines[-1], done=measured.round))
    if cell.setting.target == "input":
        _replace(heat, msgspec.json.encode(table.heat().tolist()))
    kept.unlink()
    return summed_up(cell, lines, _heat(heat))


def read_rounds(path: Path) -> list[RoundLine]:
    """Return the whole lines of a cell's file; none if it does not exist.

    Raises:
        StoreError: a line is damaged.
    """
    return _read(path, RoundLine)


def read_results(path: Path) -> list[Result]:
    """Return the results at ``path``; none if it does not exist.

    Raises:
        StoreError: a line is damaged.
    """
    return _read(path, Result)


def write_results(path: Path, results: Iterable[Result]) -> None:
    """Write results in the order of their cells' names, replacing the file in one step."""
    _replace(path, b"".join(map(_line, sorted(results, key=lambda r: r.cell.name))))


def _read(path: Path, kind: type[T]) -> list[T]:
    if not path.is_file():
        return []
    whole = path.read_bytes().split(b"\n")[:-1]  # behind the last newline: what a crash cut off
    try:
        return [msgspec.json.decode(line, type=kind) for line in whole]
    except (msgspec.DecodeError, ConfigError) as error:
        raise StoreError(f"{path.name} holds a damaged line; remove the file") from error


def _heat(path: Path) -> tuple[tuple[float, ...], ...] | None:
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[tuple[float, ...], ...])
    except msgspec.DecodeError as error:
        raise StoreError(f"{path.name} is damaged; remove the file") from error


def _line(value: RoundLine | Result) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def _table(cell: Cell, crew: Crew, path: Path, lines: int) -> Table:
    """Return the table as it was saved, or before round 1: a state without its lines is no use."""
    if not path.is_file():
        return Table(cell, crew)
    try:
        saved = decode(path.read_bytes(), Saved)
        return Table(cell, crew, saved=saved if saved.round <= lines else None)
    except MalformedError as error:
        raise StoreError(f"{path.name} is damaged; remove the file") from error


def _replace(path: Path, data: bytes) -> None:
    draft = path.with_name(f"{path.name}.tmp")
    draft.write_bytes(data)
    draft.replace(path)


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{folder} cannot be used: {error.strerror}") from error
