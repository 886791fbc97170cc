"""The study of the theory as one figure: recovery in one shot, and models and clusters by round."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from secure_clove.data.synthetic import DIMENSION
from secure_clove.errors import StoreError
from secure_clove.studies.svg import (
    BLUE,
    GREEN,
    MUTED,
    ORANGE,
    RED,
    VIOLET,
    YELLOW,
    Drawing,
    standalone,
)
from secure_clove.studies.theory.measures import noise_floor
from secure_clove.studies.theory.results import Convergence, OneShot, TheoryResult

FIGURE = "theory.svg"
RAMP = (VIOLET, BLUE, GREEN, YELLOW, ORANGE, RED)
"""Colours of an ordered series, from the largest separation or count to the smallest."""

DASHES = (0, (3, 2))


def theory_figure(result: TheoryResult) -> str:
    """Return the study as an ``<svg>`` element for a page, of four panels."""
    ways = {
        way: [line for line in result.convergences if line.way == way] for way in ("epochs", "step")
    }
    worst = min(result.convergences, key=lambda line: line.recovered)
    about = (
        f"Over {result.seeds} seeds. One k-means finds clusters that are far apart or have many "
        "examples. Over the rounds the models approach their optima exponentially fast, and "
        f"the clusters follow; the lowest share of seeds with all clusters right at the end is "
        f"{100 * worst.recovered:.0f} %."
    )
    with Drawing("theory", title="CLoVE's theory, measured", about=about, height=9.6) as sheet:
        shots, indices, relative, absolute = sheet.axes(4)
        _shots(shots, result.one_shots)
        _courses(indices, ways["epochs"], lambda line: line.ari)
        _share(indices)
        _titled(indices, "Adjusted Rand index by round, 25 epochs a round", with_legend=True)
        _courses(
            relative, ways["epochs"], lambda line: [d / line.separation for d in line.distance]
        )
        _level(relative, 0.25, "Δ/4", side="right")
        _titled(relative, "Distance to the optima in units of Δ, 25 epochs a round")
        _courses(absolute, ways["step"], lambda line: line.distance)
        _level(absolute, noise_floor(DIMENSION), "noise floor", side="left")
        _titled(absolute, "Distance to the optima, one gradient step a round")
        return sheet.render()


def write_figure(folder: Path, result: TheoryResult) -> Path:
    """Write the figure into ``folder`` as a file that stands alone, and return its path.

    Raises:
        StoreError: the folder cannot be written.
    """
    path = folder / FIGURE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(standalone(theory_figure(result)), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{folder} cannot be used: {error.strerror}") from error
    return path


def _shots(axes: Axes, lines: Sequence[OneShot]) -> None:
    counts = sorted({line.examples for line in lines}, reverse=True)
    for colour, count in zip(_ramp(len(counts)), counts, strict=True):
        for kind in (True, False):
            points = sorted(
                (line.separation, line.share)
                for line in lines
                if line.examples == count and line.square_root is kind
            )
            axes.plot(
                *zip(*points, strict=True),
                color=colour,
                linewidth=2 if kind else 1.1,
                linestyle="-" if kind else DASHES,
                marker="o",
                markersize=4 if kind else 2,
                label=f"n = {count}" if kind else "_",
            )
    axes.plot([], [], color=MUTED, linewidth=1.1, linestyle=DASHES, label="losses, not roots")
    axes.set_xscale("log")
    axes.set_xticks(sorted({line.separation for line in lines}))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("separation Δ of the optima")
    _share(axes)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    _titled(axes, "Seeds in which one k-means finds every client's cluster", with_legend=True)


def _courses(
    axes: Axes, lines: Sequence[Convergence], values: Callable[[Convergence], Sequence[float]]
) -> None:
    ordered = sorted(lines, key=lambda line: -line.separation)
    for colour, line in zip(_ramp(len(ordered)), ordered, strict=True):
        points = values(line)
        axes.plot(
            range(1, len(points) + 1),
            points,
            color=colour,
            linewidth=1.8,
            marker="o",
            markersize=3.5,
            label=f"Δ = {line.separation:g}",
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("round")


def _level(axes: Axes, value: float, name: str, *, side: Literal["left", "right"]) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.axhline(value, color=MUTED, linewidth=1, linestyle=DASHES)
    axes.annotate(
        name,
        (0.005 if side == "left" else 0.995, value),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        ha=side,
        color=MUTED,
    )


def _share(axes: Axes) -> None:
    axes.set_ylim(-0.06, 1.06)


def _titled(axes: Axes, title: str, *, with_legend: bool = False) -> None:
    if not with_legend:
        axes.set_title(title, loc="left", fontsize=9.5)
        return
    axes.set_title(title, loc="left", fontsize=9.5, pad=20)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 0.98),
        ncols=6,
        fontsize=8,
        frameon=False,
        handlelength=1.1,
        handletextpad=0.4,
        columnspacing=0.9,
    )


def _ramp(count: int) -> Iterable[str]:
    """Return ``count`` colours spread over `RAMP`; beyond its length they repeat."""
    if count > len(RAMP):
        return [RAMP[place % len(RAMP)] for place in range(count)]
    last = max(1, count - 1)
    return [RAMP[round(place * (len(RAMP) - 1) / last)] for place in range(count)]
