"""Rows of Tables 1 and 2 as text: measured here, printed in the paper, and the difference."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean, pstdev

from secure_clove.studies.paper.cells import ALGORITHMS, KINDS
from secure_clove.studies.paper.published import (
    ACCURACY,
    ARI,
    DATASETS,
    FIRST_ROUND,
    Figure,
    Figures,
)
from secure_clove.studies.paper.study import Result

Row = tuple[str, ...]
Place = tuple[str, str, str]

HEADS: dict[int, Row] = {
    1: (
        "cell",
        "algorithm",
        "test accuracy, %",
        "paper",
        "ours - paper",
        "training accuracy, %",
        "run",
    ),
    2: ("cell", "algorithm", "ARI", "paper", "ours - paper", "first round of 0.9", "paper", "run"),
}
"""Columns of both tables. A run is its rounds, its seeds, and how clients trained."""


def rows(number: int, results: Iterable[Result], *, with_missing: bool = False) -> list[Row]:
    """Return a row for each cell and each way it was run, in the paper's order.

    Runs with other rounds or another preset are another row. Deviations are over seeds.

    Args:
        number: 1 or 2.
        results: Of any cells.
        with_missing: Whether a cell without a result has a row that says so.
    """
    ways: dict[Place, dict[tuple[int, str], list[Result]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        cell = result.cell
        place = (cell.dataset, cell.kind, cell.algorithm)
        ways[place][cell.rounds, cell.preset].append(result)
    found = []
    for place in places(number):
        found += [_row(number, place, ways[place][way]) for way in sorted(ways[place])]
        if with_missing and not ways[place]:
            found.append(_unmeasured(number, place, "not run yet"))
    return found


def reasons(results: Iterable[Result]) -> list[str]:
    """Return a sentence for each cell that was not run, in some of its seeds at least."""
    found = {(r.cell.dataset, r.cell.kind, r.cell.algorithm): r.reason for r in results if r.reason}
    return [f"{' '.join(place)} was not run: {reason}" for place, reason in found.items()]


def places(number: int) -> list[Place]:
    """Return every cell of a table as data set, data mixing and algorithm."""
    return [(d, k, a) for d in DATASETS for k in KINDS for a in ALGORITHMS[number]]


def _row(number: int, place: Place, results: Sequence[Result]) -> Row:
    run = [result for result in results if result.reason is None]
    if not run:
        return _unmeasured(number, place, "not run")
    cell = run[0].cell
    way = f"{_count(cell.rounds, 'round')}, {_count(len(run), 'seed')}, {cell.preset}"
    if number == 1:
        here = _values(run, lambda r: r.accuracy, scale=100)
        training = _values(run, lambda r: r.training_accuracy, scale=100)
        return (
            *_named(place),
            *_beside(here, ACCURACY, place, ".1f"),
            _spread(training, ".1f"),
            way,
        )
    here = _values(run, lambda r: r.ari)
    first = _values(run, lambda r: r.first_round)
    reached = _spread(first, ".1f") if first else "never"
    partly = f" ({len(first)} of {len(run)} seeds)" if 0 < len(first) < len(run) else ""
    printed = _printed(FIRST_ROUND.get(place), ".1f", absent="never")
    return (*_named(place), *_beside(here, ARI, place, ".2f"), f"{reached}{partly}", printed, way)


def _unmeasured(number: int, place: Place, words: str) -> Row:
    if number == 1:
        printed = _printed(ACCURACY.get(place), ".1f")
        return (*_named(place), words, printed, "", "", "")
    first = _printed(FIRST_ROUND.get(place), ".1f", absent="never")
    return (*_named(place), words, _printed(ARI.get(place), ".2f"), "", "", first, "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _named(place: Place) -> Row:
    dataset, kind, algorithm = place
    return f"{dataset} {kind}", algorithm


def _values(
    results: Sequence[Result], read: Callable[[Result], float | None], *, scale: float = 1
) -> list[float]:
    return [scale * value for value in map(read, results) if value is not None]


def _beside(here: Sequence[float], figures: Figures, place: Place, form: str) -> Row:
    figure = figures[place]
    return (
        _spread(here, form),
        _printed(figure, form),
        format(fmean(here) - figure.mean, f"+{form}"),
    )


def _spread(values: Sequence[float], form: str) -> str:
    mean = format(fmean(values), form)
    return f"{mean} ± {pstdev(values):{form}}" if len(values) > 1 else mean


def _printed(figure: Figure | None, form: str, *, absent: str = "") -> str:
    return absent if figure is None else f"{figure.mean:{form}} ± {figure.deviation:{form}}"
