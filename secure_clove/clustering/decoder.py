"""From one sketch to centroids and weights: the mixture whose numbers are the published ones.

The fit is a generalised method of moments. What is published, features and moments of one finite
cohort, differs from what its mixture expects, because a cluster is a few clients and not a
Gaussian; the covariance of that difference follows from the mixture itself. In units of it every
number counts for what it knows, and the landscape has fewer false valleys than least squares on
the features (ADR 0012).

Source: protocol.md, "Sealed clustering", step 4; Keriven et al. 2016; Hansen 1982 (the weighting).
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from secure_clove.clustering.expectation import Expectation, Guess, Noise
from secure_clove.clustering.plane import from_plane
from secure_clove.clustering.sketch import LEAST_SCALE, Moments
from secure_clove.errors import ConfigError, DataError
from secure_clove.foundation.seeds import Rng
from secure_clove.foundation.trees import Vector

LEAST_STARTS, STARTED = 8, 100
"""Random starts at least, and centroids that they hold together: many starts of few clusters."""

KEPT = 4
"""How many of their fits are fitted again in better units; the best of these is the mixture."""

PRIOR = 1.0
"""Clients that every cluster is given beside those in the sums, as a Dirichlet prior of its weight:
where the sums leave it open, clusters are of like size (ADR 0012)."""

REFITS = 2
"""How often units are taken anew from the best fit so far."""

STEPS = 100
"""Most iterations of a first fit; later ones have half as many again."""

FIRST_SPREAD = 0.5
"""Spread at which a fit starts, in units of the scale."""

LOG_SPREAD = (-6.0, 1.0)
"""Range of the logarithm of the spread, in units of the scale."""

FARTHEST = 10.0
"""Farthest from the mean that a coordinate of a centroid may go, in units of the scale; without it
a cluster that nobody belongs to could go anywhere."""

LEAST_VARIANCE = 1e-6
"""Variance of a direction in which nothing differs, in units of the scale."""


NO_NOISE = Noise()
"""Nothing was added to the sums."""


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
    clients: int,
    rng: Rng,
    noise: Noise = NO_NOISE,
) -> Mixture:
    """Return the mixture of ``clusters`` that fits ``sketch`` and ``moments`` best.

    The same arguments and state of ``rng`` give the same result.

    Args:
        sketch: (2 m,) mean over the clients of `features`.
        frequencies: (m, D) those of the features. In directions that none of them has a part in,
            all centroids lie at the mean.
        clusters: k, at least 1.
        moments: Of the same vectors.
        clients: How many are in the sums, M.
        rng: Draws starts and units.
        noise: What was added to the sums on purpose. Unsure numbers count for less; in the moments
            it matters most.

    Raises:
        ConfigError: no cluster, no client, or shapes that do not fit.
        DataError: the sketch is not finite.
    """
    if clusters < 1 or frequencies.ndim != 2 or sketch.shape != (2 * len(frequencies),):
        raise ConfigError(
            f"at least 1 cluster and a sketch of shape ({2 * len(frequencies)},) expected"
        )
    if clients < 1:
        raise ConfigError("a sketch is the mean over at least 1 client")
    if moments.mean.shape != frequencies.shape[1:]:
        raise ConfigError("moments and frequencies of the same dimension expected")
    if not np.isfinite(sketch).all():
        raise DataError("the sketch is not finite")
    with threadpool_limits(limits=1):  # one order of summation; threads only wait for each other
        problem = _Problem.of(sketch, frequencies, moments, clients=clients, noise=noise)
        return problem.solve(clusters, rng)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Problem:
    """The fit in the span of the frequencies, centred at the mean, in units of the scale.

    Attributes:
        origin: (D,) the mean.
        axes: (r, D) orthonormal.
        scale: Unit of the coordinates.
        root: (r, r) columns are the principal directions, as long as the cohort is wide, widest
            first.
        expectation: Of the published numbers.
        published: (q,).
        clients: M.
    """

    origin: Vector
    axes: NDArray[np.float64]
    scale: float
    root: NDArray[np.float64]
    expectation: Expectation
    published: Vector
    clients: int

    @classmethod
    def of(
        cls,
        sketch: Vector,
        frequencies: NDArray[np.float64],
        moments: Moments,
        *,
        clients: int,
        noise: Noise,
    ) -> "_Problem":
        _, sizes, rows = np.linalg.svd(frequencies, full_matrices=False)
        axes = rows[sizes > sizes[0] * 1e-9]
        within = axes @ moments.covariance @ axes.T
        scale = max(float(np.sqrt(np.trace(within) / len(axes))), LEAST_SCALE)
        covariance = within / scale**2
        values, vectors = np.linalg.eigh(covariance)
        cosines, sines = np.split(sketch, 2)
        turned = (cosines + 1j * sines) * np.exp(-1j * (frequencies @ moments.mean))
        upper = covariance[np.triu_indices(len(axes))]
        return cls(
            origin=moments.mean,
            axes=axes,
            scale=scale,
            root=(vectors * np.sqrt(np.maximum(values, LEAST_VARIANCE)))[:, ::-1],
            expectation=Expectation(
                frequencies=frequencies @ axes.T * scale, noise=noise.scaled(scale)
            ),
            published=np.concatenate([turned.real, turned.imag, np.zeros(len(axes)), upper]),
            clients=clients,
        )

    def solve(self, clusters: int, rng: Rng) -> Mixture:
        """Fit from many starts, then fit the best again in the units that they suggest."""
        if clusters == 1:
            return self._mixture(_everybody(len(self.axes)))
        units = self.expectation.whitener(self._start(clusters, rng), rng)
        count = max(LEAST_STARTS, STARTED // clusters)
        starts = [self._start(clusters, rng) for _ in range(count)]
        found = self._fits(starts, units, STEPS)
        for _ in range(REFITS):
            units = self.expectation.whitener(found[0], rng)
            found = self._fits(found[:KEPT], units, STEPS * 3 // 2)
        return self._mixture(found[0])

    def _start(self, clusters: int, rng: Rng) -> Guess:
        """Return equal clusters that have the cohort's moments, turned at random.

        Equal weights, mean and covariance make the centroids a regular simplex, but for a turn.
        """
        corners = np.zeros((clusters, 0))
        if clusters > 1:
            turn, _ = np.linalg.qr(rng.normal(size=(clusters - 1, clusters - 1)))
            corners = np.sqrt(clusters) * from_plane(np.eye(clusters - 1)).T @ turn
        wide = min(corners.shape[1], len(self.axes))
        between = np.sqrt(1 - FIRST_SPREAD**2)
        return Guess(
            centroids=between * corners[:, :wide] @ self.root[:, :wide].T,
            logits=np.zeros(clusters),
            log_spread=float(np.log(FIRST_SPREAD)),
        )

    def _fits(self, starts: list[Guess], units: NDArray[np.float64], steps: int) -> list[Guess]:
        """Return where each start leads, the best first."""
        found = [self._fit(start, units, steps) for start in starts]
        return [guess for guess, _ in sorted(found, key=lambda each: each[1])]

    def _fit(self, start: Guess, units: NDArray[np.float64], steps: int) -> tuple[Guess, float]:
        clusters = len(start.logits)
        logits = slice(-clusters - 1, -1)
        prior = 2 * PRIOR / (self.clients * len(self.published))  # -2 log of it, in these units

        def misfit(packed: Vector) -> tuple[float, Vector]:
            guess = Guess.unpack(packed, clusters=clusters)
            expected, pull = self.expectation.of(guess)
            off = units @ (expected - self.published)
            slopes = pull(2 * off @ units)
            slopes[logits] += prior * (clusters * guess.weights - 1)
            return float(off @ off) - prior * float(guess.log_weights.sum()), slopes

        packed = start.pack()
        found = minimize(
            misfit,
            packed,
            jac=True,
            method="L-BFGS-B",
            bounds=[
                *[(-FARTHEST, FARTHEST)] * start.centroids.size,
                *[(None, None)] * clusters,
                LOG_SPREAD,
            ],
            options={"maxiter": steps, "maxcor": 20},
        )
        return Guess.unpack(np.asarray(found.x), clusters=clusters), float(found.fun)

    def _mixture(self, found: Guess) -> Mixture:
        both = 2 * len(self.expectation.frequencies)
        off = (self.expectation.of(found)[0] - self.published)[:both]
        return Mixture(
            centroids=self.origin + self.scale * found.centroids @ self.axes,
            weights=found.weights,
            spread=self.scale * found.spread,
            residual=float(2 * (off**2).mean()),
        )


def _everybody(dimension: int) -> Guess:
    """Return the one cluster that has the cohort's mean and total variance."""
    return Guess(centroids=np.zeros((1, dimension)), logits=np.zeros(1), log_spread=0.0)
