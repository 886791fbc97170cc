"""The named studies of the trade-off: which points each of them visits.

Source: privacy.md, "What to beat"; clients and examples of clove.txt, Table 6.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from secure_clove.clustering.embedding import Embedding
from secure_clove.engine.terms import NoiseMode
from secure_clove.errors import ConfigError
from secure_clove.studies.paper.settings import MODELS, supervised
from secure_clove.studies.play.cell import Setting
from secure_clove.studies.tradeoff.point import Point, Training, Visibility

IMAGES = ("mnist", "fashion-mnist")
KINDS = ("label-skew-1", "label-skew-2", "feature-skew", "concept-shift", "label-skew-3")

AT_ONCE = ("label-skew-1", "label-skew-2", "label-skew-3")
"""Kinds that untrained models tell apart: one clustering in the first round is enough."""

LAST = 3
"""Round by which the others are clustered, whose models have to be trained before they differ."""

PROBES = 10
"""Untrained models beside the K where clusters are to be found at once (ADR 0009)."""

EPSILONS = (0.05, 0.1, 0.25, 1.0)
VISIBILITIES: tuple[Visibility, ...] = ("noised", "sealed")
LONG = 30
"""Rounds after which accuracy is compared."""

TOTALS = {1.0: 40, 2.0: 40, 8.0: 60}
"""Rounds by the ε of clustering and training together: a larger budget affords more steps."""

CLUSTERING_SHARE = 0.1
"""ε of the one clustering among them."""

MODES: tuple[NoiseMode, ...] = ("distributed", "local")

RIVALS = (3.0, 4.0, 5.0, 10.0, 15.0)
"""Budgets of R-DPCFL's experiments."""

RIVAL_ROUNDS, RIVAL_RATE = 200, 0.1

OUR_SHARE = 0.25
"""ε of our clusterings under those budgets."""


def clustering() -> tuple[Point, ...]:
    """How little the clustering may cost: ε, embedding and visibility by kind of skew."""
    points = []
    for dataset in IMAGES:
        for kind in KINDS:
            plain = [_clustered(dataset, kind, epsilon) for epsilon in EPSILONS]
            others = [
                replace(_seen(point, visibility), embedding=embedding)
                for point in plain
                for embedding in (Embedding.DIRECTIONAL, Embedding.RELATIVE, Embedding.CLIPPED)
                for visibility in VISIBILITIES
            ]
            points += [*plain, *(point for point in others if point not in plain)]
    return tuple(points)


def accuracy() -> tuple[Point, ...]:
    """What the noise of the clustering costs in accuracy, training without noise."""
    points = []
    for dataset in IMAGES:
        for kind in KINDS:
            noised = replace(_clustered(dataset, kind, _asked(kind)), rounds=LONG)
            raw = replace(noised, epsilon=None, clusterings=LONG - noised.is_drawn, probes=0)
            points += [raw, noised]
    return tuple(points)


def training() -> tuple[Point, ...]:
    """What clustering and training cost together: noise mode and algorithm by ε in total."""
    points = []
    for epsilon, rounds in TOTALS.items():
        for mode in MODES:
            spent = Training(epsilon=epsilon, mode=mode)
            clove = Point(
                base=supervised("mnist", "label-skew-1", "clove"),
                rounds=rounds,
                epsilon=CLUSTERING_SHARE,
                clusterings=1,
                probes=PROBES,
                training=spent,
            )
            base = supervised("mnist", "label-skew-1", "fedavg")
            fedavg = Point(base=base, rounds=rounds, epsilon=None, training=spent)
            points += [clove, _seen(clove, "sealed"), fedavg]
    return tuple(points)


def rivals() -> tuple[Point, ...]:
    """R-DPCFL's grid: 21 clients in 4 clusters by rotation, of which one is a minority of 3."""
    points = []
    for dataset in (*IMAGES, "cifar10"):
        for epsilon in RIVALS:
            for mode in MODES:
                spent = Training(epsilon=epsilon, mode=mode, rate=RIVAL_RATE)
                clove = Point(
                    base=_rotated(dataset, "clove"),
                    rounds=RIVAL_ROUNDS,
                    epsilon=OUR_SHARE,
                    clusterings=LAST - 1,
                    is_drawn=True,
                    training=spent,
                )
                base = _rotated(dataset, "fedavg")
                fedavg = Point(base=base, rounds=RIVAL_ROUNDS, epsilon=None, training=spent)
                points += [clove, fedavg]
    return tuple(points)


PLANS: Mapping[str, Callable[[], tuple[Point, ...]]] = {
    "clustering": clustering,
    "accuracy": accuracy,
    "training": training,
    "r-dpcfl": rivals,
}


def chosen(plan: str, **asked: Collection[object]) -> tuple[Point, ...]:
    """Return the points of a plan that have one of the values asked for on every axis.

    Args:
        plan: A name of `PLANS`.
        asked: Values by axis: a name of `axes`; no values keep every point.

    Raises:
        ConfigError: there is no such plan, or no such point.
    """
    if plan not in PLANS:
        raise ConfigError(f"no plan '{plan}'; choose one of {', '.join(PLANS)}")
    points = PLANS[plan]()
    found = tuple(
        point
        for point in points
        if all(not values or axes(point)[axis] in values for axis, values in asked.items())
    )
    if not found:
        known = {axis: dict.fromkeys(str(axes(point)[axis]) for point in points) for axis in asked}
        said = "; ".join(f"{axis}: {', '.join(values)}" for axis, values in known.items())
        raise ConfigError(f"the plan '{plan}' has no such point; it has {said}")
    return found


def axes(point: Point) -> Mapping[str, object]:
    """Return where a point lies on every axis of the grid."""
    return {
        "dataset": point.base.dataset,
        "kind": point.base.kind,
        "algorithm": point.base.algorithm,
        "epsilon": point.training.epsilon if point.training else point.epsilon,
        "embedding": point.embedding.value,
        "visibility": point.visibility,
        "noise": point.training.mode if point.training else "none",
    }


def _clustered(dataset: str, kind: str, epsilon: float) -> Point:
    at_once = kind in AT_ONCE
    return Point(
        base=supervised(dataset, kind, "clove"),
        rounds=LAST,
        epsilon=epsilon,
        clusterings=1 if at_once else LAST - 1,
        is_drawn=not at_once,
        probes=PROBES if at_once else 0,
    )


def _seen(point: Point, visibility: Visibility) -> Point:
    """Return a point of another visibility; sealed clusterings begin in round 1."""
    if visibility == "noised":
        return point
    count = point.clusterings + point.is_drawn
    return replace(point, visibility=visibility, clusterings=count, is_drawn=False)


def _asked(kind: str) -> float:
    """Return the ε at which the clusters of a kind are to be found."""
    return 1.0 if kind == "label-skew-3" else 0.25


def _rotated(dataset: str, algorithm: str) -> Setting:
    models = {**MODELS, "cifar10": "deep-cnn-groupnorm"}
    return Setting(
        dataset=dataset,
        kind="feature-skew",
        algorithm=algorithm,
        model=models[dataset],
        clients=21,
        clusters=4,
        minority=3,
        examples=2000,
        test_examples=400,
    )
