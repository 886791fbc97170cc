"""From one sketch to centroids and weights: the mixture whose features are the published ones.

Source: protocol.md, "Sealed clustering", step 4; Keriven et al. 2016; ADR 0012.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from secure_clove.clustering.sketch import LEAST_SCALE, Moments
from secure_clove.errors import ConfigError, DataError
from secure_clove.foundation.seeds import Rng
from secure_clove.foundation.trees import Vector

STARTS = 12
"""Random starts; the best is kept."""

STEPS = 150
"""Most iterations from one start."""

FIRST_SPREAD = 0.3
"""Spread at which a fit starts, in units of the scale."""

LOG_SPREAD = (-6.0, 1.0)
"""Range of the logarithm of the spread, in units of the scale."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixture:
    """Clusters as the sketch shows them.

    Attributes:
        centroids: (k, D).
        weights: (k,) share of the clients in each; they add up to 1.
        spread: Standard deviation of a coordinate within a cluster, along the frequencies.
        residual: Mean squared distance of the mixture's features from the sketch, per frequency.
    """

    centroids: NDArray[np.float64] = field(repr=False)
    weights: Vector
    spread: float
    residual: float

    def __post_init__(self) -> None:
        """Refuse weights that do not belong to the centroids."""
        if self.centroids.ndim != 2 or self.weights.shape != self.centroids.shape[:1]:
            raise ConfigError("centroids of shape (k, D) and weights of shape (k,) expected")
        if not (np.isfinite(self.centroids).all() and (self.weights >= 0).all()):
            raise ConfigError("centroids must be finite and weights not negative")


def decode(
    sketch: Vector,
    frequencies: NDArray[np.float64],
    clusters: int,
    *,
    moments: Moments,
    rng: Rng,
) -> Mixture:
    """Return the mixture of ``clusters`` that fits ``sketch`` best.

    The same arguments and state of ``rng`` give the same result.

    Args:
        sketch: (2 m,) mean over the clients of `features`.
        frequencies: (m, D) those of the features. In directions that none of them has a part in,
            all centroids lie at the mean.
        clusters: k, at least 1.
        moments: Of the vectors, or what serves for them.
        rng: Draws the starts.

    Raises:
        ConfigError: no cluster, or shapes that do not fit.
        DataError: the sketch is not finite.
    """
    if clusters < 1 or frequencies.ndim != 2 or sketch.shape != (2 * len(frequencies),):
        raise ConfigError(
            f"at least 1 cluster and a sketch of shape ({2 * len(frequencies)},) expected"
        )
    if moments.mean.shape != frequencies.shape[1:]:
        raise ConfigError("moments and frequencies of the same dimension expected")
    if not np.isfinite(sketch).all():
        raise DataError("the sketch is not finite")
    with threadpool_limits(limits=1):  # one order of summation; threads only wait for each other
        return _Problem.of(sketch, frequencies, moments).solve(clusters, rng)


def moments_after(mixture: Mixture) -> Moments:
    """Return the moments of a mixture: what serves for the next clustering."""
    mean = mixture.weights @ mixture.centroids
    moved = mixture.centroids - mean
    between = (moved * mixture.weights[:, None]).T @ moved
    within = mixture.spread**2 * np.eye(len(mean))
    return Moments(mean=mean, covariance=between + within)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Problem:
    """The fit in coordinates of the frequencies' span, centred at the mean, in units of the scale.

    Attributes:
        origin: (D,) the mean.
        axes: (r, D) orthonormal.
        scale: Unit of the coordinates.
        root: (r, r) square root of the covariance, in the coordinates.
        frequencies: (m, r).
        target: (m,) complex.
    """

    origin: Vector
    axes: NDArray[np.float64]
    scale: float
    root: NDArray[np.float64]
    frequencies: NDArray[np.float64]
    target: NDArray[np.complex128]

    @classmethod
    def of(cls, sketch: Vector, frequencies: NDArray[np.float64], moments: Moments) -> "_Problem":
        _, sizes, rows = np.linalg.svd(frequencies, full_matrices=False)
        axes = rows[sizes > sizes[0] * 1e-9]
        within = axes @ moments.covariance @ axes.T
        scale = max(float(np.sqrt(np.trace(within) / len(axes))), LEAST_SCALE)
        cosines, sines = np.split(sketch, 2)
        values, vectors = np.linalg.eigh(within / scale**2)
        return cls(
            origin=moments.mean,
            axes=axes,
            scale=scale,
            root=vectors * np.sqrt(np.maximum(values, 1e-6)),
            frequencies=frequencies @ axes.T * scale,
            target=(cosines + 1j * sines) * np.exp(-1j * (frequencies @ moments.mean)),
        )

    def solve(self, clusters: int, rng: Rng) -> Mixture:
        """Return the best of `STARTS` fits."""
        found = [self._fit(self._start(clusters, rng), clusters) for _ in range(STARTS)]
        best, misfit = min(found, key=lambda each: each[1])
        centroids, weights, spread = self._read(best, clusters)
        return Mixture(
            centroids=self.origin + self.scale * centroids @ self.axes,
            weights=weights,
            spread=self.scale * spread,
            residual=misfit,
        )

    def _start(self, clusters: int, rng: Rng) -> Vector:
        centroids = rng.normal(size=(clusters, len(self.axes))) @ self.root.T
        return np.concatenate([centroids.ravel(), np.zeros(clusters), [np.log(FIRST_SPREAD)]])

    def _fit(self, start: Vector, clusters: int) -> tuple[Vector, float]:
        bounds = [(None, None)] * (len(start) - 1) + [LOG_SPREAD]
        found = minimize(
            self._misfit,
            start,
            args=(clusters,),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": STEPS},
        )
        return np.asarray(found.x), float(found.fun)

    def _read(self, point: Vector, clusters: int) -> tuple[NDArray[np.float64], Vector, float]:
        centroids = point[: -clusters - 1].reshape(clusters, -1)
        raised = np.exp(point[-clusters - 1 : -1] - point[-clusters - 1 : -1].max())
        return centroids, raised / raised.sum(), float(np.exp(point[-1]))

    def _misfit(self, point: Vector, clusters: int) -> tuple[float, Vector]:
        """Return the mean squared distance from the sketch and its gradient."""
        centroids, weights, spread = self._read(point, clusters)
        damped = spread**2 * (self.frequencies**2).sum(axis=1)
        atoms = np.exp(1j * (self.frequencies @ centroids.T) - damped[:, None] / 2)
        mixed = atoms @ weights
        off = mixed - self.target
        pulled = 2 * np.conj(off)[:, None] * atoms / len(off)
        by_weight = pulled.real.sum(axis=0)
        by_centroid = (-pulled.imag * weights).T @ self.frequencies
        by_logit = weights * (by_weight - by_weight @ weights)
        by_spread = -(pulled.real @ weights) @ damped
        gradient = np.concatenate([by_centroid.ravel(), by_logit, [by_spread]])
        return float((np.abs(off) ** 2).mean()), gradient
