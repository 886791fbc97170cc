"""The figures of a run, each an ``<svg>`` element for a page."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from statistics import fmean

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from secure_clove.observe.runs import AuditRow, RoundRecord
from secure_clove.observe.wording import epsilon, percent, printable, ratio, score, volume
from secure_clove.studies.svg import BLUE, GREEN, INK, MUTED, ORANGE, SERIES, VIOLET, Drawing
from secure_clove.studies.verdicts import attack_of, is_error

MOST_MARKED_ROUNDS = 40  # beyond this the dots of a line merge
MOST_LABELS = 60  # beyond this the ids of clients are tooltips only
MOST_NAMED = 7  # beyond this the clusters have no room for more than their number
LEAST_SIGNAL = 0.1  # below, the axis of signal to noise is linear, down to zero
FOUND = 0.9  # an index from which the clusters count as recovered


def ari_by_round(records: Sequence[RoundRecord]) -> str:
    """Return how well the clusters match the truth, or the last round, round by round."""
    known = [(r.round, r.ari) for r in records if r.ari is not None]
    steady = [(r.round, r.agreement) for r in records if r.agreement is not None]
    first = next((r.round for r in records if r.ari is None or r.ari >= FOUND), None)
    last = f"The last index is {known[-1][1]:.2f}." if known else "The true clusters are unknown."
    reached = f" It first reaches {FOUND} in round {first}." if first in dict(known) else ""
    with Drawing(
        "ari", title="Clusters against the truth, by round", about=last + reached
    ) as sheet:
        (axes,) = sheet.axes()
        lows = [value for _, value in [*known, *steady]]
        axes.set_ylim(min([0.0, *lows]) - 0.03, 1.05)
        axes.axhline(FOUND, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            "0.9: recovered",
            (0.995, FOUND - 0.02),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="top",
            color=MUTED,
        )
        _line(axes, steady, colour=ORANGE, label="agreement with the last round", thin=True)
        _line(axes, known, colour=BLUE, label="ARI with the truth")
        _finish(axes, records)
        return sheet.render()


def accuracy_by_round(records: Sequence[RoundRecord]) -> str:
    """Return the clients' mean accuracy as they know it and as it was released."""
    local = [(r.round, r.accuracy) for r in records if r.accuracy is not None]
    released = [(r.round, r.accuracy_released) for r in records if r.accuracy_released is not None]
    about = f"The last local mean is {percent(local[-1][1])}." if local else "Nothing was measured."
    with Drawing("accuracy", title="Mean accuracy of the clients, by round", about=about) as sheet:
        (axes,) = sheet.axes()
        _line(axes, released, colour=ORANGE, label="released, with noise", thin=True)
        _line(axes, local, colour=BLUE, label="known to the clients only")
        axes.set_ylim(0, max([1.0, *[value for _, value in released]]) * 1.03)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
        _finish(axes, records)
        return sheet.render()


def epsilon_by_round(records: Sequence[RoundRecord], *, budget: float | None = None) -> str:
    """Return the privacy spent so far, in total and by what it was spent on.

    Lines and not a stack: ε composes to less than the sum of its parts.

    Args:
        records: The rounds.
        budget: Largest ε allowed in total; None where there is no limit.
    """
    end = records[-1].epsilon_total if records else None
    of_budget = "" if budget is None else f" of a budget of {budget:g}"
    about = f"In total {epsilon(end)} is spent{of_budget}; the parts compose to less than a sum."
    with Drawing("epsilon", title="Privacy spent so far (ε), by round", about=about) as sheet:
        (axes,) = sheet.axes()
        parts = (
            ("epsilon_embedding", GREEN, "clustering"),
            ("epsilon_update", ORANGE, "model updates"),
            ("epsilon_metrics", VIOLET, "metrics"),
        )
        for field, colour, label in parts:
            _line(axes, _known(records, field), colour=colour, label=label, thin=True)
        _line(axes, _known(records, "epsilon_total"), colour=BLUE, label="in total", fill=True)
        if budget is not None:
            axes.axhline(budget, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
            axes.annotate(
                f"budget {budget:g}",
                (1, budget),
                xycoords=("axes fraction", "data"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="right",
            )
        top = max([value for _, value in _known(records, "epsilon_total")] + [budget or 0.0])
        axes.set_ylim(0, top * 1.15 or 1.0)
        _finish(axes, records)
        return sheet.render()


def signal_by_round(records: Sequence[RoundRecord]) -> str:
    """Return how far each kind of release stood out of its noise, round by round.

    The axis is logarithmic, but for its foot, so that it has a zero.
    """
    parts = (
        ("snr_embedding", GREEN, "clustering"),
        ("snr_update", ORANGE, "model updates"),
        ("snr_metrics", VIOLET, "metrics"),
    )
    found = {label: _known(records, field) for field, _, label in parts}
    last = [f"{label} {ratio(points[-1][1])}" for label, points in found.items() if points]
    about = f"At last: {', '.join(last)}." if last else "No noise of known law was released."
    with Drawing("signal", title="Signal to noise of each release", about=about) as sheet:
        (axes,) = sheet.axes()
        axes.set_yscale("symlog", linthresh=LEAST_SIGNAL, linscale=0.4)
        axes.axhline(1.0, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            "1: as strong as its noise",
            (0.995, 1.0),
            xycoords=("axes fraction", "data"),
            xytext=(0, -3),
            textcoords="offset points",
            ha="right",
            va="top",
            color=MUTED,
        )
        for _, colour, label in parts:
            _line(axes, found[label], colour=colour, label=label)
        axes.set_ylim(
            -LEAST_SIGNAL / 6, max([2.0, *(value for p in found.values() for _, value in p)]) * 2
        )
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        _finish(axes, records)
        return sheet.render()


def bytes_by_round(records: Sequence[RoundRecord]) -> str:
    """Return the traffic of all clients together, up and down."""
    total = sum(r.bytes_up + r.bytes_down for r in records)
    with Drawing(
        "bytes", title="Traffic, by round", about=f"{volume(total)} in all rounds."
    ) as sheet:
        (axes,) = sheet.axes()
        down = [(r.round, float(r.bytes_down)) for r in records]
        up = [(r.round, float(r.bytes_up)) for r in records]
        _line(axes, down, colour=ORANGE, label="coordinator to clients")
        _line(axes, up, colour=BLUE, label="clients to coordinator")
        axes.set_ylim(0, max([value for _, value in [*down, *up]] + [1.0]) * 1.1)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: volume(int(value))))
        _finish(axes, records)
        return sheet.render()


def accuracy_by_client(accuracy: Mapping[str, float], assignment: Mapping[str, int]) -> str:
    """Return a bar for every client, side by side with the others of its cluster.

    Args:
        accuracy: Held-out accuracy in [0, 1] by client.
        assignment: Model index by client; clients without one come last.
    """
    order = sorted(accuracy, key=lambda client: (assignment.get(client, 1 << 62), client))
    low, high = min(accuracy.values(), default=None), max(accuracy.values(), default=None)
    about = f"Between {percent(low)} and {percent(high)} for {len(accuracy)} clients."
    with Drawing("clients", title="Accuracy by client", about=about, height=3.0) as sheet:
        (axes,) = sheet.axes()
        groups = [(model, list(group)) for model, group in groupby(order, key=assignment.get)]
        places, labels, left = [], [], 0.0
        for model, members in groups:
            _cluster_bars(
                sheet, axes, left, model, {client: accuracy[client] for client in members}
            )
            mean, middle = fmean(map(accuracy.__getitem__, members)), left + (len(members) - 1) / 2
            _name_cluster(axes, middle, model, mean, is_crowded=len(groups) > MOST_NAMED)
            places += [left + place for place in range(len(members))]
            labels += [sheet.outside(client, limit=12) for client in members]
            left += len(members) + max(1.0, len(order) / 40)
        few = len(order) <= MOST_LABELS
        axes.set_xticks(places if few else [], labels if few else [])
        axes.tick_params(axis="x", labelrotation=90, labelsize=7.5, pad=2)
        for label in axes.get_xticklabels():
            label.set(rotation_mode="anchor", ha="right", va="center")
        axes.set_ylim(0, 1.0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
        axes.margins(x=0.01)
        return sheet.render()


def audit_bars(audit: Mapping[str, AuditRow]) -> str:
    """Return for every attack its score with and without the defence, and the bound."""
    about = "; ".join(
        f"{printable(name, limit=40)}: {score(row.with_defence)} with the defence, "
        f"{score(row.without_defence)} without"
        for name, row in audit.items()
    )
    height = 0.45 + 0.75 * max(1, len(audit))
    with Drawing("audit", title="How far attacks got", about=about, height=height) as sheet:
        panels = sheet.axes(max(1, len(audit)))
        for axes, (name, row) in zip(panels, audit.items(), strict=False):
            _audit_panel(sheet, axes, name, row)
        return sheet.render()


def _known(records: Sequence[RoundRecord], field: str) -> list[tuple[int, float]]:
    values = [(record.round, getattr(record, field)) for record in records]
    return [(place, value) for place, value in values if value is not None]


def _line(
    axes: Axes,
    points: Sequence[tuple[int, float]],
    *,
    colour: str,
    label: str,
    thin: bool = False,
    fill: bool = False,
) -> None:
    if not points:
        return
    x, y = zip(*points, strict=True)
    marker = "o" if len(points) <= MOST_MARKED_ROUNDS else ""
    size, width = (2.5, 1.3) if thin else (4, 2)
    axes.plot(x, y, color=colour, label=label, linewidth=width, marker=marker, markersize=size)
    if fill:
        axes.fill_between(x, y, color=colour, alpha=0.12, linewidth=0)


def _finish(axes: Axes, records: Sequence[RoundRecord]) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10, steps=[1, 2, 5, 10]))
    axes.set_xlabel("round")
    if records:
        axes.set_xlim(records[0].round - 0.5, records[-1].round + 0.5)
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            handles[::-1],
            labels[::-1],
            loc="lower left",
            bbox_to_anchor=(-0.02, 1.0),
            ncols=4,
            fontsize=9,
            frameon=False,
            handlelength=1.4,
            columnspacing=1.2,
        )


def _cluster_bars(
    sheet: Drawing, axes: Axes, left: float, model: int | None, accuracy: Mapping[str, float]
) -> None:
    colour = MUTED if model is None else SERIES[model % len(SERIES)]
    word = "no model" if model is None else f"model {model}"
    bars = axes.bar(left + np.arange(len(accuracy)), list(accuracy.values()), 0.78, color=colour)
    for bar, (client, value) in zip(bars, accuracy.items(), strict=True):
        sheet.tip(bar, f"{client}: {percent(value)}, {word}")


def _name_cluster(
    axes: Axes, middle: float, model: int | None, mean: float, *, is_crowded: bool
) -> None:
    name = "none" if model is None else str(model)
    text = name if is_crowded else f"model {name}\n{percent(mean)}"
    place = (middle, 1.0)
    frame = ("data", "axes fraction")
    axes.annotate(text, place, xycoords=frame, ha="center", va="bottom", fontsize=8.5)


def _audit_panel(sheet: Drawing, axes: Axes, name: str, row: AuditRow) -> None:
    lines = (
        ("without", row.without_defence, row.interval_without, MUTED),
        ("with", row.with_defence, row.interval_with, BLUE),
    )
    for place, (word, value, interval, colour) in zip((1, 0), lines, strict=True):
        bar = axes.barh(place, value, 0.6, color=colour)[0]
        sheet.tip(bar, f"{name}, {word} the defence: {row.metric} {score(value)}")
        if interval is not None:
            axes.plot(interval, [place] * 2, color=INK, linewidth=1.4)
        axes.annotate(
            score(value), (1.09, place), xycoords=("axes fraction", "data"), va="center", ha="right"
        )
    title = f"{attack_of(name).title} ({row.metric})"
    axes.set_title(sheet.outside(title, limit=60), loc="left", fontsize=9)
    if row.bound is not None:
        axes.axvline(row.bound, color=INK, linewidth=1.4, linestyle=(0, (3, 2)))
        sign = "≥" if is_error(row.metric) else "≤"
        limit = f"limit {sign} {score(row.bound)}"
        axes.annotate(
            limit,
            (1.09, 1),
            (0, 6),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="right",
            color=MUTED,
        )
    axes.set_yticks([1, 0], ["without", "with"])
    values = [row.with_defence, row.without_defence, row.bound or 0.0]
    axes.set_xlim(min([0.0, *values]), max([1.0, *values]))
    axes.grid(False)
    axes.set_xticks([])
