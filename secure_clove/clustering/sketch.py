"""What the cohort sums so that it can be clustered without showing a vector: moments and features.

Both are sums over clients, so they travel masked. Moments fix the public frame: where the vectors
lie, in which directions they differ, and how far. The sketch is the mean of random Fourier features
in that frame: the characteristic function of the cohort's vectors at m points.

Source: protocol.md, "Sealed clustering", steps 1-3; compressive k-means: Keriven et al. 2016;
orthogonal directions: Yu et al. 2016.
"""

from dataclasses import dataclass, field
from math import ceil

import numpy as np
from numpy.typing import NDArray

from secure_clove.errors import ConfigError, DataError
from secure_clove.foundation.seeds import Rng
from secure_clove.foundation.trees import Vector

LEAST_SCALE = 1e-9
"""Vectors closer than this are one point to the sketch; keeps frequencies finite."""

NEAR, FAR, FARTHEST = 1.0, 2.0, 8.0
"""Least and largest radius of a frequency, in units of 1 / scale; the last where clusters are far
tighter than the scale, as in cohorts of hundreds whose sums are noised (ADR 0012)."""

MOST_PER_CLUSTER = 12
"""Frequencies a cluster at most; more do not find more. Source: protocol.md; ADR 0012."""

LEAST_PER_CLUSTER = 2
"""Frequencies a cluster at least; fewer leave the centroids undetermined."""

PUBLISHED_SHARE = 0.375
"""Most numbers published for one number in the cohort's vectors. Whoever fits as many free vectors
to a share s of their numbers comes to about sqrt(1 - s) of the error that cluster means leave: here
0.79 (ADR 0012)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """Mean and covariance of a cohort's vectors.

    Attributes:
        mean: (D,).
        covariance: (D, D), symmetric and positive semi-definite.
    """

    mean: Vector = field(repr=False)
    covariance: NDArray[np.float64] = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse shapes that do not fit and numbers that are not finite."""
        dimension = self.mean.size
        if self.mean.shape != (dimension,) or self.covariance.shape != (dimension, dimension):
            raise ConfigError("a mean of shape (D,) and a covariance of shape (D, D) expected")
        if not (dimension and np.isfinite(self.mean).all() and np.isfinite(self.covariance).all()):
            raise ConfigError("moments have at least one dimension and are finite")


def moment_count(dimension: int) -> int:
    """Return how many numbers `moments_of` gives in ``dimension`` D: D + D (D + 1) / 2."""
    return dimension + dimension * (dimension + 1) // 2


def moments_of(vectors: NDArray[np.float64]) -> Vector:
    """Return a client's contribution: its vector and the upper triangle of its outer product.

    Args:
        vectors: (..., D) one client's, or several.

    Returns:
        (..., `moment_count` (D)).

    Source: protocol.md, "Sealed clustering", step 2.
    """
    rows, columns = np.triu_indices(vectors.shape[-1])
    return np.concatenate([vectors, vectors[..., rows] * vectors[..., columns]], axis=-1)


def read_moments(total: Vector, *, count: int) -> Moments:
    """Return the moments of a cohort from the sum of what `moments_of` gave each client.

    Rounding on the way can leave the covariance slightly indefinite; the nearest positive
    semi-definite matrix is returned.

    Args:
        total: (`moment_count` (D),) the sum.
        count: Clients in the sum, at least 1.

    Raises:
        ConfigError: no client, or a length that belongs to no dimension.
        DataError: the sum is not finite.
    """
    dimension = int(np.sqrt(2 * total.size + 2.25) - 1.5)
    if count < 1 or dimension < 1 or total.shape != (moment_count(dimension),):
        raise ConfigError(f"moments of at least 1 client expected; found shape {total.shape}")
    if not np.isfinite(total).all():
        raise DataError("the sum of the moments is not finite")
    mean, upper = np.split(total / count, [dimension])
    second = np.zeros((dimension, dimension))
    second[np.triu_indices(dimension)] = upper
    second += np.triu(second, 1).T
    return Moments(mean=mean, covariance=_semi_definite(second - np.outer(mean, mean)))


def axes_of(moments: Moments, *, clusters: int) -> NDArray[np.float64]:
    """Return the directions in which a cohort of ``clusters`` differs most.

    The centroids of K clusters lie in K - 1 dimensions. Beyond these, as with probe models, the
    directions of most variance hold the signal and little of the noise; one more is taken, for
    clients of a cluster may differ in one direction more than clusters do in another (ADR 0012).

    Args:
        moments: In D dimensions.
        clusters: K, at least 1.

    Returns:
        (r, D) orthonormal rows, r = min(D, K), by descending variance; each has its largest
        coordinate positive.

    Raises:
        ConfigError: no cluster.
    """
    if clusters < 1:
        raise ConfigError(f"at least 1 cluster expected, found {clusters}")
    _, vectors = np.linalg.eigh(moments.covariance)
    axes = vectors.T[::-1][:clusters]
    largest = axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]
    signed: NDArray[np.float64] = axes * np.sign(largest)[:, None]
    return signed


def scale_of(moments: Moments, *, axes: NDArray[np.float64] | None = None) -> float:
    """Return the public scale of frequencies: the root mean variance over directions.

    Args:
        moments: In D dimensions.
        axes: (r, D) the directions; None: all.
    """
    covariance = moments.covariance
    within = covariance if axes is None else axes @ covariance @ axes.T
    return max(float(np.sqrt(np.trace(within) / len(within))), LEAST_SCALE)


def frequencies(
    count: int,
    dimension: int,
    *,
    scale: float,
    rng: Rng,
    axes: NDArray[np.float64] | None = None,
    far: float = FAR,
) -> NDArray[np.float64]:
    """Return random frequencies: uniform directions, radii log-uniform around 1 / ``scale``.

    Few frequencies should not leave a direction out or have a length alike, so r directions at a
    time are orthogonal, and each of m equal slices of the logarithm holds one radius (ADR 0012).

    Args:
        count: m, at least 1.
        dimension: D of the vectors.
        scale: From `scale_of`, positive.
        rng: Draws them; everybody must use the same stream.
        axes: (r, D) orthonormal rows; frequencies lie in their span. None: anywhere.
        far: Largest radius in units of 1 / ``scale``, over `NEAR`.

    Returns:
        (m, D), in 1 / unit of the vectors.

    Raises:
        ConfigError: no frequency, a scale that is not positive, or axes of another dimension.
    """
    if count < 1 or not scale > 0:
        raise ConfigError("at least 1 frequency and a positive scale expected")
    basis = np.eye(dimension) if axes is None else axes
    if basis.ndim != 2 or basis.shape[1] != dimension:
        raise ConfigError(f"axes of shape (r, {dimension}) expected, found {basis.shape}")
    turns = [_turn(len(basis), rng) for _ in range(ceil(count / len(basis)))]
    directions = np.concatenate(turns)[:count]
    places = (rng.permutation(count) + rng.uniform(size=count)) / count
    radii = NEAR * (far / NEAR) ** places / scale
    drawn: NDArray[np.float64] = (radii[:, None] * directions) @ basis
    return drawn


def features(vectors: NDArray[np.float64], frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return cosines, then sines, of each vector at each frequency, all in [-1, 1].

    Args:
        vectors: (..., D).
        frequencies: (m, D).

    Returns:
        (..., 2 m).
    """
    phases = vectors @ frequencies.T
    return np.concatenate([np.cos(phases), np.sin(phases)], axis=-1)


def feature_count(clusters: int, *, clients: int, dimension: int) -> int:
    """Return the number m of frequencies whose sketch a cohort of this size can afford.

    As many as `MOST_PER_CLUSTER` a cluster, but so few that 2 m features and the moments are at
    most `PUBLISHED_SHARE` of the M r numbers of the cohort's vectors; yet never so few that nothing
    can be read off the sketch, whatever a small cohort affords: see `hiding_cohort`. That is
    stricter than protocol.md, 2 m + K (K + 3) / 2 + K < M K.

    Args:
        clusters: K, or the largest to consider.
        clients: M.
        dimension: r of the space that frequencies lie in.

    Source: protocol.md, "Sealed clustering"; ADR 0012.
    """
    room = PUBLISHED_SHARE * clients * dimension - moment_count(dimension)
    return max(min(MOST_PER_CLUSTER * clusters, int(room / 2)), LEAST_PER_CLUSTER * clusters)


def hiding_cohort(count: int, *, dimension: int) -> int:
    """Return the fewest clients whose vectors a sketch with its moments tells little of.

    In a smaller cohort their noise is what protects them, as if each had been sent in the clear.

    Args:
        count: m.
        dimension: r of the space that frequencies lie in.
    """
    return ceil((2 * count + moment_count(dimension)) / (PUBLISHED_SHARE * dimension))


def _turn(dimension: int, rng: Rng) -> NDArray[np.float64]:
    """Return a uniform orthogonal matrix; the signs make it the same with every library."""
    turn, triangle = np.linalg.qr(rng.normal(size=(dimension, dimension)))
    return np.asarray(turn * np.where(np.diagonal(triangle) < 0, -1.0, 1.0))


def _semi_definite(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    cleared: NDArray[np.float64] = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return cleared
