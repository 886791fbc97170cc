"""Figures of heat maps: what one client of each cluster loses under the model of each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log, log10
from statistics import median

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from secure_clove.errors import ConfigError
from secure_clove.studies.paper.sheet import Sheet
from secure_clove.studies.paper.shown import Shown
from secure_clove.studies.paper.wording import counted, way
from secure_clove.studies.play.result import Result
from secure_clove.studies.svg import BLUE, INK, MUTED, SURFACE, Drawing

Matrix = NDArray[np.float64]

WIDE = 7.2  # inches: two maps of ten columns with a number in each cell
MARGINS = (0.012, 0.01, 0.976, 0.98)  # left, bottom, width and height, as shares

HIDDEN = 10.0
"""Losses of so many times the middle of the rows' smallest ones are coloured and not printed."""

FAR = "#f2b8ae"
RAMP = LinearSegmentedColormap.from_list("losses", (BLUE, "#9cc3ee", "#edf4fc"))
"""From the smallest loss to the largest that is printed."""

EMPTY = "#f1f0eb"
"""Ground of a map that was not run."""

SAME = 1e-6
"""Relative difference of losses up to which they count as equal: those of one model are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What the maps of a figure share.

    Attributes:
        power: Losses are printed times ten to this power.
        low: The smallest loss, at the dark end of the ramp.
        limit: From here on losses are coloured and not printed; the light end of the ramp.
    """

    power: int
    low: float
    limit: float

    @property
    def factor(self) -> float:
        """What losses are multiplied by."""
        return 10.0**self.power

    def share(self, loss: float) -> float:
        """Return where a loss stands on the ramp, from 0 at its dark end to 1."""
        return log(max(loss, self.low) / self.low) / log(self.limit / self.low)


def draw_heats(sheet: Sheet, lines: Sequence[Shown]) -> str:
    """Return a figure of heat maps as an ``<svg>`` element, one map for each row.

    Colours are of a logarithmic scale that the maps share, and so is the unit of the numbers.
    Frames are around the smallest loss of each row, so a model that serves its own digit best
    shows as a frame on the diagonal. Of several seeds the lowest is drawn, as in the paper.

    Args:
        sheet: The figure.
        lines: Its rows with their runs.

    Raises:
        ConfigError: a map is not square.
    """
    maps = [_matrix(line.runs[0]) if line.runs else None for line in lines]
    scale = _scale([found for found in maps if found is not None])
    captions = [_caption(line, found) for line, found in zip(lines, maps, strict=True)]
    rows, headline = ceil(len(lines) / 2), f"{sheet.name.capitalize()}. {sheet.title}"
    foot = _foot(lines, scale)
    about = "; ".join(": ".join(caption) for caption in captions)
    with Drawing(sheet.name.replace(" ", "-"), title=headline, about=f"{about}.") as drawing:
        figure = drawing.figure
        figure.set_layout_engine("constrained", rect=MARGINS, h_pad=0.12)
        figure.set_size_inches(WIDE, 0.7 + 3.75 * rows + 0.16 * len(foot))
        figure.suptitle(headline, x=0.02, ha="left", fontsize=11)
        figure.supxlabel("\n".join(foot), x=0.02, ha="left", fontsize=8, color=MUTED)
        panels = list(figure.subplots(rows, min(2, len(lines)), squeeze=False).flat)
        for axes, found, (name, said) in zip(panels, maps, captions, strict=False):
            axes.annotate(
                name, (0, 1), (0, 15), xycoords="axes fraction", textcoords="offset points"
            )
            axes.set_title(drawing.outside(said, limit=60), loc="left", fontsize=8, color=MUTED)
            _draw(axes, found, scale)
        for spare in panels[len(lines) :]:
            spare.set_visible(False)
        return drawing.render()


def diagonals(runs: Sequence[Result]) -> str:
    """Return in how many rows the diagonal is smallest, seed by seed: ``10 of 10``.

    It counts where it is smaller than every other of its row.

    Raises:
        ConfigError: a map is not square.
    """
    maps = [found for run in runs if (found := _matrix(run)) is not None]
    if not maps:
        return "-"
    return f"{', '.join(str(_on_diagonal(found)) for found in maps)} of {len(maps[0])}"


def _matrix(run: Result) -> Matrix | None:
    """Return the map of a run, if it has one; what is no number counts as very large."""
    if run.heat is None:
        return None
    if not run.heat or any(len(row) != len(run.heat) for row in run.heat):
        raise ConfigError(f"the heat map of {run.cell.name} is not square; delete its file")
    found = np.array(run.heat, dtype=np.float64)
    return np.where(np.isnan(found), np.inf, found)


def _on_diagonal(found: Matrix) -> int:
    others = np.where(np.eye(len(found), dtype=bool), np.inf, found).min(axis=1)
    return int((found.diagonal() * (1 + SAME) < others).sum())


def _smallest(found: Matrix) -> NDArray[np.bool_]:
    """Return where the smallest losses of the rows are; a row of equal losses has none."""
    least = found.min(axis=1, keepdims=True) * (1 + SAME)
    smallest: NDArray[np.bool_] = (found <= least) & (found.max(axis=1, keepdims=True) > least)
    return smallest


def _scale(maps: Sequence[Matrix]) -> Scale:
    smallest = [float(value) for found in maps for value in found.min(axis=1)]
    known = [value for value in smallest if isfinite(value) and value > 0] or [1.0]
    middle = median(known)
    return Scale(power=1 - floor(log10(middle)), low=min(known), limit=HIDDEN * middle)


def _caption(line: Shown, found: Matrix | None) -> tuple[str, str]:
    if found is None:
        return line.algorithm, "no map was kept" if line.runs else line.missing
    models, rows = line.runs[0].models, len(found)
    used = f", {counted(models, 'model')} in use" if models else ""
    if not _smallest(found).any():
        return line.algorithm, f"every column is the same{used}"
    return line.algorithm, f"diagonal smallest in {_on_diagonal(found)} of {rows} rows{used}"


def _foot(lines: Sequence[Shown], scale: Scale) -> list[str]:
    ways = {way(line.runs[:1]) for line in lines if line.runs}
    if not ways:
        return []
    return [
        f"Mean loss x {scale.factor:g} on the held-out examples of one client (row) under the "
        "model of another (column), one of each digit.",
        "Frames: the smallest of each row. Blue: the darker, the smaller, on a logarithmic scale. "
        f"Red: {scale.limit * scale.factor:.3g} or more, not printed.",
        "; ".join(sorted(ways)),
    ]


def _draw(axes: Axes, found: Matrix | None, scale: Scale) -> None:
    axes.spines[:].set_visible(False)
    axes.patch.set_visible(False)
    axes.set_box_aspect(1)
    axes.tick_params(length=0, labelsize=8)
    if found is None:
        axes.set(xticks=[], yticks=[])
        axes.add_patch(Rectangle((0, 0), 1, 1, facecolor=EMPTY))
        return
    count = len(found)
    places, names = np.arange(count) + 0.5, [str(place) for place in range(count)]
    axes.set_xticks(places, names)
    axes.set_yticks(places, names)
    axes.set(xlim=(0, count), ylim=(count, 0), xlabel="model of digit", ylabel="client of digit")
    for (row, column), loss in np.ndenumerate(found):
        _cell(axes, row, column, float(loss), scale)
    for row, column in np.argwhere(_smallest(found)):
        inside = Rectangle((column + 0.04, row + 0.04), 0.92, 0.92, fill=False)
        inside.set(edgecolor=INK, linewidth=1.5)
        axes.add_patch(inside)


def _cell(axes: Axes, row: int, column: int, loss: float, scale: Scale) -> None:
    is_far = loss >= scale.limit
    colour = FAR if is_far else to_hex(RAMP(scale.share(loss)))
    axes.add_patch(Rectangle((column, row), 1, 1, facecolor=colour, edgecolor=SURFACE))
    if not is_far:
        text = _digits(loss * scale.factor)
        axes.text(column + 0.5, row + 0.5, text, fontsize=6.5, ha="center", va="center")


def _digits(value: float) -> str:
    """Return a number with a decimal where it has fewer than three digits before it."""
    return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"
