"""Links between the clients' vectors of two rounds: attackers, and how many links they find."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from secure_clove.foundation.seeds import Rng
from threat_models import statistics as stats
from threat_models.base import Interval

LEVEL = 0.95
"""Confidence of the intervals of links between vectors."""

SEALED_LEVEL = 0.999
"""Confidence where a claim is tested, so that correct code is rarely accused."""

RIDGE = 1e-3
"""Penalty of the predictor, in units of the number of clients, for standardised vectors."""

FEWEST = 4
"""Clients below which a predictor of one from the others has nothing to learn from."""

GUESSES = 40
"""How often a client is linked where several replies are equally likely."""

Vectors = NDArray[np.float64]
"""(M, K): one vector a client, the same clients in the same order in both rounds."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """The vectors of the clients that answered in two consecutive exchanges.

    Attributes:
        rounds: The two rounds.
        before: Of the first.
        after: Of the second.
    """

    rounds: tuple[int, int]
    before: Vectors = field(repr=False)
    after: Vectors = field(repr=False)

    def __len__(self) -> int:
        """Count of clients."""
        return len(self.before)


# ---- attackers: (M, M) costs of linking a client of the first round to a reply of the second


def unchanged(pair: Pair) -> Vectors:
    """Return distances between the standardised vectors, as if the models had not changed."""
    gaps = _standard(pair.before)[:, None, :] - _standard(pair.after)[None, :, :]
    costs: Vectors = np.linalg.norm(gaps, axis=2)
    return costs


def predicted(pair: Pair) -> Vectors:
    """Return distances to what the first vector predicts, learned from all other clients.

    For every client the adversary is given the true links of all others, fits a ridge regression
    between their vectors of the two rounds, and measures in units of what the regression leaves
    unexplained. This absorbs how the models changed.
    """
    costs = np.empty((len(pair), len(pair)))
    for client in range(len(pair)):
        others = np.arange(len(pair)) != client
        costs[client] = _from_prediction(pair, client, others)
    return costs


def _from_prediction(pair: Pair, client: int, others: NDArray[np.bool_]) -> Vectors:
    x, y = pair.before[others], pair.after[others]
    costs: Vectors = learned(x, y, pair.before[[client]], pair.after)[0]
    return costs


def learned(x: Vectors, y: Vectors, before: Vectors, after: Vectors) -> Vectors:
    """Return distances of every row of ``after`` to what ``before`` predicts, (B, A).

    Args:
        x: (S, D) first vectors of clients whose links are known.
        y: (S, D) their second vectors.
        before: (B, D).
        after: (A, D).
    """
    centre, scale = x.mean(axis=0), x.std(axis=0) + 1e-12
    z, mean = (x - centre) / scale, y.mean(axis=0)
    penalty = RIDGE * len(z) * np.eye(z.shape[1])
    weights = np.linalg.solve(z.T @ z + penalty, z.T @ (y - mean))
    rest = y - mean - z @ weights
    spread = rest.T @ rest / len(rest)
    spread += 1e-6 * (np.trace(spread) / len(spread) + 1e-30) * np.eye(len(spread))
    gaps = after[None, :, :] - (mean + (before - centre) / scale @ weights)[:, None, :]
    costs: Vectors = np.sqrt(np.einsum("abi,abi->ab", gaps, gaps @ np.linalg.inv(spread)))
    return costs


def _standard(vectors: Vectors) -> Vectors:
    centred = vectors - vectors.mean(axis=0)
    standard: Vectors = centred / (centred.std(axis=0) + 1e-12)
    return standard


COSTS: Mapping[str, Callable[[Pair], Vectors]] = {"unchanged": unchanged, "predicted": predicted}


def nearest(costs: Vectors) -> int:
    """Return how many clients are linked to the reply of least cost, rightly."""
    return int((costs.argmin(axis=1) == np.arange(len(costs))).sum())


def matched(costs: Vectors) -> int:
    """Return how many clients the one-to-one matching of least cost links rightly."""
    rows, columns = linear_sum_assignment(costs)
    return int((rows == columns).sum())


RULES: Mapping[str, Callable[[Vectors], int]] = {"nearest": nearest, "one-to-one": matched}


# ---- counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """How many links the best attacker found.

    Attributes:
        rounds: Between which.
        hits: Right links, by attacker.
        links: Links there were.
        level: Of the interval.
    """

    rounds: tuple[int, int]
    hits: Mapping[str, int]
    links: int
    level: float = LEVEL

    @property
    def best(self) -> str:
        """The attacker with the most right links."""
        return max(self.hits, key=lambda name: self.hits[name])

    @property
    def share(self) -> float:
        """Right links of the best attacker among all."""
        return self.hits[self.best] / self.links

    @property
    def interval(self) -> Interval:
        """Clopper-Pearson interval of `share`, corrected for the choice among attackers."""
        level = 1 - (1 - self.level) / len(self.hits)
        return stats.share_interval(self.hits[self.best], self.links, level)


def linked(pair: Pair, further: Mapping[str, Vectors] | None = None) -> Linked:
    """Return what every attacker achieves on one pair of rounds.

    Args:
        pair: Of vectors.
        further: Costs (M, M) of attackers that know more than the pair, by name.
    """
    costs = {cost: distance(pair) for cost, distance in COSTS.items()} | dict(further or {})
    hits = {
        f"{cost}, {rule}": count(found)
        for cost, found in costs.items()
        for rule, count in RULES.items()
    }
    return Linked(rounds=pair.rounds, hits=hits, links=len(pair))


def guessed(pair: Pair, rng: Rng) -> Linked:
    """Return what every attacker achieves that picks at random among equally likely replies.

    Every client is linked `GUESSES` times.
    """
    hits = {cost: _picked(distance(pair), rng) for cost, distance in COSTS.items()}
    return Linked(rounds=pair.rounds, hits=hits, links=GUESSES * len(pair), level=SEALED_LEVEL)


def _picked(costs: Vectors, rng: Rng) -> int:
    """Return how many picks among the replies of least cost are right."""
    least = costs.min(axis=1, keepdims=True)
    likely = costs <= least + 1e-9 * (1.0 + np.abs(least))
    chance = np.diag(likely) / likely.sum(axis=1)
    return int((rng.random((GUESSES, len(costs))) < chance).sum())
