"""Which runs a figure shows for each of its rows, and what is read off them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from statistics import fmean, pstdev

from secure_clove.studies.paper.sheet import Row, Sheet
from secure_clove.studies.paper.wording import origin, spread
from secure_clove.studies.play.result import REACHED, Result

NAMES: Mapping[str, str] = {
    "clove": "CLoVE",
    "ifca": "IFCA",
    "fedavg": "FedAvg",
    "local": "Local-only",
}
"""How algorithms are called where they are shown."""

NOT_RUN = "not run yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A row of a figure with the runs it is drawn from.

    Attributes:
        row: The row.
        runs: By seed; they differ in nothing else. Empty: there are none.
        missing: What stands in the figure where there are none, such as ``not run yet``.
    """

    row: Row
    runs: tuple[Result, ...]
    missing: str = NOT_RUN

    @property
    def algorithm(self) -> str:
        """The algorithm, as it is called where it is shown."""
        return called(self.row.setting.algorithm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """An index by round, over seeds.

    Attributes:
        rounds: Counted from 1; those in which some seed has an index.
        mean: Mean of each.
        deviation: Deviation of each, of the population.
    """

    rounds: tuple[int, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]


def called(algorithm: str) -> str:
    """Return how an algorithm is called where it is shown."""
    return NAMES.get(algorithm, algorithm)


def shown(sheet: Sheet, results: Iterable[Result]) -> list[Shown]:
    """Return the rows of a figure, each with the runs that show it best.

    Of runs of several kinds these are the longest; then those with the row's own data, with the
    most examples, with the most seeds, and with the authors' training.
    """
    known: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        known[origin(result.cell.setting)].append(result)
    return [_shown(row, known[origin(row.setting)]) for row in sheet.rows]


def course(runs: Sequence[Result]) -> Course:
    """Return the index of every round, as mean and deviation over the seeds that have one."""
    by_round = [
        (number, [value for value in values if value is not None])
        for number, values in enumerate(zip_longest(*(run.curve for run in runs)), 1)
    ]
    known = [(number, values) for number, values in by_round if values]
    return Course(
        rounds=tuple(number for number, _ in known),
        mean=tuple(fmean(values) for _, values in known),
        deviation=tuple(pstdev(values) for _, values in known),
    )


def last_index(runs: Sequence[Result]) -> str:
    """Return the index after the last round, over seeds; a dash where there is none."""
    known = [run.curve[-1] for run in runs if run.curve]
    values = [value for value in known if value is not None]
    return spread(values, ".2f") if values else "-"


def first_reached(runs: Sequence[Result]) -> str:
    """Return the mean over seeds of the first round with an index of `REACHED`, or ``never``."""
    firsts = [_first(run.curve) for run in runs]
    known = [first for first in firsts if first is not None]
    if not known:
        return "never"
    mean = f"{fmean(known):.1f}".removesuffix(".0")
    return mean if len(known) == len(runs) else f"{mean} ({len(known)} of {len(runs)} seeds)"


def _first(curve: Sequence[float | None]) -> int | None:
    found = (number for number, ari in enumerate(curve, 1) if ari is not None and ari >= REACHED)
    return next(found, None)


def _shown(row: Row, results: Sequence[Result]) -> Shown:
    ways: dict[tuple[str, int, str], dict[int, Result]] = defaultdict(dict)
    for result in results:
        if result.reason is None:
            cell = result.cell
            ways[cell.setting.name, cell.rounds, cell.preset][cell.seed] = result
    if ways:
        best = max(ways.values(), key=lambda runs: _rank(row, list(runs.values())))
        return Shown(row=row, runs=tuple(best[seed] for seed in sorted(best)))
    reason = next((result.reason for result in results), None)
    return Shown(row=row, runs=(), missing=f"not run: {reason}" if reason else NOT_RUN)


def _rank(row: Row, runs: Sequence[Result]) -> tuple[int, bool, int, int, bool]:
    cell = runs[0].cell
    is_own = cell.setting.name == row.setting.name
    return cell.rounds, is_own, cell.setting.examples or 0, len(runs), cell.preset == "authors"
