"""The study's runs as a table: what sealing costs, in clusters found and in accuracy."""

from collections.abc import Iterable, Sequence
from statistics import fmean, stdev

from secure_clove.studies.play.result import Result
from secure_clove.studies.sealed.pairs import CLEAR, UNKNOWN, Pair, pairs

HEADS = (
    "setting",
    "coordinator sees",
    "ARI round 1",
    "ARI from 2",
    "worst",
    "accuracy %",
    "change",
    "runs",
)
NOTES = (
    "ARI from 2: over all rounds from the second on. Worst: in the round in which it is worst, the "
    "mean over seeds of the sealed runs less that of the clear ones. Change: of the accuracy, in "
    "percentage points, mean over seeds. Noise: multiplier of an embedding. K: models in use at "
    "the end, where their number is to be found."
)
SEES = {CLEAR: "every vector", "sealed": "sums"}


def sealed_rows(results: Sequence[Result], wanted: Sequence[Pair]) -> list[tuple[str, ...]]:
    """Return a row for each way of each pair that was run.

    A difference is the sealed run's figure less that of the clear run of the same seed and rounds;
    of the index it is the mean over seeds in the round in which it is worst.
    """
    rows = []
    for pair in wanted:
        clear = _runs(results, pair, CLEAR)
        for way in pair.ways:
            runs = _runs(results, pair, way)
            if runs:
                rows.append(_row(pair, way, runs, clear))
    return rows


def sealed_page(results: Sequence[Result]) -> str:
    """Return the table as Markdown."""
    found = sealed_rows(results, pairs())
    if not found:
        return "Not run yet."
    lines = [HEADS, ("---",) * len(HEADS), *found]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{table}\n\n{NOTES}"


def _runs(results: Iterable[Result], pair: Pair, way: str) -> dict[tuple[int, int], Result]:
    if way not in pair.ways:
        return {}
    return {
        (result.cell.seed, result.cell.rounds): result
        for result in results
        if result.cell.setting.name == pair.ways[way].name and result.reason is None
    }


def _row(
    pair: Pair,
    way: str,
    runs: dict[tuple[int, int], Result],
    clear: dict[tuple[int, int], Result],
) -> tuple[str, ...]:
    both = sorted(runs.keys() & clear.keys()) if way != CLEAR else []
    rounds = sorted({rounds for _, rounds in runs})
    shown = SEES.get(way, way.replace("sealed", "sums"))
    first = [curve[0] for curve in _curves(runs.values())]
    later = [value for curve in _curves(runs.values()) for value in curve[1:]]
    models = sorted({str(run.models) for run in runs.values()}) if pair.kind == UNKNOWN else []
    found = f", K {'/'.join(models)}" if models else ""
    return (
        f"{pair.dataset} {pair.kind}, noise {pair.ways[way].noise:g}",
        f"{shown}{found}",
        _mean(first),
        _mean(later),
        _worst([runs[key] for key in both], [clear[key] for key in both]),
        _mean([100 * run.accuracy for run in runs.values() if run.accuracy], digits=1),
        _apart([runs[key] for key in both], [clear[key] for key in both]),
        f"{len(runs)} x {'/'.join(map(str, rounds))} rounds",
    )


def _curves(runs: Iterable[Result]) -> list[list[float]]:
    return [[0.0 if value is None else value for value in run.curve] for run in runs]


def _mean(values: Sequence[float], *, digits: int = 2) -> str:
    if not values:
        return ""
    spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{fmean(values):.{digits}f}{spread}"


def _worst(sealed: Sequence[Result], clear: Sequence[Result]) -> str:
    columns = zip(
        zip(*_curves(sealed), strict=True), zip(*_curves(clear), strict=True), strict=True
    )
    apart = [fmean(ours) - fmean(theirs) for ours, theirs in columns][1:]
    return f"{min(apart):+z.2f}" if apart else ""


def _apart(sealed: Sequence[Result], clear: Sequence[Result]) -> str:
    pairs = [(a.accuracy, b.accuracy) for a, b in zip(sealed, clear, strict=True)]
    apart = [100 * (a - b) for a, b in pairs if a is not None and b is not None]
    return f"{fmean(apart):+z.1f}" if apart else ""
