"""A4: linkability, whether the vector a client sends gives away which of the last round it was.

The adversary sees the replies of two rounds without names and pairs them up. In the visible mode
the coordinator knows the senders anyway; the measurement says how much the vectors alone would give
away to whoever gets hold of them without names.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from secure_clove.sdk.simulate import simulate
from threat_models import statistics as stats
from threat_models.base import Case, Extra, Interval, NotApplicable, Outcome, Tick, Verdict
from threat_models.views import CoordinatorView, SingleReplies, coordinator_view
from threat_models.world import World

LEVEL = 0.95
"""Confidence of the intervals."""

RIDGE = 1e-3
"""Penalty of the predictor, in units of the number of clients, for standardised vectors."""

TRAINED = 3
"""Rounds that the run without privacy clusters at least: the models of the first one are untrained
and may see nothing but labels, so only later pairs show what clear vectors give away."""

FEWEST = 4
"""Clients below which a predictor of one from the others has nothing to learn from."""

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


def pairs(view: CoordinatorView) -> tuple[Pair, ...]:
    """Return the consecutive embedding exchanges of a transcript, as far as clients are in both."""
    seen = view.embeddings
    found = (_pair(one, two) for one, two in pairwise(seen))
    return tuple(pair for pair in found if len(pair) >= FEWEST)


def _pair(one: SingleReplies, two: SingleReplies) -> Pair:
    both = sorted(one.replies.keys() & two.replies.keys())

    def stacked(seen: SingleReplies) -> Vectors:
        vectors = [
            np.concatenate([part.ravel() for part in seen.replies[c].values()]) for c in both
        ]
        return np.array(vectors).reshape(len(both), -1)

    return Pair(rounds=(one.round, two.round), before=stacked(one), after=stacked(two))


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
    centre, scale = x.mean(axis=0), x.std(axis=0) + 1e-12
    z, mean = (x - centre) / scale, y.mean(axis=0)
    penalty = RIDGE * len(z) * np.eye(z.shape[1])
    weights = np.linalg.solve(z.T @ z + penalty, z.T @ (y - mean))
    rest = y - mean - z @ weights
    spread = rest.T @ rest / len(rest)
    spread += 1e-6 * (np.trace(spread) / len(spread) + 1e-30) * np.eye(len(spread))
    guess = mean + (pair.before[client] - centre) / scale @ weights
    gaps = pair.after - guess
    costs: Vectors = np.sqrt(np.einsum("ij,ij->i", gaps, np.linalg.solve(spread, gaps.T).T))
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


# ---- the measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """How many links the best attacker found.

    Attributes:
        rounds: Between which.
        hits: Right links, by attacker.
        links: Links there were.
    """

    rounds: tuple[int, int]
    hits: Mapping[str, int]
    links: int

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
        level = 1 - (1 - LEVEL) / len(self.hits)
        return stats.share_interval(self.hits[self.best], self.links, level)


def linked(pair: Pair) -> Linked:
    """Return what every attacker achieves on one pair of rounds."""
    hits = {
        f"{cost}, {rule}": count(distance(pair))
        for cost, distance in COSTS.items()
        for rule, count in RULES.items()
    }
    return Linked(rounds=pair.rounds, hits=hits, links=len(pair))


@dataclass(frozen=True, slots=True, kw_only=True)
class Linkability:
    """The attack on a run; see the module."""

    code: str = "A4"
    title: str = "Linking a client to its last round"
    adversary: str = (
        "a server that sees the single replies of two rounds without names; for the strongest "
        "attacker, with the true links of all other clients"
    )

    def work(self, case: Case, trials: int) -> int:
        """Return how many units of work `run` will tell about."""
        return 1

    def run(self, case: Case, trials: int, tick: Tick) -> Outcome:
        """Link the run's own replies, and those of the same federation run without privacy."""
        found = pairs(case.view)
        if not found:
            tick(1)
            return NotApplicable(
                reason="the run has fewer than two consecutive rounds of single replies "
                f"with {FEWEST} clients in common"
            )
        case.world.check(case.view.config)
        bare = pairs(without_privacy(case.world, case.view))
        tick(1)
        noised, clear = [linked(pair) for pair in found], [linked(pair) for pair in bare]
        if noised[-1].rounds not in {pair.rounds for pair in clear}:
            return NotApplicable(
                reason=f"without privacy {_between(noised[-1])} hold no {FEWEST} clients in common"
            )
        return _verdict(noised, clear, case.world)


def without_privacy(world: World, view: CoordinatorView) -> CoordinatorView:
    """Return the coordinator's view of the same federation without privacy.

    It clusters for as many rounds as the run did, even where clear vectors would settle earlier, so
    that the same pairs of rounds are compared; and for `TRAINED` rounds at least.
    """
    rounds = max(TRAINED, view.embeddings[-1].round)
    options = {**view.config.options, "clustering_rounds": rounds, "stable_rounds": rounds + 1}
    changes = {"privacy": None, "rounds": rounds, "options": options}
    with TemporaryDirectory() as folder:
        simulate(world.settings.model_copy(update=changes), world.tasks, folder=Path(folder))
        return coordinator_view(Path(folder))


def _verdict(with_it: list[Linked], without: list[Linked], world: World) -> Verdict:
    """Judge the run's last pair of rounds, when its models are trained longest."""
    noised = with_it[-1]
    bare = next(pair for pair in without if pair.rounds == noised.rounds)
    chance = 1 / noised.links
    by_cluster = min(1.0, len(set(world.federation.truth.values())) / noised.links)
    low, high = noised.interval
    extras: dict[str, Extra] = {
        "chance": chance,
        "chance_within_cluster": by_cluster,
        "clients": noised.links,
        "clients_without": bare.links,
        "rounds": _between(noised),
        "attacker": noised.best,
        "attacker_without": bare.best,
        **{f"with_defence, {_between(pair)}": pair.share for pair in with_it},
        **{f"without_defence, {_between(pair)}": pair.share for pair in without},
    }
    told = "above" if low > chance else "not distinguishable from"
    return Verdict(
        metric="top-1 share",
        with_defence=noised.share,
        without_defence=bare.share,
        bound=None,
        interval_with=(low, high),
        interval_without=bare.interval,
        level=LEVEL,
        trials=noised.links,
        passed=True,
        verdict=f"no promise: {told} chance ({chance:.2f})",
        note=(
            f"Guessing gets {chance:.2f}, guessing within the right cluster {by_cluster:.2f}. "
            f"Without noise the vectors of {_between(without[-1])} link {without[-1].share:.2f}. "
            "Privacy of single examples promises nothing about whole clients, and in this mode "
            "the coordinator knows the senders anyway; only a sealed clustering takes the vectors "
            "away from it."
        ),
        extras=extras,
    )


def _between(pair: Linked) -> str:
    return f"rounds {pair.rounds[0]} to {pair.rounds[1]}"
