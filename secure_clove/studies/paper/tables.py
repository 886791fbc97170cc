"""A sheet's rows as text: measured here, printed in the paper, and the difference."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from secure_clove.studies.paper.published import PUBLISHED, Figure, Place
from secure_clove.studies.paper.sheet import Row, Sheet
from secure_clove.studies.paper.wording import origin, spread, way
from secure_clove.studies.play.result import Result

Line = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A column of a table.

    Attributes:
        head: Its title.
        read: From a result to the number; None: there is none.
        form: How it is printed.
        absent: What stands where an event never happened.
    """

    head: str
    read: Callable[[Result], float | None]
    form: str
    absent: str = "-"


MEASURES = {
    "accuracy": Measure(head="test accuracy, %", read=lambda r: _percent(r.accuracy), form=".1f"),
    "loss": Measure(head="test loss", read=lambda r: r.loss, form=".4f"),
    "ari": Measure(head="ARI", read=lambda r: r.ari, form=".2f"),
    "ari_10": Measure(head="ARI in round 10", read=lambda r: r.ari_10, form=".2f"),
    "first_round": Measure(
        head="first round of ARI 0.9", read=lambda r: r.first_round, form=".1f", absent="never"
    ),
    "stable_round": Measure(
        head="round of stability", read=lambda r: r.stable_round, form=".1f", absent="never"
    ),
    "models": Measure(head="models in use", read=lambda r: r.models, form=".1f"),
}


def heads(sheet: Sheet) -> Line:
    """Return the titles of the columns of a table."""
    columns = [
        head for name in sheet.measures for head in (MEASURES[name].head, "paper", "ours - paper")
    ]
    training = ["training accuracy, %"] if "accuracy" in sheet.measures else []
    return ("data", "row", "algorithm", *columns, *training, "run")


def rows(sheet: Sheet, results: Iterable[Result], *, with_missing: bool = False) -> list[Line]:
    """Return the lines of a table, one for each row and each way in which it was run.

    Runs with other rounds, another preset or other counts of examples are other lines. Deviations
    are over seeds, of the population as in the paper.

    Args:
        sheet: A table.
        results: Of any cells.
        with_missing: Whether a row without a result has a line that says so.
    """
    ways: dict[str, dict[tuple[str, int, str], list[Result]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for result in results:
        cell = result.cell
        ways[origin(cell.setting)][cell.setting.name, cell.rounds, cell.preset].append(result)
    found = []
    for row in sheet.rows:
        known = ways[origin(row.setting)]
        found += [_line(sheet, row, known[key]) for key in sorted(known)]
        if with_missing and not known:
            found.append(_empty(sheet, row, "not run yet"))
    return found


def reasons(results: Iterable[Result]) -> list[str]:
    """Return a sentence for each setting that was not run, in some of its seeds at least."""
    found = {r.cell.setting.name: r.reason for r in results if r.reason}
    return [f"{name} was not run: {reason}" for name, reason in found.items()]


def _line(sheet: Sheet, row: Row, results: Sequence[Result]) -> Line:
    run = [result for result in results if result.reason is None]
    if not run:
        return _empty(sheet, row, "not run")
    columns = [text for name in sheet.measures for text in _beside(sheet, row, name, run)]
    training = [value for r in run if (value := _percent(r.training_accuracy)) is not None]
    trained = [spread(training, ".1f") if training else ""]
    return (*_named(row), *columns, *(trained if "accuracy" in sheet.measures else ()), way(run))


def _empty(sheet: Sheet, row: Row, words: str) -> Line:
    columns = [
        text
        for name in sheet.measures
        for text in (words, _printed(_figure(sheet, row, name), MEASURES[name].form), "")
    ]
    training = [""] if "accuracy" in sheet.measures else []
    return (*_named(row), *columns, *training, "")


def _named(row: Row) -> Line:
    return row.setting.dataset, row.name, row.setting.algorithm


def _beside(sheet: Sheet, row: Row, name: str, run: Sequence[Result]) -> Line:
    measure, figure = MEASURES[name], _figure(sheet, row, name)
    here = [value for result in run if (value := measure.read(result)) is not None]
    if not here:
        return measure.absent, _printed(figure, measure.form), ""
    partly = f" ({len(here)} of {len(run)} seeds)" if len(here) < len(run) else ""
    difference = (
        "" if figure is None or figure.is_never else f"{fmean(here) - figure.mean:+{measure.form}}"
    )
    return f"{spread(here, measure.form)}{partly}", _printed(figure, measure.form), difference


def _figure(sheet: Sheet, row: Row, measure: str) -> Figure | None:
    setting = row.setting
    return PUBLISHED.get(
        Place(
            table=sheet.table,
            dataset=setting.dataset,
            row=row.name,
            algorithm=setting.algorithm,
            measure=measure,
        )
    )


def _printed(figure: Figure | None, form: str) -> str:
    if figure is None:
        return ""
    return "never" if figure.is_never else f"{figure.mean:{form}} ± {figure.deviation:{form}}"


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
