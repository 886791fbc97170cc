"""A5: cluster membership, whether sums, sizes and who takes part give away a client's cluster.

With visible membership a client's cluster is told: its sums are its cluster's own. With hidden
membership a training sum has a slot for every model, and all that links a client to a slot is who
was in which sum: when somebody is missing, the difference between two sums is what that client
would have added. The attacker solves for every client's part of every slot at once. Another one
looks at the bytes of all messages.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from secure_clove.errors import NotFoundError
from secure_clove.foundation.ids import ClientId
from threat_models import statistics as stats
from threat_models.base import Case, Extra, Interval, NotApplicable, Outcome, Tick, Verdict
from threat_models.views import CoordinatorView, MaskedSum
from threat_models.world import World

LEVEL = 0.95
"""Confidence of the intervals."""

Rows = NDArray[np.float64]
"""One row a client."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Beliefs:
    """How sure a coordinator is which model each client has.

    Attributes:
        clients: In the order of the rows.
        shares: (M, K) a share for every model, each row adding up to 1.
        is_told: Whether the groups of sums name them.
    """

    clients: tuple[ClientId, ...]
    shares: Rows = field(repr=False)
    is_told: bool


def disaggregate(prior: Rows, members: NDArray[np.bool_], sums: Rows) -> Rows:
    """Return the rows nearest to ``prior`` that add up to ``sums``.

    Args:
        prior: (M, p) what is believed of each client before.
        members: (S, M) who is in which sum.
        sums: (S, p).
    """
    weights = members.astype(np.float64)
    found: Rows = prior + np.linalg.pinv(weights) @ (sums - weights @ prior)
    return found


def in_sums(sums: tuple[MaskedSum, ...], clients: tuple[ClientId, ...]) -> NDArray[np.bool_]:
    """Return who of ``clients`` is in which sum, (S, M)."""
    return np.array([[client in seen.members for client in clients] for seen in sums])


def beliefs(view: CoordinatorView) -> Beliefs:
    """Return what training sums say about membership.

    Raises:
        NotFoundError: there is no training sum.
    """
    trained = view.summed("train")
    if not trained:
        raise NotFoundError("no sum of this run belongs to a model")
    clients = tuple(sorted({client for seen in trained for client in seen.members}))
    is_told = trained[0].total["examples"].ndim == 0
    shares = _told(trained, clients, view) if is_told else _solved(trained, clients)
    return Beliefs(clients=clients, shares=shares, is_told=is_told)


def _told(
    trained: tuple[MaskedSum, ...], clients: tuple[ClientId, ...], view: CoordinatorView
) -> Rows:
    """Return certainty about the group that a client was last summed with."""
    last = {client: seen.group for seen in trained for client in seen.members}
    certain: Rows = np.eye(view.config.clusters)[[last[client] for client in clients]]
    return certain


def _solved(trained: tuple[MaskedSum, ...], clients: tuple[ClientId, ...]) -> Rows:
    """Return each client's share of the examples in each slot, as all sums together have it."""
    totals = np.array([seen.total["examples"] for seen in trained])
    members = in_sums(trained, clients)
    typical = totals.sum(axis=0) / members.sum()
    found = disaggregate(np.tile(typical, (len(clients), 1)), members, totals)
    positive = np.maximum(found, 1e-9)
    shares: Rows = positive / positive.sum(axis=1, keepdims=True)
    return shares


# ---- guesses: (M,) a planted cluster for every client


def by_sums(case: Case, known: Beliefs) -> NDArray[np.int64]:
    """Guess the likeliest model, by the name of the cluster that it fits best."""
    likeliest = (known.shares > known.shares.max(axis=1, keepdims=True) - 1e-6).argmax(axis=1)
    named: NDArray[np.int64] = _names(case)[likeliest]
    return named


def by_bytes(case: Case, known: Beliefs) -> NDArray[np.int64]:
    """Guess the commonest cluster of the others whose messages have the most sizes in common.

    The attacker is given the true clusters of all others.
    """
    table, truth = _sizes(case.view, known.clients), _truth(case.world, known.clients)
    guesses = []
    for client, row in enumerate(table):
        others = np.delete(np.arange(len(table)), client)
        alike = (table[others] == row).sum(axis=1)
        near = truth[others[alike == alike.max()]]
        guesses.append(int(np.bincount(near).argmax()))
    return np.array(guesses)


def _sizes(view: CoordinatorView, clients: tuple[ClientId, ...]) -> NDArray[np.int64]:
    """Return the bytes of every message, (M, messages); -1 where there was none."""
    columns = [heard for seen in view.sums for heard in seen.sent.values()]
    return np.array([[heard.get(client, -1) for heard in columns] for client in clients])


def _names(case: Case) -> NDArray[np.int64]:
    """Return for each model the planted cluster whose clients have the least loss on it."""
    models, world = _models(case.view), case.world
    losses: dict[int, list[NDArray[np.float64]]] = {}
    for client, cluster in world.federation.truth.items():
        rows = world.learner(client, case.view.config).losses(models)
        losses.setdefault(cluster, []).append(rows.mean(axis=0))
    clusters = np.array(sorted(losses))
    means = np.array([np.mean(losses[int(cluster)], axis=0) for cluster in clusters])
    names: NDArray[np.int64] = clusters[means.argmin(axis=0)]
    return names


def _models(view: CoordinatorView) -> NDArray[np.float64]:
    """Return the models (K, d) sent out last."""
    trained = view.summed("train")
    if "models" in trained[-1].ask:
        return np.asarray(trained[-1].ask["models"])
    last = {seen.group: seen.ask["model"] for seen in trained}
    known = next(iter(last.values()))
    return np.array([last.get(group, known) for group in range(view.config.clusters)])


def _truth(world: World, clients: tuple[ClientId, ...]) -> NDArray[np.int64]:
    return np.array([world.federation.truth[client] for client in clients])


# ---- the measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """The attack on a run; see the module."""

    code: str = "A5"
    title: str = "Telling a client's cluster"
    adversary: str = (
        "a server that remembers every sum, who was in it, and the size of every message; for "
        "the sizes, with the true clusters of all other clients"
    )

    def work(self, case: Case, trials: int) -> int:
        """Return how many units of work `run` will tell about."""
        return 1

    def run(self, case: Case, trials: int, tick: Tick) -> Outcome:
        """Guess every client's cluster from the run's own transcript."""
        tick(1)
        if case.view.config.build().initial_models < 2 or not case.view.summed("train"):
            return NotApplicable(reason="no sum of this run belongs to one of several models")
        case.world.check(case.view.config)
        known = beliefs(case.view)
        truth = _truth(case.world, known.clients)
        hits = {
            "sums": int((by_sums(case, known) == truth).sum()),
            "message sizes": int((by_bytes(case, known) == truth).sum()),
        }
        return _verdict(case, known, hits, Counter(truth.tolist()).most_common(1)[0][1])


def _verdict(case: Case, known: Beliefs, hits: dict[str, int], largest: int) -> Verdict:
    count = len(known.clients)
    best = max(hits, key=lambda name: hits[name])
    low, high = _interval(hits[best], count, len(hits))
    majority = largest / count
    varies = not known.is_told and len({seen.members for seen in case.view.summed("train")}) > 1
    extras: dict[str, Extra] = {
        "majority_class": majority,
        "clients": count,
        "attacker": best,
        "cohorts_varied": varies,
        **{f"with_defence, by {name}": found / count for name, found in hits.items()},
    }
    passed = known.is_told or low <= majority
    return Verdict(
        metric="share of clusters told",
        with_defence=hits[best] / count,
        without_defence=1.0,
        bound=None if known.is_told else majority,
        interval_with=(low, high),
        interval_without=_interval(count, count, 1),
        level=LEVEL,
        trials=count,
        passed=passed,
        verdict=_words(known, passed=passed),
        note=_note(known, majority, varies=varies),
        extras=extras,
    )


def _interval(hits: int, count: int, attackers: int) -> Interval:
    return stats.share_interval(hits, count, 1 - (1 - LEVEL) / attackers)


def _words(known: Beliefs, *, passed: bool) -> str:
    if known.is_told:
        return "no promise: in this mode the coordinator knows every client's cluster"
    return "holds" if passed else "LEAK: the claim is refuted"


def _note(known: Beliefs, majority: float, *, varies: bool) -> str:
    if known.is_told:
        return "Every cluster has sums of its own, so who is in them is who is in the cluster."
    told = f"Always naming the largest cluster gets {majority:.2f}. "
    if varies:
        return (
            f"{told}Not the same clients took part in every round, and differences between sums "
            "tell the clusters of those who were missing; hidden membership is promised where "
            "all rounds have the same clients."
        )
    return f"{told}The same clients were in every sum, so no difference between sums tells more."
