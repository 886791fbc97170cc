"""What each sum of sealed CLoVE holds, how far one client can move it, and how it is noised.

Where whole clients are protected, one clustering is one Gaussian release: its sums divide the
squared signal to noise. Features carry the clusters and get most of it; moments are only their
frame (ADR 0012).
"""

from dataclasses import dataclass
from math import sqrt

from secure_clove.algorithms.base import Content, Part
from secure_clove.clustering import sketch
from secure_clove.clustering.sketch import moment_count
from secure_clove.foundation.seeds import stream
from secure_clove.foundation.trees import Vector

MEAN, PRODUCTS, FEATURES, PLACE, FIT = 0.04, 0.04, 0.87, 0.05, 0.05
"""Shares of a clustering; they add up to 1 without the last, which not every clustering has."""

CLIENTS_A_CLUSTER = 5
"""The sketch is one that so many clients a cluster can afford, unless told otherwise (ADR 0012)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedParts:
    """The parts of every reply.

    Attributes:
        clusters: Number K of models.
        dimension: Coordinates of a client's vector.
        wanted: Number of frequencies asked for; 0: as many as `CLIENTS_A_CLUSTER` afford.
        is_visible: Whether a client says which cluster it belongs to.
        is_judged: Whether a clustering sums silhouettes.
        client_noise: Noise multiplier of one clustering, for a whole client; 0: none.
    """

    clusters: int
    dimension: int
    wanted: int
    is_visible: bool
    is_judged: bool
    client_noise: float

    @property
    def frequencies(self) -> int:
        """Number m of frequencies."""
        cohort = CLIENTS_A_CLUSTER * self.clusters
        return self.wanted or sketch.feature_count(
            self.clusters, clients=cohort, dimension=self._axes
        )

    @property
    def far(self) -> float:
        """Largest radius of a frequency: noised sums are of cohorts that a finer sketch serves."""
        return sketch.FARTHEST if self.client_noise else sketch.FAR

    @property
    def hiding_cohort(self) -> int:
        """Fewest clients whose vectors moments and sketch tell little of."""
        return sketch.hiding_cohort(self.frequencies, dimension=self._axes)

    @property
    def _axes(self) -> int:
        return min(self.dimension, self.clusters)

    def drawn(self, coin: bytes, *, axes: Vector, scale: float) -> Vector:
        """Return the frequencies of a sketch: what coordinator and clients draw from one coin.

        Args:
            coin: 32 bytes of the session.
            axes: ``(r, D)`` directions they lie in.
            scale: From the public moments.

        Returns:
            ``(m, D)``.
        """
        rng, count = stream(int.from_bytes(coin, "big"), "frequencies"), self.frequencies
        return sketch.frequencies(
            count, axes.shape[1], scale=scale, rng=rng, axes=axes, far=self.far
        )

    @property
    def mean(self) -> Part:
        """The vector."""
        return self._part("mean", self.dimension, Content.MOMENT, norm=1.0, share=MEAN)

    @property
    def products(self) -> Part:
        """The upper triangle of its outer product."""
        count = moment_count(self.dimension) - self.dimension
        return self._part("products", count, Content.MOMENT, norm=1.0, share=PRODUCTS)

    @property
    def features(self) -> Part:
        """As many points on the unit circle as there are frequencies."""
        count, norm = 2 * self.frequencies, sqrt(self.frequencies)
        return self._part("features", count, Content.FEATURE, norm=norm, share=FEATURES)

    @property
    def fits(self) -> Part:
        """A number of [0, 1] for each number of clusters."""
        norm = sqrt(self.clusters)
        return self._part("silhouettes", self.clusters, Content.FEATURE, norm=norm, share=FIT)

    @property
    def place(self) -> Part:
        """The number of the client's cluster, or a one in its place."""
        if self.is_visible:
            return Part(name="place", content=Content.COUNT)
        return self._part("place", self.clusters, Content.COUNT, norm=1.0, share=PLACE)

    def _part(self, name: str, count: int, content: Content, *, norm: float, share: float) -> Part:
        whole = 1.0 + (FIT if self.is_judged else 0.0)
        sigma = self.client_noise * norm * sqrt(whole / share)
        return Part(
            name=name, shape=(count,), content=content, client_norm=norm, client_sigma=sigma
        )
