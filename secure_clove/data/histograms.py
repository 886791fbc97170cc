"""How many examples of each class every client of a partition gets.

A rule turns a request into one histogram per client, clients of cluster 0 first. It never sees an
example. Clients of a cluster draw their share of the cluster's pool at random, so their histograms
differ by chance but come from one distribution.

Source: CLoVE, section 5.1 and appendix D.1.2, with the details of the authors' code.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import ceil

import numpy as np
from numpy.typing import NDArray

from secure_clove.errors import ConfigError
from secure_clove.foundation.seeds import Rng

Counts = NDArray[np.int64]

ALPHA = 0.5
"""Concentration of every Dirichlet distribution here. Source: CLoVE, section 5.1."""

DOMINANT = 2 / 3
"""Share of a client's examples that are of its cluster's class. Source: appendix D.1.2."""

SET_SIZE, SHARED = 4, 2
"""Classes of a cluster, and of two clusters in common. Source: section 5.1, image sets."""

SPREAD = 1.0
"""Standard deviation of the logarithm of a client's size."""

TRIES = 200
"""Fresh starts of the search for overlapping sets."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Request:
    """What a partition asks for.

    Attributes:
        counts: Examples of each class in the pool, shape (classes,); with groups, of each class
            of group 0, then of group 1, and so on.
        clusters: Count of clusters, >= 1.
        clients: Clients in each cluster, >= 1.
        examples: Examples of each client, >= 1.
        groups: Count of groups that `grouped` tells apart; 1 for every other rule.
        rng: The partition's randomness.
    """

    counts: Counts = field(repr=False)
    clusters: int
    clients: int
    examples: int
    groups: int = 1
    rng: Rng = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse counts below one.

        Raises:
            ConfigError: which.
        """
        if min(self.clusters, self.clients, self.examples) < 1:
            raise ConfigError("clusters, clients per cluster and examples must be at least 1")

    @property
    def need(self) -> int:
        """Examples of one cluster."""
        return self.clients * self.examples


Rule = Callable[[Request], Counts]
"""Returns one row per client, shape (clusters * clients, classes)."""


# ---- the same classes for everybody


def alike(request: Request) -> Counts:
    """Return random histograms of the whole pool: every client has the same distribution."""
    sizes = np.full(request.clusters * request.clients, request.examples)
    return _shares(request.counts, sizes, request.rng)


def dirichlet_sizes(request: Request) -> Counts:
    """Return histograms of one distribution whose sizes are proportional to Dirichlet draws."""
    count = _one_cluster(request)
    return _of_sizes(request, request.rng.dirichlet(np.full(count, ALPHA)))


def lognormal_sizes(request: Request) -> Counts:
    """Return histograms of one distribution whose sizes are proportional to log-normal draws."""
    count = _one_cluster(request)
    return _of_sizes(request, request.rng.lognormal(sigma=SPREAD, size=count))


def _one_cluster(request: Request) -> int:
    if request.clusters != 1:
        raise ConfigError(
            f"clients that differ in size only are one cluster, {request.clusters} were asked for"
        )
    return request.clients


def _of_sizes(request: Request, weights: NDArray[np.float64]) -> Counts:
    sizes = 1 + whole(weights, request.need - request.clients)  # nobody is left without examples
    return _shares(request.counts, sizes, request.rng)


# ---- groups of the data itself


def grouped(request: Request) -> Counts:
    """Return histograms in which cluster k draws from group k, such as one kind of product."""
    if request.clusters > request.groups:
        raise ConfigError(
            f"the data has {request.groups} groups, {request.clusters} clusters were asked for"
        )
    pools = request.counts.reshape(request.groups, -1)
    sizes = np.full(request.clients, request.examples)
    rows = np.zeros((request.clusters, request.clients, *pools.shape), dtype=np.int64)
    for k in range(request.clusters):
        rows[k, :, k] = _shares(pools[k], sizes, request.rng)
    return rows.reshape(-1, pools.size)


# ---- label skew


def single(request: Request) -> Counts:
    """Return the split of the unsupervised experiments: cluster k holds class k alone."""
    return _of_sets(request, [{k} for k in range(request.clusters)])


def pairs(request: Request) -> Counts:
    """Return label skew 1: cluster k holds the classes 2k and 2k+1 and nobody else does."""
    return _of_sets(request, [{2 * k, 2 * k + 1} for k in range(request.clusters)])


def ring_pairs(request: Request) -> Counts:
    """Return clusters of two neighbours: cluster k holds the classes k and k+1, the last k and 0.

    Twice as many clusters as label skew 1 can tell apart, each class in two of them.
    """
    classes = len(request.counts)
    if request.clusters > classes or classes < 3:
        raise ConfigError(
            f"{classes} classes make a ring of {classes if classes > 2 else 0} pairs, "
            f"{request.clusters} clusters were asked for"
        )
    return _of_sets(request, [{k, (k + 1) % classes} for k in range(request.clusters)])


def overlapping(request: Request) -> Counts:
    """Return label skew 2: random sets of 4 classes, any two with exactly 2 in common."""
    return _of_sets(request, overlapping_sets(request))


def all_but_one(request: Request) -> Counts:
    """Return label skew 3: clusters lack class 9 (the last), 0, 1, 2, ...; the last lacks none."""
    classes = len(request.counts)
    if request.clusters > classes + 1:
        raise ConfigError(
            f"{request.clusters} clusters that each lack another class need "
            f"{request.clusters - 1} classes, the data has {classes}"
        )
    absent = [{(k - 1) % classes} for k in range(request.clusters - 1)]
    return _of_sets(request, [set(range(classes)) - lacks for lacks in [*absent, set[int]()]])


def dominant(request: Request) -> Counts:
    """Return label skew 4: two thirds of a client are of class k, a third is spread over all."""
    classes = len(request.counts)
    if request.clusters > classes:
        raise ConfigError(
            f"{request.clusters} dominant classes were asked for, the data has {classes}"
        )
    main = round(DOMINANT * request.examples)
    each, spare = divmod(request.examples - main, classes)
    rows = np.full((request.clusters, request.clients, classes), each)
    for k in range(request.clusters):
        rows[k, :, k] += main
        for row in rows[k]:
            row[request.rng.choice(classes, spare, replace=False)] += 1
    return rows.reshape(-1, classes)


def every_pair(request: Request) -> Counts:
    """Return AG News' label skew: every pair of classes is one cluster, in ascending order."""
    found = [set(pair) for pair in combinations(range(len(request.counts)), 2)]
    if request.clusters > len(found):
        raise ConfigError(
            f"{len(request.counts)} classes make {len(found)} pairs, "
            f"{request.clusters} clusters were asked for"
        )
    return _of_sets(request, found[: request.clusters])


def overlapping_sets(request: Request) -> list[set[int]]:
    """Return random sets of `SET_SIZE` classes, any two with exactly `SHARED` in common.

    Raises:
        ConfigError: none were found in `TRIES` tries.
    """
    every = [set(found) for found in combinations(range(len(request.counts)), SET_SIZE)]
    for _ in range(TRIES):
        left, chosen = every, list[set[int]]()
        while left and len(chosen) < request.clusters:
            newest = left[request.rng.integers(len(left))]
            chosen.append(newest)
            left = [found for found in left if len(found & newest) == SHARED]
        if len(chosen) == request.clusters:
            return chosen
    raise ConfigError(
        f"found no {request.clusters} sets of {SET_SIZE} of {len(request.counts)} classes of which "
        f"any two share exactly {SHARED}; ask for fewer clusters"
    )


def _of_sets(request: Request, sets: Sequence[set[int]]) -> Counts:
    """Return histograms of clusters whose classes are known.

    Every cluster is sure of an equal part of each of its classes, enough for its clients together;
    what is left of a class is divided among its clusters by a Dirichlet distribution.
    """
    _check_sets(request, sets)
    holds = np.array([[c in found for c in range(len(request.counts))] for found in sets])
    reserved = holds * np.array([ceil(request.need / len(found)) for found in sets])[:, None]
    left = request.counts - reserved.sum(axis=0)
    if left.min() < 0:
        raise ConfigError(_too_many(request, sets, reserved))
    pools = reserved.copy()
    for label in np.flatnonzero(holds.any(axis=0)):
        who = np.flatnonzero(holds[:, label])
        pools[who, label] += whole(request.rng.dirichlet(np.full(len(who), ALPHA)), left[label])
    sizes = np.full(request.clients, request.examples)
    return np.concatenate([_shares(pool, sizes, request.rng) for pool in pools])


def _check_sets(request: Request, sets: Sequence[set[int]]) -> None:
    highest = max(max(found) for found in sets)
    if highest >= len(request.counts):
        raise ConfigError(
            f"{request.clusters} clusters need {highest + 1} classes, "
            f"the data has {len(request.counts)}; ask for fewer clusters"
        )


def _too_many(request: Request, sets: Sequence[set[int]], reserved: Counts) -> str:
    wanted = reserved.sum(axis=0)
    label = int(np.argmax(wanted - request.counts))
    shares = sum(1 / len(found) for found in sets if label in found)
    most = int(request.counts[label] / shares / request.clients)
    return (
        f"class {label} has {request.counts[label]} examples, its clusters need {wanted[label]}; "
        f"ask for about {most} examples a client, held-out ones included, or fewer clients"
    )


# ---- whole numbers


def _shares(pool: Counts, sizes: Counts, rng: Rng) -> Counts:
    """Return what clients of ``sizes`` draw from ``pool`` one after another, without replacement.

    Raises:
        ConfigError: the pool is too small.
    """
    if sizes.sum() > pool.sum():
        raise ConfigError(
            f"{len(sizes)} clients need {sizes.sum()} examples together, there are {pool.sum()}; "
            f"ask for at most {pool.sum() // len(sizes)} a client, held-out ones included"
        )
    left, rows = pool.copy(), []
    for size in sizes:
        rows.append(rng.multivariate_hypergeometric(left, int(size)))
        left = left - rows[-1]
    return np.array(rows, dtype=np.int64)


def whole(weights: NDArray[np.float64], total: int) -> Counts:
    """Return whole numbers in the proportion of ``weights`` that sum to ``total``.

    Args:
        weights: Shape (n,), >= 0, not all zero.
        total: What to divide, >= 0.
    """
    exact = weights / weights.sum() * total
    parts: Counts = np.floor(exact).astype(np.int64)
    order = np.argsort(parts - exact, kind="stable")  # largest remainders first
    parts[order[: total - parts.sum()]] += 1
    return parts
