"""The trade-off as tables: what was spent, what was found, and what lies on the front."""

from collections.abc import Sequence

from secure_clove.studies.play.result import Result
from secure_clove.studies.tradeoff.measured import (
    Estimate,
    Measured,
    beside,
    front,
    gain,
    measured,
)
from secure_clove.studies.tradeoff.plans import PLANS
from secure_clove.studies.tradeoff.point import DELTA, Point

HEADS = (
    "data",
    "algorithm",
    "sees",
    "embedding",
    "clustering ε",
    "total ε",
    "noise",
    "ARI 1",
    "ARI end",
    "acc. %",
    "gain",
    "runs",
    "front",
)
NOTES = (
    f"δ = {DELTA:g}; ε per example and client, over all rounds. ± is half of Student's 95 % "
    "interval over seeds; runs are seeds x rounds. ARI 1: after the first round. Sees: what the "
    "coordinator sees of the loss vectors. Gain: accuracy in percentage points, seed by "
    "seed, above federated averaging of the same budget or, where training is not private, above "
    "the same clustering on raw losses. Front: no other point of these data costs no more and "
    "gives no less."
)
TITLES = {
    "clustering": "How little the clustering may cost",
    "accuracy": "What the noise of the clustering costs in accuracy",
    "training": "What clustering and training cost together",
    "r-dpcfl": "R-DPCFL's grid",
}


def tradeoff_table(points: Sequence[Point], results: Sequence[Result]) -> list[tuple[str, ...]]:
    """Return the titles of the columns, and a row for each of the points that was played.

    Columns in which no row says anything are left out.
    """
    found = measured(points, results)
    best = front(found)
    rows = [_row(one, beside(one, found), is_best=one in best) for one in found]
    told = [place for place in range(len(HEADS)) if any(row[place] for row in rows)]
    return [tuple(row[place] for place in told) for row in (HEADS, *rows)]


def tradeoff_page(results: Sequence[Result]) -> str:
    """Return the tables of all plans as Markdown."""
    parts = []
    for name, plan in PLANS.items():
        heads, *rows = tradeoff_table(plan(), results)
        lines = [heads, ("---",) * len(heads), *rows]
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        parts += [f"**{TITLES[name]}** (`--plan {name}`)", table if rows else "Not run yet."]
    return "\n\n".join([*parts, NOTES])


def _row(one: Measured, other: Measured | None, *, is_best: bool) -> tuple[str, ...]:
    point = one.point
    clusters, apart = point.clusterings > 0, gain(one, other) if other else None
    spent = "raw" if point.epsilon is None else f"{point.epsilon:g} in {point.clusterings}"
    return (
        f"{point.base.dataset} {point.base.kind}",
        point.base.algorithm,
        point.visibility if clusters else "",
        point.embedding.value if clusters and point.epsilon else "",
        spent if clusters else "",
        f"{point.training.epsilon:g}" if point.training else "",
        point.training.mode if point.training else "",
        _number(one.first_index, 2) if clusters else "",
        _number(one.index, 2) if clusters else "",
        _number(one.accuracy, 1, scale=100),
        _number(apart, 1, scale=100, sign="+"),
        f"{len(one.runs)} x {point.rounds}",
        "*" if is_best else "",
    )


def _number(found: Estimate | None, digits: int, *, scale: float = 1.0, sign: str = "") -> str:
    if found is None:
        return ""
    half = f" ± {scale * found.half:.{digits}f}" if found.half else ""
    return f"{scale * found.mean:{sign}z.{digits}f}{half}"
