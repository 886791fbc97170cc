"""Runs the cells of a table, keeps every round in a file, and goes on where it was interrupted."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import TypeVar

import msgspec
import torch

from secure_clove.clustering.scores import adjusted_rand_index
from secure_clove.data.dataset import Dataset
from secure_clove.data.federation import Federation
from secure_clove.errors import ConfigError, DataError, StoreError
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import Entropy
from secure_clove.studies.paper.cells import ALGORITHMS, KINDS, Cell, divide, table
from secure_clove.studies.paper.direct import Measured, Saved
from secure_clove.studies.paper.published import DATASETS

RESULTS = "results.jsonl"
REACHED = 0.9
"""Adjusted Rand index of the "first round". Source: clove.txt, Table 5."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundLine:
    """One round: one line of a cell's file.

    Attributes:
        round: Counted from 1.
        ari: Adjusted Rand index with the planted clusters; None where clients train alone.
        accuracy: On held-out examples, by client.
        training_accuracy: On training examples, by client; None where it was not measured.
        assignment: Model by client.
        seconds: Wall-clock time, measuring included.
    """

    round: int
    ari: float | None
    accuracy: Mapping[ClientId, float]
    training_accuracy: Mapping[ClientId, float] | None
    assignment: Mapping[ClientId, int]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one cell: one line of the results.

    Attributes:
        cell: What was run.
        reason: Why it was not run; None if it was.
        accuracy: Mean over the clients after the last round, on held-out examples.
        training_accuracy: The same on training examples.
        ari: After the last round.
        first_round: First round with an ARI of `REACHED` or more; None: never.
        seconds: Of all rounds.
    """

    cell: Cell
    reason: str | None = None
    accuracy: float | None = None
    training_accuracy: float | None = None
    ari: float | None = None
    first_round: int | None = None
    seconds: float = 0.0


Watch = Callable[[Cell, int], None]
"""Called with a cell and its rounds played so far."""


def cells(
    number: int,
    *,
    datasets: Sequence[str] = (),
    kinds: Sequence[str] = (),
    algorithms: Sequence[str] = (),
    rounds: int,
    seeds: int,
    preset: str,
) -> tuple[Cell, ...]:
    """Return the runs behind table ``number``, narrowed to what is named.

    Args:
        number: 1 or 2.
        datasets: Columns; all unless named.
        kinds: Data mixings; all unless named.
        algorithms: Rows; all unless named.
        rounds: Of each run.
        seeds: Runs of each cell, with seeds from 0.
        preset: How clients train.

    Raises:
        ConfigError: a name that no table has, or nothing is left.
    """
    found = tuple(
        Cell(dataset=dataset, kind=kind, algorithm=name, seed=seed, rounds=rounds, preset=preset)
        for dataset in datasets or DATASETS
        for kind in kinds or KINDS
        for name in algorithms or ALGORITHMS[number]
        for seed in range(seeds)
    )
    kept = tuple(cell for cell in found if cell.algorithm in ALGORITHMS[number])
    if not kept:
        raise ConfigError(f"table {number} has no such cell; it has {ALGORITHMS[number]}")
    return kept


def run_study(
    wanted: Iterable[Cell],
    folder: Path,
    *,
    load: Callable[[str], Dataset],
    entropy: Entropy,
    evaluate_every: int = 10,
    watch: Watch,
) -> tuple[Result, ...]:
    """Run every cell that is not finished in ``folder`` and return the results of all.

    A cell that the data cannot serve, or whose training diverges, says so in its result. The
    results are added to those that ``folder`` holds of other cells.

    Args:
        wanted: What to run.
        folder: Takes one file of rounds a cell, and `RESULTS`.
        load: Returns a data set by its name.
        entropy: Source of batches.
        evaluate_every: Training accuracy is measured in every so many rounds and in the last.
        watch: Called before the first and after every round of a cell.

    Raises:
        StoreError: the folder cannot be used.
    """
    loaded, results = cache(load), []
    with _kept(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for cell in wanted:
            results.append(_result(cell, folder, loaded, entropy, evaluate_every, watch))
            known = {r.cell.name: r for r in (*read_results(folder / RESULTS), *results)}
            write_results(folder / RESULTS, known.values())
    return tuple(results)


def _result(
    cell: Cell,
    folder: Path,
    load: Callable[[str], Dataset],
    entropy: Entropy,
    evaluate_every: int,
    watch: Watch,
) -> Result:
    watch(cell, 0)
    lines = read_rounds(folder / f"{cell.name}.jsonl")
    try:
        if len(lines) < cell.rounds:
            federation = divide(cell, load(cell.dataset), cell.size)
            lines = run_cell(
                cell,
                federation,
                folder,
                clusters=cell.size.clusters,
                entropy=entropy,
                evaluate_every=evaluate_every,
                watch=watch,
            )
    except (ConfigError, DataError) as error:
        return Result(cell=cell, reason=str(error))
    finally:
        watch(cell, cell.rounds)
    return summed_up(cell, lines)


def run_cell(
    cell: Cell,
    federation: Federation,
    folder: Path,
    *,
    clusters: int,
    entropy: Entropy,
    evaluate_every: int = 10,
    watch: Watch,
) -> list[RoundLine]:
    """Play a cell to its last round and return its lines; an interrupted cell goes on.

    The state is replaced after every line, in one step, so that at most one round is played
    again: with the same outcome if the entropy is reproducible, with other batches if not.

    Args:
        cell: What to play.
        federation: Its clients and their planted clusters.
        folder: Exists; takes ``NAME.jsonl`` and, until the end, ``NAME.state``.
        clusters: Count K of models.
        entropy: Source of batches.
        evaluate_every: As in `run_study`.
        watch: Called after every round.
    """
    path, kept = folder / f"{cell.name}.jsonl", folder / f"{cell.name}.state"
    lines, saved = read_rounds(path), _saved(kept)
    if saved is not None and saved.round > len(lines):
        saved = None
    lines = lines[: saved.round] if saved else []
    path.write_bytes(b"".join(map(_line, lines)))
    played = table(cell, federation, clusters=clusters, entropy=entropy, saved=saved)
    with _one_thread(), path.open("ab", buffering=0) as file:
        for measured in played.rounds(cell.rounds, evaluate_every=evaluate_every):
            lines.append(_round(measured, federation))
            file.write(_line(lines[-1]))
            _replace(kept, encode(played.save()))
            watch(cell, measured.round)
    kept.unlink(missing_ok=True)
    return lines


def summed_up(cell: Cell, lines: Sequence[RoundLine]) -> Result:
    """Return the result of a finished cell from its rounds."""
    last, reached = lines[-1], [r.round for r in lines if r.ari is not None and r.ari >= REACHED]
    return Result(
        cell=cell,
        accuracy=fmean(last.accuracy.values()),
        training_accuracy=fmean((last.training_accuracy or {}).values()),
        ari=last.ari,
        first_round=min(reached, default=None),
        seconds=sum(line.seconds for line in lines),
    )


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


def _round(measured: Measured, federation: Federation) -> RoundLine:
    chosen, clients = measured.assignment, list(federation.truth)
    ari = (
        adjusted_rand_index([federation.truth[c] for c in clients], [chosen[c] for c in clients])
        if chosen
        else None
    )
    return RoundLine(
        round=measured.round,
        ari=ari,
        accuracy=measured.accuracy,
        training_accuracy=measured.training_accuracy,
        assignment=chosen,
        seconds=measured.seconds,
    )


def _read(path: Path, kind: type[T]) -> list[T]:
    if not path.is_file():
        return []
    whole = path.read_bytes().split(b"\n")[:-1]  # behind the last newline: what a crash cut off
    try:
        return [msgspec.json.decode(line, type=kind) for line in whole]
    except (msgspec.DecodeError, ConfigError) as error:
        raise StoreError(f"{path.name} holds a damaged line; remove the file") from error


def _line(value: RoundLine | Result) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def _saved(path: Path) -> Saved | None:
    return decode(path.read_bytes(), Saved) if path.is_file() else None


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


@contextmanager
def _one_thread() -> Iterator[None]:
    """Models this small are trained fastest, and always alike, by one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
