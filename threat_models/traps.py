"""Trap models: linear classifiers whose loss is high on one example and the same on all others.

One class, which the client does not hold, gets the score h + s w.(x - target): h at the target,
deep below zero everywhere else, if the direction w separates the target from all others. Deep below
zero the class does not count and every example has the loss of a uniform guess, on every trap. So
the heights h alone decide the direction in which the target's loss row points, and nobody else's
row points anywhere. The weights are made from the target and from public examples of the same
kind; nothing about the client's other examples is needed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from secure_clove.data.federation import ClientData, Features
from secure_clove.foundation.seeds import stream
from secure_clove.foundation.trees import Vector

LOUD, SILENT = 20.0, -60.0
"""Scores of the trap class at the target: its loss is about 20 nats, or that of a uniform guess."""

SHRINKAGE = 0.05
"""Added to the public covariance, relative to its mean variance, so that it can be inverted."""

Heights = NDArray[np.float64]
"""(T, K): the trap class's score at the target, for every release and model."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Direction:
    """Where in feature space the target stands out.

    Attributes:
        normal: (features,) the weights w, scaled so that the public example nearest to the target
            lies 1 below it.
        gap: How far the target stood out before scaling; negative: it does not.
    """

    normal: Vector = field(repr=False)
    gap: float


def direction(target: Features, public: Features) -> Direction:
    """Return the direction in which ``target`` stands out most from ``public``.

    Args:
        target: (features,).
        public: (examples, features) of the same kind, without the client's.

    Source: Fisher's linear discriminant with one example on one side.
    """
    x = public.reshape(len(public), -1).astype(np.float64)
    point = target.ravel().astype(np.float64)
    covariance = np.cov(x.T)
    ridge = SHRINKAGE * np.trace(covariance) / len(covariance)
    normal = np.linalg.solve(covariance + ridge * np.eye(len(covariance)), point - x.mean(axis=0))
    normal /= np.linalg.norm(normal)
    gap = float(normal @ point - (x @ normal).max())
    return Direction(normal=normal / max(abs(gap), 1e-9), gap=gap)


def trap_class(data: ClientData, target: int, classes: int) -> int:
    """Return a class other than the target's that the client holds least often.

    Cluster visibility shows a coordinator the clients' classes under label skew; where a client
    holds every class, its examples of this one trip the trap too.
    """
    counts = np.bincount(data.train_y, minlength=classes).astype(np.float64)
    counts[data.train_y[target]] = np.inf
    return int(counts.argmin())


def models(
    heights: Heights, target: Features, where: Direction, *, trap: int, classes: int
) -> Vector:
    """Return the trap models of every release, shape (T, K, d), laid out as `linear`'s.

    Args:
        heights: (T, K).
        target: (features,).
        where: The direction that separates the target.
        trap: The class that is raised at the target.
        classes: Count of classes.
    """
    slope = (heights.max() - SILENT) * where.normal  # silent at the nearest public example
    point = target.ravel().astype(np.float64)
    weights = np.zeros((classes, len(slope)))
    weights[trap] = slope
    made = np.empty((*heights.shape, weights.size + classes))
    for place in np.ndindex(heights.shape):
        bias = np.zeros(classes)
        bias[trap] = heights[place] - slope @ point
        made[place] = np.concatenate([weights.ravel(), bias])
    return made


# ---- patterns of heights


def spike(releases: int, count: int) -> Heights:
    """Loud on the first model alone; every second release the other way round."""
    loud = np.zeros((releases, count), dtype=bool)
    loud[:, 0] = True
    loud[1::2] = ~loud[1::2]
    return np.where(loud, LOUD, SILENT)


def alternating(releases: int, count: int) -> Heights:
    """Loud on every second model, and on the others in the next release."""
    odd = np.add.outer(np.arange(releases), np.arange(count)) % 2
    return np.where(odd == 0, LOUD, SILENT)


def scattered(releases: int, count: int) -> Heights:
    """Loud by a random amount on every model, drawn anew for every release."""
    return stream(0, "trap", "scattered").uniform(0.0, LOUD, (releases, count))


PATTERNS: Mapping[str, Callable[[int, int], Heights]] = {
    "spike": spike,
    "alternating": alternating,
    "scattered": scattered,
}
