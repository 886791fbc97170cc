"""Mixed linear regression: the synthetic data of CLoVE's theory, with known optimal models.

Source: CLoVE, section 4 and appendix D.1.1; Yi, Caramanis and Sanghavi, Alternating Minimization
for Mixed Linear Regression, ICML 2014.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from secure_clove.data.partition import shuffled_ids
from secure_clove.errors import ConfigError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import Rng, stream

Array = NDArray[np.float64]

DIMENSION = 20
"""Count of features. Source: the authors' code."""

NOISE = 1e-4
"""Standard deviation of the targets' noise. Source: the authors' code."""

WIDEST = 5.0
"""Largest distance of two optima, as a multiple of the smallest allowed. Source: D.1.1."""

TRIES = 1000
"""Fresh draws of optima before a separation counts as impossible."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegressionData:
    """One client's examples.

    Attributes:
        train_x: Features, shape (n, d), standard normal.
        train_y: Targets, shape (n, 1), real numbers.
        test_x: Held-out features, shape (m, d).
        test_y: Held-out targets, shape (m, 1).
    """

    train_x: Array = field(repr=False)
    train_y: Array = field(repr=False)
    test_x: Array = field(repr=False)
    test_y: Array = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MixedRegression:
    """Clients whose targets follow one linear model per cluster.

    Attributes:
        clients: Examples by client, in ascending order of ids.
        truth: Planted cluster of each client, for scoring only.
        optima: Optimal model of each cluster, shape (K, d), of norm 1.
    """

    clients: Mapping[ClientId, RegressionData] = field(repr=False)
    truth: Mapping[ClientId, int] = field(repr=False)
    optima: Array = field(repr=False)


def mixed_linear_regression(
    *,
    clusters: int = 5,
    clients_per_cluster: int = 5,
    examples: int = 1000,
    test_examples: int = 100,
    dimension: int = DIMENSION,
    noise: float = NOISE,
    separation: float = 1.0,
    seed: int,
) -> MixedRegression:
    """Return clients with x ~ N(0, I) and y = <theta_k, x> + N(0, noise^2).

    Args:
        clusters: Count of clusters, K.
        clients_per_cluster: Clients in each.
        examples: Training examples of each client.
        test_examples: Held-out examples of each client.
        dimension: Count of features, d >= 2.
        noise: Standard deviation of the noise, >= 0.
        separation: Smallest distance of two optima, Delta in (0, 2); none is over 5 Delta.
        seed: Other seeds draw other optima, examples and ids.

    Raises:
        ConfigError: a count that is too small, or optima that cannot be so far apart.

    Source: CLoVE, section 4, equation of F_k, and appendix D.1.1 (K=5, M=25, n=1000).
    """
    _check(clusters, clients_per_cluster, examples, test_examples, dimension, noise, separation)
    optima = _optima(clusters, dimension, separation, stream(seed, "regression", "optima"))
    truth = [k for k in range(clusters) for _ in range(clients_per_cluster)]
    ids = shuffled_ids(len(truth), stream(seed, "regression", "ids"))
    data = {}
    for place in np.argsort(ids):
        rng = stream(seed, "regression", "examples", int(place))
        parts = [_draw(optima[truth[place]], n, noise, rng) for n in (examples, test_examples)]
        (train_x, train_y), (test_x, test_y) = parts
        data[ids[place]] = RegressionData(
            train_x=train_x, train_y=train_y, test_x=test_x, test_y=test_y
        )
    planted = dict(sorted(zip(ids, truth, strict=True)))
    return MixedRegression(clients=data, truth=planted, optima=optima)


def _check(
    clusters: int,
    clients: int,
    examples: int,
    test_examples: int,
    dimension: int,
    noise: float,
    separation: float,
) -> None:
    if min(clusters, clients, examples) < 1 or test_examples < 0 or dimension < 2:
        raise ConfigError(
            "clusters, clients and examples from 1, held-out examples from 0 and a dimension from "
            f"2 are needed; found {clusters}, {clients}, {examples}, {test_examples}, {dimension}"
        )
    if not (0 <= noise < np.inf and 0 < separation < 2):
        raise ConfigError(
            f"noise={noise} must be >= 0 and separation={separation} in (0, 2), the diameter of "
            "the unit sphere"
        )


def _draw(optimum: Array, count: int, noise: float, rng: Rng) -> tuple[Array, Array]:
    x = rng.normal(size=(count, len(optimum)))
    return x, (x @ optimum + noise * rng.normal(size=count))[:, None]


def _optima(clusters: int, dimension: int, separation: float, rng: Rng) -> Array:
    """Return unit vectors around a random pole, the closest two at least ``separation`` apart.

    The pole and the tangent directions are random; the angle to the pole sets the scale.
    """
    for _ in range(TRIES):
        pole = _unit(rng.normal(size=(1, dimension)))
        tangents = rng.normal(size=(clusters, dimension))
        tangents = _unit(tangents - (tangents @ pole.T) * pole)
        gaps = [float(np.linalg.norm(a - b)) for a, b in combinations(tangents, 2)] or [1.0]
        most = min(WIDEST * min(gaps) / max(gaps), min(gaps) / separation)
        if most >= 1:
            sine = separation * rng.uniform(1, most) / min(gaps)
            return _unit(np.sqrt(max(0.0, 1 - sine**2)) * pole + sine * tangents)
    raise ConfigError(
        f"found no {clusters} unit vectors of dimension {dimension} that are {separation} to "
        f"{WIDEST * separation} apart; ask for a smaller separation or fewer clusters"
    )


def _unit(rows: Array) -> Array:
    scaled: Array = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return scaled
