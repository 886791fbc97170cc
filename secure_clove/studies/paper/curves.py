"""Figures of curves: the adjusted Rand index by round, a line for each row."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import dropwhile
from math import ceil

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, MultipleLocator

from secure_clove.studies.paper.sheet import Sheet
from secure_clove.studies.paper.shown import (
    Course,
    Shown,
    called,
    course,
    first_reached,
    last_index,
)
from secure_clove.studies.paper.wording import way
from secure_clove.studies.play.result import REACHED
from secure_clove.studies.svg import BLUE, GREEN, INK, MUTED, ORANGE, SERIES, VIOLET, Drawing

MARGINS = (0.012, 0.01, 0.976, 0.98)  # left, bottom, width and height, as shares
WIDE = 7.2  # inches: room for the names at the ends of the lines
COLOURS = {"clove": BLUE, "ifca": ORANGE, "fedavg": GREEN, "local": VIOLET}
STARTS = {
    "init:d": "Different initial models",
    "init:s": "The same initial model",
    "first:e": "first assignment by losses",
    "first:r": "first assignment at random",
}
"""The paper's codes of Figure 2. Source: clove.txt, "Robustness to initialization"."""

STILL = 0.005
"""Changes of an index that no eye sees on these axes."""

LEAST_ROUNDS = 10
"""Rounds that are shown at least, if they were run."""

MOST_MARKED = 15  # rounds beyond which the dots of a line merge
LABEL = 8.0  # size of type, in points


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One line of a panel.

    Attributes:
        line: The row and its runs.
        name: What stands at its end.
        colour: Of the line.
        course: The index by round.
    """

    line: Shown
    name: str
    colour: str
    course: Course

    @property
    def last(self) -> str:
        """Its last value, or why there is none."""
        if not self.line.runs:
            return self.line.missing
        return last_index(self.line.runs) if self.course.rounds else "without an index"

    @property
    def reached(self) -> str:
        """When it reaches what counts as found, and whether for good."""
        if not self.course.rounds:
            return ""
        first = first_reached(self.line.runs)
        if first == "never":
            return f"never {REACHED}"
        after = dropwhile(lambda mean: mean < REACHED, self.course.mean)
        falls = ", falls again" if any(mean < REACHED for mean in after) else ""
        return f"first {REACHED} in round {first}{falls}"


def draw_curves(sheet: Sheet, lines: Sequence[Shown]) -> str:
    """Return a figure of curves as an ``<svg>`` element.

    Rows of several algorithms are panels, one for each thing they have in common, with a line for
    each algorithm; rows of one algorithm share a panel. Lines that coincide are drawn one inside
    the other. Rounds after the last change of any line are left out, and the foot says so.

    Args:
        sheet: The figure.
        lines: Its rows with their runs.
    """
    panels = _panels(lines)
    curves = [curve for group in panels.values() for curve in group]
    rows, height = ceil(len(panels) / 2), 3.2 if len(panels) == 1 else 2.3
    last, played = _horizon(curves)
    foot = _foot(lines, last=last, cut=last < played)
    told = [(curve.line.row.name, curve.last, curve.reached) for curve in curves]
    about = "; ".join(f"{name}: {', '.join(filter(None, said))}" for name, *said in told)
    headline = f"{sheet.name.capitalize()}. {sheet.title}"
    with Drawing(
        sheet.name.replace(" ", "-"), title=headline, about=f"ARI by round: {about}."
    ) as drawing:
        figure = drawing.figure
        figure.set_layout_engine("constrained", rect=MARGINS, h_pad=0.06)
        figure.set_size_inches(WIDE, 0.7 + height * rows + 0.16 * len(foot))
        figure.suptitle(headline, x=0.02, ha="left", fontsize=11)
        figure.supxlabel("\n".join(foot), x=0.02, ha="left", fontsize=LABEL, color=MUTED)
        grid = figure.subplots(rows, min(2, len(panels)), squeeze=False, sharey=True)
        axes = list(grid.flat)
        for panel, (title, group) in zip(axes, panels.items(), strict=False):
            _panel(panel, title, group, last, low=_low(curves))
        for spare in axes[len(panels) :]:
            spare.set_visible(False)
        for panel in grid[:, 0]:
            panel.set_ylabel("ARI with the planted clusters")
        figure.draw_without_rendering()  # so that the panels know their heights
        for panel, group in zip(axes, panels.values(), strict=False):
            _label(drawing, panel, group, last, is_brief=len(panels) > 1)
        return drawing.render()


def _panels(lines: Sequence[Shown]) -> dict[str, list[Curve]]:
    algorithms = {line.row.setting.algorithm for line in lines}
    found: dict[str, list[Curve]] = defaultdict(list)
    for place, line in enumerate(lines):
        algorithm = line.row.setting.algorithm
        common = " ".join(line.row.name.split()[1:]) if len(algorithms) > 1 else ""
        colour = COLOURS.get(algorithm, INK) if common else SERIES[place % len(SERIES)]
        name = called(algorithm) if common else line.row.name
        found[common].append(Curve(line=line, name=name, colour=colour, course=course(line.runs)))
    return found


def _horizon(curves: Sequence[Curve]) -> tuple[int, int]:
    """Return the last round to show, a little after any line's last change, and the last played."""
    ends = [curve.course.rounds[-1] for curve in curves if curve.course.rounds]
    changes = [_changed(curve.course) for curve in curves if curve.course.rounds]
    shown = max(LEAST_ROUNDS, ceil(1.2 * max(changes, default=0)))
    played = max(ends, default=LEAST_ROUNDS)
    return (shown if shown < 0.7 * played else played), played


def _changed(line: Course) -> int:
    """Return the first round from which a line is as good as still."""
    last, spread = line.mean[-1], line.deviation[-1]
    moving = (
        number
        for number, mean, deviation in zip(line.rounds, line.mean, line.deviation, strict=True)
        if abs(mean - last) > STILL or abs(deviation - spread) > STILL
    )
    return max(moving, default=0) + 1


def _low(curves: Sequence[Curve]) -> float:
    lows = [
        mean - deviation
        for curve in curves
        for mean, deviation in zip(curve.course.mean, curve.course.deviation, strict=True)
    ]
    return min([0.0, *lows])


def _panel(axes: Axes, title: str, curves: Sequence[Curve], last: int, *, low: float) -> None:
    axes.patch.set_visible(False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0, labelleft=True)
    axes.grid(axis="y", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.axhline(REACHED, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    for place, curve in enumerate(curves):
        _draw(axes, curve, last, width=1.6 + 1.5 * (len(curves) - 1 - place))
    axes.set_ylim(low - 0.03, 1.05)
    axes.yaxis.set_major_locator(MultipleLocator(0.2))
    axes.set_xlim(0.5, last + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, steps=[1, 2, 5, 10]))
    axes.set_xlabel("round")
    if title:
        words = (STARTS.get(word, word) for word in title.split())
        axes.set_title(",\n".join(words), loc="left", fontsize=9)


def _draw(axes: Axes, curve: Curve, last: int, *, width: float) -> None:
    """Draw a line; those drawn later are thinner, so that both are seen where they coincide."""
    line = curve.course
    marker = "o" if last <= MOST_MARKED else ""
    low = [mean - deviation for mean, deviation in zip(line.mean, line.deviation, strict=True)]
    high = [mean + deviation for mean, deviation in zip(line.mean, line.deviation, strict=True)]
    axes.fill_between(line.rounds, low, high, color=curve.colour, alpha=0.15, linewidth=0)
    axes.plot(
        line.rounds,
        line.mean,
        color=curve.colour,
        linewidth=width,
        marker=marker,
        markersize=width + 2,
        markeredgewidth=0,
    )


def _label(
    drawing: Drawing, axes: Axes, curves: Sequence[Curve], last: int, *, is_brief: bool
) -> None:
    """Write name and figures beside the end of each line, one below the other."""
    low, high = axes.get_ylim()
    height = axes.get_window_extent().height * 72 / drawing.figure.dpi
    ends = [_end(curve.course, last) for curve in curves]
    wanted = [0.0 if end is None else (end[1] - low) / (high - low) for end in ends]
    for curve, end, place in zip(curves, ends, apart(wanted, 2.9 * LABEL / height), strict=True):
        if end is not None:
            (middle,) = axes.plot(
                [end[0], last + 0.5 + 0.06 * last],
                [end[1], low + place * (high - low)],
                color=curve.colour,
                linewidth=1.1,
                clip_on=False,
                zorder=1.5,
            )
            middle.set_in_layout(False)
        head = curve.name if is_brief else f"{curve.name}: {curve.last}"
        texts = (head, curve.last if is_brief else curve.reached)
        for text, above, colour in zip(texts, ("bottom", "top"), (INK, MUTED), strict=True):
            axes.annotate(
                drawing.outside(text, limit=24 if is_brief else 52),
                (1.075, place),
                xycoords="axes fraction",
                va=above,
                fontsize=LABEL,
                color=colour,
            )


def _end(line: Course, last: int) -> tuple[float, float] | None:
    """Return the last point of a line that is shown."""
    points = zip(line.rounds, line.mean, strict=True)
    return max((point for point in points if point[0] <= last), default=None)


def apart(wanted: Sequence[float], gap: float) -> list[float]:
    """Return places in [0, 1] that are ``gap`` apart and not far from the wanted ones.

    Of equal wants the first stands highest. Where there is no room they are closer.
    """
    gap = min(gap, 1 / max(1, len(wanted) - 1))
    order = sorted(range(len(wanted)), key=lambda place: (-wanted[place], place))
    found = [0.0] * len(wanted)
    ceiling = 1.0
    for place in order:
        found[place] = min(wanted[place], ceiling)
        ceiling = found[place] - gap
    floor = 0.0
    for place in reversed(order):
        found[place] = max(found[place], floor)
        floor = found[place] + gap
    return found


def _foot(lines: Sequence[Shown], *, last: int, cut: bool) -> list[str]:
    """Return how the lines were run, and what is not shown."""
    ways: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        if line.runs:
            ways[way(line.runs)].append(line.row.name)
    if not ways:
        return []
    runs = list(ways) if len(ways) == 1 else [f"{', '.join(n)}: {how}" for how, n in ways.items()]
    band = "; band: ± one deviation over seeds" if any(len(line.runs) > 1 for line in lines) else ""
    still = f"; nothing changes after round {last}" if cut else ""
    return [*runs, f"Dashes: ARI {REACHED}{band}{still}."]
