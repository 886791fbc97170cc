"""The trade-off as a figure: what is found, or how accurate it is, against epsilon."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import ceil, isfinite

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from secure_clove.studies.play.result import Result
from secure_clove.studies.svg import MUTED, SERIES, Drawing, standalone
from secure_clove.studies.tradeoff.gains import draw_gains
from secure_clove.studies.tradeoff.measured import Estimate, Measured, measured
from secure_clove.studies.tradeoff.page import TITLES
from secure_clove.studies.tradeoff.plans import OUR_SHARE
from secure_clove.studies.tradeoff.point import DELTA, Point

MARGINS = (0.012, 0.01, 0.976, 0.98)  # left, bottom, width and height, as shares
WIDE, HIGH = 7.2, 2.2  # inches, of the figure and of a row of panels
FOUND = 0.95
"""Index from which clusters count as found. Source: privacy.md, "What to beat"."""

RIVAL_SHARES = (0.88, 4.83)
"""ε that R-DPCFL spends on its clustering. Source: privacy.md, "The loss embedding"."""

LABEL = 8.0  # size of type, in points
ASIDE = 1.045
"""Factor of ε by which a point stands beside that of the way before it, where both have one ε."""

Line = tuple[str, list[Measured]]


def draw(plan: str, points: Sequence[Point], results: Sequence[Result]) -> str:
    """Return a plan's figure as an SVG document that stands alone, on a light ground.

    A panel for each data set and kind, and in it a line for each way to spend: the adjusted Rand
    index after the last round where only embeddings are noised, else the accuracy. The plan
    `accuracy` spends each budget once, so it has a dot for each kind instead (`draw_gains`).
    """
    if plan == "accuracy":
        return draw_gains(TITLES[plan], points, results)
    panels = _panels(measured(points, results))
    rows, title = max(1, ceil(len(panels) / 2)), TITLES[plan]
    about = "; ".join(f"{name}: {_told(lines)}" for name, lines in panels.items())
    with Drawing(f"tradeoff-{plan}", title=title, about=about or "Nothing was run.") as drawing:
        figure = drawing.figure
        figure.set_layout_engine("constrained", rect=MARGINS, h_pad=0.06)
        figure.set_size_inches(WIDE, 1.2 + HIGH * rows)
        figure.suptitle(title, x=0.02, ha="left", fontsize=11)
        grid = figure.subplots(rows, min(2, max(1, len(panels))), squeeze=False)
        colours = _colours(panels.values())
        for axes, (name, lines) in zip(grid.flat, panels.items(), strict=False):
            _panel(axes, name, lines, colours)
            if plan == "r-dpcfl":
                _rival(axes)
        for spare in list(grid.flat)[len(panels) :]:
            spare.set_visible(False)
        if panels:
            handles = {
                h.get_label(): h for a in grid.flat for h in a.get_legend_handles_labels()[0]
            }
            legend = figure.legend(
                title=_foot(plan),
                title_fontsize=LABEL,
                alignment="left",
                handles=list(handles.values()),
                loc="outside lower left",
                ncols=2,
                fontsize=LABEL,
                frameon=False,
            )
            legend.get_title().set_color(MUTED)
        return standalone(drawing.render())


def _panels(found: Sequence[Measured]) -> dict[str, list[Line]]:
    panels: dict[str, dict[str, list[Measured]]] = defaultdict(lambda: defaultdict(list))
    for one in found:
        if isfinite(one.epsilon):
            base = one.point.base
            panels[f"{base.dataset}, {base.kind}"][_way(one.point)].append(one)
    return {
        name: [(way, sorted(line, key=lambda one: one.epsilon)) for way, line in lines.items()]
        for name, lines in panels.items()
    }


def _way(point: Point) -> str:
    """Return how a point spends: all but how much."""
    spent = (point.embedding.value, point.visibility) if point.clusterings else ()
    mode = f"{point.training.mode} noise" if point.training else ""
    name = point.base.algorithm if point.training else ""
    return ", ".join(filter(None, (name, *spent, mode)))


def _value(one: Measured) -> Estimate | None:
    return one.accuracy if one.point.training else one.index


def _colours(panels: Iterable[list[Line]]) -> dict[str, str]:
    ways = dict.fromkeys(way for lines in panels for way, _ in lines)
    return {way: SERIES[place % len(SERIES)] for place, way in enumerate(ways)}


def _panel(axes: Axes, name: str, lines: Sequence[Line], colours: dict[str, str]) -> None:
    axes.patch.set_visible(False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0)
    axes.grid(axis="y", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_xscale("log")
    axes.set_title(name, loc="left", fontsize=9)
    axes.set_xlabel("ε")
    ways = list(colours)
    for way, line in lines:
        aside = ASIDE ** ways.index(way)
        known = [(one.epsilon, found) for one in line if (found := _value(one)) is not None]
        axes.errorbar(
            [aside * epsilon for epsilon, _ in known],
            [found.mean for _, found in known],
            yerr=[found.half for _, found in known],
            color=colours[way],
            marker="o",
            markersize=3.5,
            linewidth=1.4,
            capsize=2.5,
            label=way,
        )
    ticks = sorted({one.epsilon for _, line in lines for one in line})
    axes.set_xlim(ticks[0] / 1.35, ticks[-1] * 1.35)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    is_trained = lines[0][1][0].point.training is not None
    axes.set_ylabel("accuracy" if is_trained else "ARI at the end")
    if not is_trained:
        axes.set_ylim(-0.08, 1.08)
        axes.axhline(FOUND, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)


def _rival(axes: Axes) -> None:
    """Show what R-DPCFL spends on its clustering, on the axis of what is spent in all."""
    axes.set_xlim(left=0.2)
    axes.axvspan(*RIVAL_SHARES, color=MUTED, alpha=0.12, linewidth=0)
    axes.axvline(OUR_SHARE, color=SERIES[0], linewidth=1, linestyle=(0, (4, 3)))


def _told(lines: Sequence[Line]) -> str:
    return ", ".join(
        f"{way} {found.mean:.2f} at {one.epsilon:g}"
        for way, line in lines
        for one in line
        if (found := _value(one)) is not None
    )


def _foot(plan: str) -> str:
    shares = "ε {:g} to {:g}; dashes: ours, {:g}".format(*RIVAL_SHARES, OUR_SHARE)
    own = {
        "clustering": f" Dashes: ARI {FOUND}.",
        "r-dpcfl": f"\nGrey: clustering of R-DPCFL, {shares}.",
    }
    bars = "Bars: Student's 95 % interval over seeds; equal ε stand side by side."
    return f"δ = {DELTA:g}. {bars}{own.get(plan, '')}"
