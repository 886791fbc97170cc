"""Inversion of a sketch: vectors that have the published features and moments.

In the directions of the frequencies a set of vectors is fitted to features, mean and covariance,
from starts around the published centroids. In the other directions only moments are published, and
what they tell is the regression on the first ones. Many sets may fit; the guess is the mean of
those found, after matching them one to one.

Source: audit.md, A10; protocol.md, "Why not Lloyd iterations under the mask".
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, linear_sum_assignment

from secure_clove.clustering.sketch import Moments, features
from secure_clove.foundation.seeds import Rng
from secure_clove.foundation.trees import Vector

FITS = 10
"""Starts of the fit."""

STEPS = 60
"""Most iterations of one fit."""

LEAST_SPREAD = 0.2
"""Least spread of the starts around a centroid, in units of the scale: equal points never part."""

CLOSE = 1e-9
"""Squared misfit below which a fit is as good as any: the grid of the sums allows no better."""

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
    best, misfit = fits[0]
    good = [matched(rows, best) for rows, off in fits if off <= max(2 * misfit, CLOSE)]
    moments, axes = published.moments, published.axes
    within = axes @ moments.covariance @ axes.T
    weights = np.linalg.pinv(within, rcond=1e-9) @ axes @ moments.covariance
    found: Rows = moments.mean + published.scale * np.mean(good, axis=0) @ weights
    return found


def _fit(published: Published, rng: Rng) -> tuple[Rows, float]:
    """Return coordinates along the axes that fit what was published, and how badly they do."""
    start = published.along(published.centroids)
    spread = max(published.spread / published.scale, LEAST_SPREAD)
    problem = Problem.of(published, len(start))
    found = least_squares(
        problem.off,
        (start + rng.normal(0.0, spread, start.shape)).ravel(),
        jac=problem.slopes,
        max_nfev=STEPS,
    )
    return np.asarray(found.x).reshape(start.shape), float(2 * found.cost)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """The fit in coordinates along the axes, as least squares.

    Attributes:
        count: M.
        frequencies: (m, r).
        wanted: (2 m + r + r r,) features, mean and second moments to be met.
    """

    count: int
    frequencies: NDArray[np.float64]
    wanted: Vector

    @classmethod
    def of(cls, published: Published, count: int) -> "Problem":
        """Return the problem, turned so that the mean vector is the origin."""
        cosines, sines = np.split(published.features, 2)
        turned = (cosines + 1j * sines) * np.exp(
            -1j * (published.frequencies @ published.moments.mean)
        )
        axes, scale = published.axes, published.scale
        second = axes @ published.moments.covariance @ axes.T / scale**2
        return cls(
            count=count,
            frequencies=published.frequencies @ axes.T * scale,
            wanted=np.concatenate([turned.real, turned.imag, np.zeros(len(axes)), second.ravel()]),
        )

    def off(self, packed: Vector) -> Vector:
        """Return by how much the rows (M, r) in ``packed`` miss what is wanted."""
        rows = packed.reshape(self.count, -1)
        means = features(rows, self.frequencies).mean(axis=0)
        second = rows.T @ rows / self.count
        missed: Vector = np.concatenate([means, rows.mean(axis=0), second.ravel()]) - self.wanted
        return missed

    def slopes(self, packed: Vector) -> NDArray[np.float64]:
        """Return the derivatives of `off`, (numbers wanted, M r)."""
        rows = packed.reshape(self.count, -1)
        cosines, sines = np.split(features(rows, self.frequencies), 2, axis=1)
        one = np.eye(rows.shape[1])
        parts = [
            -sines.T[:, :, None] * self.frequencies[:, None, :],
            cosines.T[:, :, None] * self.frequencies[:, None, :],
            np.broadcast_to(one[:, None, :], (len(one), self.count, len(one))),
            _slopes_of_products(rows, one),
        ]
        slopes: NDArray[np.float64] = np.concatenate(parts) / self.count
        return slopes.reshape(len(self.wanted), -1)


def _slopes_of_products(rows: Rows, one: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return d (row_a row_b) / d row_c, as (r r, M, r)."""
    by_first = np.einsum("ac,ib->abic", one, rows)
    slopes: NDArray[np.float64] = by_first + by_first.transpose(1, 0, 2, 3)
    return slopes.reshape(-1, *rows.shape)
