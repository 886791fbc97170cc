"""What the noise of the clustering costs in accuracy, as a figure: a dot for each kind of skew."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from secure_clove.studies.play.result import Result
from secure_clove.studies.svg import BLUE, MUTED, Drawing, standalone
from secure_clove.studies.tradeoff.measured import CONFIDENCE, Estimate, beside, gain, measured
from secure_clove.studies.tradeoff.point import Point

WIDE, HIGH, HEAD = 7.2, 1.9, 0.8  # inches: of the figure, of a panel, of its title
ALLOWED = -0.3
"""Points of accuracy that the noise may take. Source: privacy.md, "What to beat"."""


def draw_gains(title: str, points: Sequence[Point], results: Sequence[Result]) -> str:
    """Return an SVG document with a panel for each data set: accuracy above that on raw losses."""
    panels = _panels(points, results)
    about = "; ".join(
        f"{dataset}: " + ", ".join(f"{kind} {100 * found.mean:+z.2f}" for kind, found in kinds)
        for dataset, kinds in panels.items()
    )
    with Drawing("tradeoff-accuracy", title=title, about=about or "Nothing was run.") as drawing:
        drawing.figure.set_size_inches(WIDE, HEAD + HIGH * max(1, len(panels)))
        drawing.figure.suptitle(title, x=0.02, ha="left", fontsize=11)
        every = drawing.axes(max(1, len(panels)))
        for axes in every[1:]:
            axes.sharex(every[0])
        for axes, (dataset, kinds) in zip(every, panels.items(), strict=False):
            _panel(axes, dataset, kinds)
        every[-1].set_xlabel(
            "accuracy in points above the same clustering on raw losses\n"
            f"bars: Student's {100 * CONFIDENCE:g} % interval over seeds; "
            f"dashes: {-ALLOWED:g} points lost"
        )
        return standalone(drawing.render())


def _panels(
    points: Sequence[Point], results: Sequence[Result]
) -> Mapping[str, list[tuple[str, Estimate]]]:
    everything = measured(points, results)
    panels: dict[str, list[tuple[str, Estimate]]] = {}
    for one in everything:
        raw = beside(one, everything) if one.point.epsilon is not None else None
        found = gain(one, raw) if raw else None
        if found is not None:
            base, epsilon = one.point.base, one.point.epsilon
            panels.setdefault(base.dataset, []).append((f"{base.kind}, ε {epsilon:g}", found))
    return panels


def _panel(axes: Axes, dataset: str, kinds: Sequence[tuple[str, Estimate]]) -> None:
    places = range(len(kinds))
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", linewidth=0.7)
    axes.set_title(dataset, loc="left", fontsize=9)
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.axvline(ALLOWED, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.errorbar(
        [100 * found.mean for _, found in kinds],
        places,
        xerr=[100 * found.half for _, found in kinds],
        color=BLUE,
        marker="o",
        markersize=4,
        linestyle="none",
        capsize=2.5,
    )
    axes.set_yticks(places, [kind for kind, _ in kinds])
    axes.set_ylim(len(kinds) - 0.5, -0.5)
