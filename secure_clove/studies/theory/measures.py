"""What the lemmas and theorems speak of, measured on one draw of mixed linear regression.

Source: CLoVE, section 4 and appendix A; sizes and separations of appendix D.1.1 and Figure 3(a).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import sqrt

import numpy as np

from secure_clove.algorithms.clove import Clove
from secure_clove.algorithms.clove_state import CloveOwn
from secure_clove.clustering.kmeans import cluster
from secure_clove.clustering.scores import adjusted_rand_index
from secure_clove.data.synthetic import NOISE, MixedRegression, mixed_linear_regression
from secure_clove.errors import ConfigError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import stream
from secure_clove.foundation.trees import Vector
from secure_clove.studies.theory.regression import RegressionLearner, play_round

CLUSTERS = 5
"""K of appendix D.1.1."""

CLIENTS = 5
"""Clients of a cluster; M = 25 in all. Source: D.1.1."""

EXAMPLES = 1000
"""n of every client. Source: D.1.1."""

MODELS = ("orthonormal", "random", "proximal")
"""Collections of models that the lemmas speak of."""

FLOORS = 3.0
"""A contraction is fitted while the distance is more than so many times the noise floor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How clients train in a round.

    Attributes:
        rounds: Rounds played.
        epochs: Passes over the examples in a round.
        batch: Examples in a step; None: all.
        rate: Of plain gradient descent; None: that of Lemma A.13, (1 - separation / 12) / 2.
    """

    rounds: int
    epochs: int = 1
    batch: int | None = None
    rate: float | None = None

    def __post_init__(self) -> None:
        """Refuse less than two rounds: nothing could be said to contract."""
        if self.rounds < 2:
            raise ConfigError(f"at least 2 rounds are needed to see models converge: {self.rounds}")


WAYS: Mapping[str, Way] = {
    "step": Way(rounds=7),
    "epochs": Way(rounds=16, epochs=25, batch=64, rate=1e-3),
}
"""Option II as the theory has it; 25 epochs at the printed rate and batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How one run of CLoVE went, by round from 1.

    Attributes:
        distance: Largest distance of a client's model to the optimum of its planted cluster.
        ari: Adjusted Rand index of the assignment with the planted clusters.
    """

    distance: tuple[float, ...]
    ari: tuple[float, ...]


def problem(seed: int, *, separation: float, examples: int = EXAMPLES) -> MixedRegression:
    """Return the draw of ``seed``, with optima ``separation`` to 5 times that apart."""
    return mixed_linear_regression(
        clusters=CLUSTERS,
        clients_per_cluster=CLIENTS,
        examples=examples,
        test_examples=0,
        separation=separation,
        seed=seed,
    )


def collection(name: str, optima: Vector, seed: int) -> Vector:
    """Return models of one of the kinds in `MODELS`, shape (N, d).

    ``orthonormal``: d of them. ``random``: d independent draws from the unit sphere, which the
    paper takes for nearly ortho-normal. ``proximal``: each optimum moved by a quarter of the
    separation towards the nearest other one, the worst that the lemma allows.

    Raises:
        ConfigError: another name.

    Source: CLoVE, appendix A.1, end.
    """
    normal = stream(seed, "theory", "models").normal(size=(optima.shape[1], optima.shape[1]))
    if name == "orthonormal":
        return np.linalg.qr(normal)[0]
    if name == "random":
        scaled: Vector = normal / np.linalg.norm(normal, axis=1, keepdims=True)
        return scaled
    if name == "proximal":
        return _proximal(optima)
    raise ConfigError(f"no collection '{name}'; choose one of {', '.join(MODELS)}")


def least_distance(vectors: Vector) -> float:
    """Return the distance of the closest two rows."""
    return float(min(np.linalg.norm(a - b) for a, b in combinations(vectors, 2)))


def separation_ratio(models: Vector, optima: Vector) -> float:
    """Return the least distance of two clusters' mean vectors over that of their optima.

    The lemmas say that it is at least 1/c with c about 2. The means are those of the
    distribution, c_k = sqrt(|theta - theta_k*|^2 + sigma^2), as the paper approximates them.

    Source: CLoVE, Lemmas A.1 and A.2.
    """
    distance = np.linalg.norm(models[None] - optima[:, None], axis=2)
    return least_distance(np.sqrt(distance**2 + NOISE**2)) / least_distance(optima)


def one_shot(data: MixedRegression, models: Vector, *, square_root: bool, seed: int) -> float:
    """Return the adjusted Rand index of one k-means on the clients' loss vectors.

    Args:
        data: Clients and planted clusters.
        models: (N, d).
        square_root: Whether to cluster square roots of losses (SLV), or losses (Remark A.12).
        seed: Of the starts of k-means.

    Source: CLoVE, Theorem 4.1.
    """
    learners = _learners(data, Way(rounds=2), separation=1.0)
    losses = np.stack([learner.embedding(models) for learner in learners.values()])
    vectors = np.sqrt(losses) if square_root else losses
    found = cluster(vectors, len(data.optima), stream(seed, "theory", "k-means"))
    return adjusted_rand_index([data.truth[c] for c in learners], found.labels)


def course(data: MixedRegression, way: Way, *, separation: float, seed: int) -> Course:
    """Return how CLoVE goes from d random models, of which K are trained.

    The first round evaluates all d models and the later ones the K, as the theory has it; clusters
    are found anew in every round.

    Source: CLoVE, Theorem 4.2 and Figure 3(a).
    """
    learners = _learners(data, way, separation=separation)
    models = collection("random", data.optima, seed)
    distance, ari = [], []
    algorithm = _clove(data, way, seed=seed, probes=len(models) - len(data.optima))
    state = algorithm.start(models)
    owns: Mapping[ClientId, CloveOwn] = {c: algorithm.enrol() for c in learners}
    for round_ in range(1, way.rounds + 1):
        state, owns = play_round(algorithm, state, owns, learners, round_=round_)
        chosen = {c: state.assignment[c] for c in learners}
        gaps = [state.models[m] - data.optima[data.truth[c]] for c, m in chosen.items()]
        distance.append(float(np.linalg.norm(gaps, axis=1).max()))
        ari.append(adjusted_rand_index([data.truth[c] for c in chosen], list(chosen.values())))
        if round_ == 1:
            algorithm = _clove(data, way, seed=seed, probes=0)
            state = algorithm.start(state.models)
    return Course(distance=tuple(distance), ari=tuple(ari))


def noise_floor(dimension: int) -> float:
    """Return how far least squares on all examples of a cluster is from its optimum, as expected.

    sigma sqrt(d / (m n)) for m clients of n examples, d being far smaller.
    """
    return NOISE * sqrt(dimension / (CLIENTS * EXAMPLES))


def contraction(distance: tuple[float, ...], floor: float) -> float | None:
    """Return the factor c_1 by which the distance falls in a round, until near the noise floor.

    Args:
        distance: By round.
        floor: Where noise takes over.

    Returns:
        From a line fitted to the logarithms, over the rounds before the distance is within
        `FLOORS` of the floor; None if these are fewer than two.

    Source: CLoVE, Theorem 4.2.
    """
    near = [place for place, value in enumerate(distance) if value <= FLOORS * floor]
    kept = np.array(distance[: near[0] if near else len(distance)])
    if len(kept) < 2:
        return None
    slope = np.polynomial.Polynomial.fit(np.arange(len(kept)), np.log(kept), 1).convert().coef[1]
    return float(np.exp(-slope))


def _learners(
    data: MixedRegression, way: Way, *, separation: float
) -> Mapping[ClientId, RegressionLearner]:
    rate = (1 - separation / 12) / 2 if way.rate is None else way.rate  # Lemma A.13 with c = 4
    return {
        client: RegressionLearner(
            own.train_x,
            own.train_y,
            rate=rate,
            epochs=way.epochs,
            batch=way.batch,
        )
        for client, own in data.clients.items()
    }


def _clove(data: MixedRegression, way: Way, *, seed: int, probes: int) -> Clove:
    """Return CLoVE as in the theory: square roots, no centring, and no end of the clustering."""
    return Clove(
        parameters=data.optima.shape[1],
        clusters=len(data.optima),
        seed=seed,
        probes=probes,
        centred=False,
        square_root=True,
        stable_rounds=way.rounds + 1,
        clustering_rounds=way.rounds,
    )


def _proximal(optima: Vector) -> Vector:
    gaps = np.linalg.norm(optima[None] - optima[:, None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    nearest = gaps.argmin(axis=1)
    reach = gaps.min() / 4 / gaps.min(axis=1, keepdims=True)
    moved: Vector = optima + reach * (optima[nearest] - optima)
    return moved
