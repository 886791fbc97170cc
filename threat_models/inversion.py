"""Inversion of a sketch: vectors that have the published features and moments.

In the directions of the frequencies a set of vectors is fitted to features, mean and covariance,
from starts around the published centroids. In the other directions only moments are published, and
what they tell is the regression on the first ones. Fits differ, so the guess is their mean after
matching them one to one.

Source: audit.md, A10; protocol.md, "Why not Lloyd iterations under the mask".
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment, minimize

from secure_clove.clustering.sketch import Moments
from secure_clove.foundation.seeds import Rng
from secure_clove.foundation.trees import Vector

FITS = 8
"""Starts of the fit; all of them count."""

STEPS = 300
"""Most iterations of one fit."""

Rows = NDArray[np.float64]
"""(M, D): one vector a client, in any order."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Published:
    """What a coordinator holds of one clustering, beside the number of clients.

    Attributes:
        features: (2 m,) their mean over the cohort: cosines, then sines.
        frequencies: (m, D).
        moments: Of the vectors.
        axes: (r, D) orthonormal directions of the frequencies.
        scale: Unit of coordinates along them.
        centroids: (M, D) the decoded centroids, each as often as its cluster has clients.
        spread: Standard deviation of a coordinate around a centroid, as decoded.
    """

    features: Vector = field(repr=False)
    frequencies: NDArray[np.float64] = field(repr=False)
    moments: Moments
    axes: NDArray[np.float64] = field(repr=False)
    scale: float
    centroids: Rows = field(repr=False)
    spread: float

    def along(self, rows: Rows) -> Rows:
        """Return coordinates (M, r) along the axes, around the mean, in units of the scale."""
        found: Rows = (rows - self.moments.mean) @ self.axes.T / self.scale
        return found


def matched(rows: Rows, others: Rows) -> Rows:
    """Return ``rows`` in the order that brings them closest to ``others``, one to one."""
    costs = ((rows[:, None, :] - others[None, :, :]) ** 2).sum(axis=2)
    mine, theirs = linear_sum_assignment(costs)
    ordered: Rows = rows[mine[np.argsort(theirs)]]
    return ordered


def distance(rows: Rows, others: Rows) -> float:
    """Return the root mean square distance of ``rows`` to ``others``, matched one to one."""
    return float(np.sqrt(((matched(rows, others) - others) ** 2).sum(axis=1).mean()))


def guess(published: Published, rng: Rng) -> Rows:
    """Return the guessed vectors (M, D)."""
    fits = sorted((_fit(published, rng) for _ in range(FITS)), key=lambda fit: fit[1])
    best = fits[0][0]
    along: Rows = np.mean([matched(fit, best) for fit, _ in fits], axis=0)
    moments, axes = published.moments, published.axes
    within = axes @ moments.covariance @ axes.T
    weights = np.linalg.pinv(within, rcond=1e-9) @ axes @ moments.covariance
    found: Rows = moments.mean + published.scale * along @ weights
    return found


def _fit(published: Published, rng: Rng) -> tuple[Rows, float]:
    """Return coordinates along the axes that fit what was published, and how badly they do."""
    start = published.along(published.centroids)
    start = start + rng.normal(0.0, published.spread / published.scale, start.shape)
    problem = _Problem.of(published)
    found = minimize(
        problem.misfit,
        start.ravel(),
        args=(start.shape,),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": STEPS, "ftol": 1e-14, "gtol": 1e-9},
    )
    return np.asarray(found.x).reshape(start.shape), float(found.fun)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Problem:
    """The fit in coordinates along the axes.

    Attributes:
        frequencies: (m, r).
        cosines: (m,) of the mean features, turned so that the mean vector is the origin.
        sines: (m,).
        second: (r, r) second moments.
    """

    frequencies: NDArray[np.float64]
    cosines: Vector
    sines: Vector
    second: NDArray[np.float64]

    @classmethod
    def of(cls, published: Published) -> "_Problem":
        cosines, sines = np.split(published.features, 2)
        turned = (cosines + 1j * sines) * np.exp(
            -1j * (published.frequencies @ published.moments.mean)
        )
        axes, scale = published.axes, published.scale
        return cls(
            frequencies=published.frequencies @ axes.T * scale,
            cosines=turned.real,
            sines=turned.imag,
            second=axes @ published.moments.covariance @ axes.T / scale**2,
        )

    def misfit(self, packed: Vector, shape: tuple[int, int]) -> tuple[float, Vector]:
        """Return the squared distance from features and moments, and its gradient."""
        rows, count = packed.reshape(shape), shape[0]
        phases = rows @ self.frequencies.T
        cosines, sines = np.cos(phases), np.sin(phases)
        off_cosines, off_sines = (
            cosines.mean(axis=0) - self.cosines,
            sines.mean(axis=0) - self.sines,
        )
        mean, second = rows.mean(axis=0), rows.T @ rows / count - self.second
        misfit = (off_cosines**2).sum() + (off_sines**2).sum() + mean @ mean + (second**2).sum()
        pull = (cosines * off_sines - sines * off_cosines) @ self.frequencies
        gradient = 2 / count * (pull + mean + 2 * rows @ second)
        return float(misfit), gradient.ravel()
