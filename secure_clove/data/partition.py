"""Splits of one data set into clients with planted clusters.

A split says which examples belong to each cluster; `_deal` then shares a cluster's examples out to
its clients. The order of client ids is shuffled, so that an id says nothing about the cluster.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from secure_clove.data.federation import ClientData, Features, Federation, Labels
from secure_clove.errors import ConfigError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import Rng, stream

Indices = NDArray[np.int64]


def label_skew_1(
    x: Features,
    y: Labels,
    *,
    clusters: int = 5,
    clients_per_cluster: int = 5,
    test_share: float = 0.2,
    seed: int,
) -> Federation:
    """Return a federation in which cluster k holds the classes 2k and 2k+1 and nobody else does.

    Every example of the classes used goes to exactly one client; each client holds both classes of
    its cluster, as evenly as whole numbers allow, in its training and in its held-out examples.

    Args:
        x: Features, shape (n, ...), float32.
        y: Labels, shape (n,), int64, from 0.
        clusters: Count of clusters, at most half the count of classes.
        clients_per_cluster: Clients in each cluster, at most the examples of its rarest class.
        test_share: Share of each client's examples of a class to hold out, in [0, 1); at least one
            example of the class stays for training.
        seed: Other seeds deal other examples to other ids.

    Raises:
        ConfigError: more clusters or clients than the data can serve, with the numbers.

    Source: CLoVE, section 5 and appendix C, label skew 1.
    """
    counts = np.bincount(y)
    _check(counts, clusters, clients_per_cluster, test_share)
    members = [np.flatnonzero((y == 2 * k) | (y == 2 * k + 1)) for k in range(clusters)]
    dealt = [
        hand
        for k, indices in enumerate(members)
        for hand in _deal(y, indices, clients_per_cluster, rng=stream(seed, "partition", "deal", k))
    ]
    truth = [k for k in range(clusters) for _ in range(clients_per_cluster)]
    ids = _shuffled_ids(len(dealt), stream(seed, "partition", "ids"))
    data = {
        client: _hold_out(x, y, hand, test_share)
        for client, hand in sorted(zip(ids, dealt, strict=True), key=lambda pair: pair[0])
    }
    return Federation(
        name="label-skew-1",
        clients=data,
        truth=dict(sorted(zip(ids, truth, strict=True))),
        classes=len(counts),
    )


def _check(counts: Indices, clusters: int, clients_per_cluster: int, test_share: float) -> None:
    if clusters < 1 or clients_per_cluster < 1:
        raise ConfigError("at least one cluster and one client per cluster are needed")
    if not 0 <= test_share < 1:
        raise ConfigError(f"test_share={test_share} is not in [0, 1)")
    if 2 * clusters > len(counts):
        raise ConfigError(
            f"{clusters} clusters of two classes need {2 * clusters} classes, "
            f"the data has {len(counts)}; ask for at most {len(counts) // 2} clusters"
        )
    rarest = int(np.argmin(counts[: 2 * clusters]))
    if counts[rarest] < clients_per_cluster:
        raise ConfigError(
            f"class {rarest} has {counts[rarest]} examples for {clients_per_cluster} clients; "
            f"ask for at most {counts[rarest]} clients per cluster"
        )


def _deal(y: Labels, indices: Indices, clients: int, *, rng: Rng) -> list[list[Indices]]:
    """Return, for each client, its examples of each class in random order."""
    hands: list[list[Indices]] = [[] for _ in range(clients)]
    for turn, label in enumerate(np.unique(y[indices])):
        parts = np.array_split(rng.permutation(indices[y[indices] == label]), clients)
        # array_split gives the spare examples to the first parts: reversed for every second class
        for hand, part in zip(hands, parts[:: -1 if turn % 2 else 1], strict=True):
            hand.append(part)
    return hands


def _hold_out(x: Features, y: Labels, hand: Sequence[Indices], share: float) -> ClientData:
    cuts = [min(round(share * len(part)), len(part) - 1) for part in hand]
    test = np.concatenate([part[:cut] for part, cut in zip(hand, cuts, strict=True)])
    train = np.concatenate([part[cut:] for part, cut in zip(hand, cuts, strict=True)])
    return ClientData(train_x=x[train], train_y=y[train], test_x=x[test], test_y=y[test])


def _shuffled_ids(count: int, rng: Rng) -> list[ClientId]:
    width = max(2, len(str(count - 1)))
    return [ClientId(f"client-{place:0{width}d}") for place in rng.permutation(count)]
