"""What a mixture of equal round clusters expects of the published numbers, and how sure it is.

Numbers are features and moments, in coordinates where the cohort's mean is the origin and its scale
is the unit.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from secure_clove.clustering.sketch import features, moments_of
from secure_clove.foundation.seeds import Rng
from secure_clove.foundation.trees import Vector

DRAWN = 400
"""Points drawn around a centroid to see how far a client's numbers stray, and as many mirrored."""

RIDGE = 0.01
"""Share of the mean variance that every number has beside: rounding, and clusters not Gaussian."""

LEAST_SPREAD = 0.03
"""Spread in units of the scale below which numbers are not trusted any further."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Guess:
    """A mixture in these coordinates.

    Attributes:
        centroids: (k, r).
        logits: (k,) logarithms of the weights, up to a constant.
        log_spread: Logarithm of the standard deviation of a coordinate within a cluster.
    """

    centroids: NDArray[np.float64] = field(repr=False)
    logits: Vector
    log_spread: float

    @property
    def weights(self) -> Vector:
        """(k,) shares that add up to 1."""
        raised = np.exp(self.logits - self.logits.max())
        shares: Vector = raised / raised.sum()
        return shares

    @property
    def log_weights(self) -> Vector:
        """(k,) logarithms of the weights."""
        raised = self.logits - self.logits.max()
        logs: Vector = raised - np.log(np.exp(raised).sum())
        return logs

    @property
    def spread(self) -> float:
        """Standard deviation of a coordinate within a cluster."""
        return float(np.exp(self.log_spread))

    def pack(self) -> Vector:
        """Return all numbers as one vector."""
        return np.concatenate([self.centroids.ravel(), self.logits, [self.log_spread]])

    @classmethod
    def unpack(cls, packed: Vector, *, clusters: int) -> "Guess":
        """Return the guess that `pack` made ``packed`` from."""
        centroids, logits, log_spread = np.split(packed, [-clusters - 1, -1])
        rows = centroids.reshape(clusters, -1)
        return cls(centroids=rows, logits=logits, log_spread=float(log_spread[0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What was added to the sums on purpose, a client's share of it.

    Attributes:
        features: Standard deviation in each feature: of the noise in the sum over the root of the
            number of clients.
        mean: The same in each coordinate, in units of the vectors.
        products: The same in each product of two, in units of their squares.
    """

    features: float = 0.0
    mean: float = 0.0
    products: float = 0.0

    def scaled(self, scale: float) -> "Noise":
        """Return the noise in coordinates whose unit is ``scale``."""
        return Noise(
            features=self.features, mean=self.mean / scale, products=self.products / scale**2
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expectation:
    """The published numbers as a function of the mixture: q = 2 m + r + r (r + 1) / 2 of them.

    Attributes:
        frequencies: (m, r).
        noise: In these coordinates.
    """

    frequencies: NDArray[np.float64] = field(repr=False)
    noise: Noise = Noise()

    def of_points(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the numbers (n, q) of single clients at ``points``, (n, r)."""
        return np.concatenate([features(points, self.frequencies), moments_of(points)], axis=1)

    def of(self, guess: Guess) -> tuple[Vector, Callable[[Vector], Vector]]:
        """Return the expected numbers, and what turns a gradient by them into one by the guess.

        Returns:
            (q,) the mean over the mixture, and a function from (q,) to the shape of `Guess.pack`.
        """
        c, a, variance = guess.centroids, guess.weights, guess.spread**2
        m, r = self.frequencies.shape
        squares = (self.frequencies**2).sum(axis=1)
        damping = np.exp(-variance * squares / 2)
        atoms = np.exp(1j * (self.frequencies @ c.T)) * damping[:, None]
        mixed = atoms @ a
        upper = np.triu_indices(r)
        second = (c * a[:, None]).T @ c + variance * np.eye(r)

        def pull(by: Vector) -> Vector:
            pulled = (by[:m] - 1j * by[m : 2 * m])[:, None] * atoms
            by_mean, by_second = by[2 * m : 2 * m + r], np.zeros((r, r))
            by_second[upper] = by[2 * m + r :] / 2
            by_second = by_second + by_second.T
            by_centroid = -(pulled.imag * a).T @ self.frequencies
            by_centroid += a[:, None] * (by_mean + 2 * c @ by_second)
            by_weight = pulled.real.sum(axis=0) + c @ by_mean + ((c @ by_second) * c).sum(axis=1)
            by_variance = np.trace(by_second) - squares @ (pulled.real @ a) / 2
            by_logit = a * (by_weight - by_weight @ a)
            return np.concatenate([by_centroid.ravel(), by_logit, [2 * variance * by_variance]])

        expected = np.concatenate([mixed.real, mixed.imag, a @ c, second[upper]])
        return expected, pull

    def whitener(self, guess: Guess, rng: Rng) -> NDArray[np.float64]:
        """Return the matrix (q, q) that gives deviations from ``guess`` unit variance, over sqrt q.

        A deviation is what clients within their clusters make of a sum, and noise; the sizes of
        the clusters are free. Its covariance is estimated from points drawn around the centroids.
        """
        spread = max(guess.spread, LEAST_SPREAD)
        drawn = spread * rng.normal(size=(DRAWN, self.frequencies.shape[1]))
        around = np.concatenate([drawn, -drawn])
        covariance = sum(
            weight * np.cov(self.of_points(centroid + around), rowvar=False, bias=True)
            for centroid, weight in zip(guess.centroids, guess.weights, strict=True)
        )
        values, vectors = np.linalg.eigh(covariance + np.diag(self._added()))
        trusted = np.maximum(values, 0.0) + RIDGE * values.mean()
        whitening: NDArray[np.float64] = (vectors / np.sqrt(trusted * len(trusted))).T
        return whitening

    def _added(self) -> Vector:
        """Return the variance (q,) of a client's share of the noise."""
        m, r = self.frequencies.shape
        deviations = [self.noise.features, self.noise.mean, self.noise.products]
        return np.repeat(np.square(deviations), [2 * m, r, r * (r + 1) // 2])
