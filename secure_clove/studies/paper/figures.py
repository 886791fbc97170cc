"""The paper's figures of experiments, drawn from our runs, and the same as lines of text."""

from collections.abc import Callable, Iterable, Mapping
from statistics import fmean

from secure_clove.errors import ConfigError
from secure_clove.studies.paper.curves import draw_curves
from secure_clove.studies.paper.heats import diagonals, draw_heats
from secure_clove.studies.paper.sheet import Sheet
from secure_clove.studies.paper.shown import Shown, first_reached, last_index, shown
from secure_clove.studies.paper.wording import way
from secure_clove.studies.play.result import REACHED, Result
from secure_clove.studies.svg import standalone

Line = tuple[str, ...]

_DRAWN: Mapping[str, Callable[[Sheet, list[Shown]], str]] = {
    "curve": draw_curves,
    "heat": draw_heats,
}
_HEADS: Mapping[str, Line] = {
    "curve": ("final ARI", f"first round of ARI {REACHED}"),
    "heat": ("rows with the smallest loss on the diagonal",),
}


def draw(sheet: Sheet, results: Iterable[Result]) -> str:
    """Return a figure as an SVG document that stands alone, on a light ground.

    A row that was not run says so in its place.

    Args:
        sheet: A figure.
        results: Of any cells; those of the longest runs are shown.

    Raises:
        ConfigError: the sheet is a table, or a heat map is not square.
    """
    return standalone(_DRAWN[_measure(sheet)](sheet, shown(sheet, results)))


def figure_heads(sheet: Sheet) -> Line:
    """Return the titles of the columns of `figure_rows`.

    Raises:
        ConfigError: the sheet is a table.
    """
    return ("data", "row", "algorithm", *_HEADS[_measure(sheet)], "models in use", "run")


def figure_rows(sheet: Sheet, results: Iterable[Result]) -> list[Line]:
    """Return what a figure shows as text, one line for each of its rows.

    A diagonal counts where its loss is smaller than every other of the row, so a model that two
    digits share is nobody's own. Seeds stand one after the other.

    Args:
        sheet: A figure.
        results: Of any cells; those of the longest runs are shown.

    Raises:
        ConfigError: the sheet is a table, or a heat map is not square.
    """
    measure = _measure(sheet)
    return [_line(measure, line) for line in shown(sheet, results)]


def _measure(sheet: Sheet) -> str:
    for measure in sheet.measures:
        if measure in _DRAWN:
            return measure
    raise ConfigError(f"{sheet.name} is not a figure; its rows are those of a table")


def _line(measure: str, line: Shown) -> Line:
    named = (line.row.setting.dataset, line.row.name, line.row.setting.algorithm)
    if not line.runs:
        blank = [""] * (len(_HEADS[measure]) - 1)
        return (*named, line.missing, *blank, "", "")
    columns = (
        (last_index(line.runs), first_reached(line.runs))
        if measure == "curve"
        else (diagonals(line.runs),)
    )
    return (*named, *columns, _models(line), way(line.runs))


def _models(line: Shown) -> str:
    counts = [run.models for run in line.runs if run.models is not None]
    return f"{fmean(counts):.1f}".removesuffix(".0") if counts else "-"
