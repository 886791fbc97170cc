"""Splits of one data set into clients with planted clusters.

`partition` makes every kind of the paper: a rule says how many examples of each class each client
gets, random examples fill these counts without replacement, and a shift changes what a cluster
sees. `label_skew_1` hands out all examples instead. The order of client ids is shuffled, so that an
id says nothing about the cluster, and so is the order of a client's examples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from secure_clove.data import histograms as rules
from secure_clove.data import shift as shifts
from secure_clove.data.cells import Hand, Indices, cells_of, deal
from secure_clove.data.dataset import Dataset, Part
from secure_clove.data.federation import ClientData, Features, Federation, Labels
from secure_clove.data.histograms import Request, Rule
from secure_clove.data.shift import Scene, Shift, ShiftRule
from secure_clove.errors import ConfigError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import Rng, stream

HELD_OUT = 8
"""One held-out example for so many training examples, where nothing else is asked. MNIST has six
training examples for one of its test part, so that every split finds enough of every class."""

WRITERS = "writers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How a partition makes its clusters differ.

    Attributes:
        rule: Which classes a client holds, and how many examples of each.
        shift: What a cluster does to its examples.
        has_groups: Whether the rule tells the data set's own groups apart.
    """

    rule: Rule
    shift: ShiftRule = shifts.unchanged
    has_groups: bool = False


KINDS: Mapping[str, Kind] = {
    "label-skew-1": Kind(rule=rules.pairs),
    "label-skew-2": Kind(rule=rules.overlapping),
    "label-skew-3": Kind(rule=rules.all_but_one),
    "label-skew-4": Kind(rule=rules.dominant),
    "ring-pairs": Kind(rule=rules.ring_pairs),
    "single-class": Kind(rule=rules.single),
    "label-pairs": Kind(rule=rules.every_pair),
    "feature-skew": Kind(rule=rules.alike, shift=shifts.rotated),
    "label-permutation": Kind(rule=rules.alike, shift=shifts.permuted),
    "concept-shift": Kind(rule=rules.alike, shift=shifts.swapped),
    "quantity-dirichlet": Kind(rule=rules.dirichlet_sizes),
    "quantity-lognormal": Kind(rule=rules.lognormal_sizes),
    "groups": Kind(rule=rules.grouped, has_groups=True),
}
"""Every kind but `WRITERS`, by name."""


def partition(
    dataset: Dataset,
    *,
    kind: str,
    clusters: int,
    clients_per_cluster: int,
    examples: int | None,
    test_examples: int | None = None,
    seed: int,
) -> Federation:
    """Return ``dataset`` divided among clients of planted clusters.

    A client's held-out examples have the label proportions of its training examples, up to whole
    numbers. They come from the test part if there is one, and from the training part otherwise. No
    example is used twice. A held-out example and a training example of a client are shifted alike.

    Args:
        dataset: What to divide.
        kind: A name of `KINDS`, or ``writers``: each client is a writer with all of its examples,
            in one cluster, because nobody knows which writers belong together.
        clusters: Count of clusters.
        clients_per_cluster: Clients in each of them.
        examples: Training examples of each client (their mean for the quantity kinds); None for
            ``writers`` only.
        test_examples: Held-out examples of each client; None: one for `HELD_OUT` training examples.
        seed: Other seeds divide otherwise. (The authors' code uses one partition for all seeds.)

    Raises:
        ConfigError: a request that the data cannot serve, with the numbers.

    Source: CLoVE, section 5.1, appendices C and D.1.2, and the authors' code.
    """
    if kind == WRITERS:
        _check_writers(clusters, examples, test_examples)
        return _by_writer(dataset, clients_per_cluster, seed)
    if kind not in KINDS:
        raise ConfigError(f"no kind '{kind}'; choose one of {', '.join([*KINDS, WRITERS])}")
    if examples is None:
        raise ConfigError(f"kind '{kind}' needs a count of examples; only '{WRITERS}' does not")
    held = examples // HELD_OUT if test_examples is None else test_examples
    if held < 0 or examples < 1:
        raise ConfigError(f"examples={examples}, test_examples={held}: at least 1 and 0 needed")
    chosen, per_hand = KINDS[kind], examples if dataset.test else examples + held
    cells = cells_of(dataset, dataset.train, has_groups=chosen.has_groups)
    request = Request(
        counts=cells.counts,
        clusters=clusters,
        clients=clients_per_cluster,
        examples=per_hand,
        groups=cells.groups,
        rng=stream(seed, "partition", kind, "histograms"),
    )
    changes = chosen.shift(_scene(dataset, clusters), stream(seed, "partition", kind, "shift"))
    rng = stream(seed, "partition", kind, "deal")
    dealt = deal(dataset, cells, chosen.rule(request), share=held / per_hand, rng=rng)
    truth = [k for k in range(clusters) for _ in range(clients_per_cluster)]
    return _federation(dataset, kind, dealt, truth, [changes[k] for k in truth], seed)


def _scene(dataset: Dataset, clusters: int) -> Scene:
    shape = dataset.train.x.shape[1:]
    return Scene(clusters=clusters, classes=len(dataset.classes), shape=shape)


def _by_writer(dataset: Dataset, clients: int, seed: int) -> Federation:
    cells = cells_of(dataset, dataset.train, has_groups=True)
    rng = stream(seed, "partition", WRITERS, "histograms")
    if not 1 <= clients <= cells.groups:
        raise ConfigError(f"the data has {cells.groups} writers, {clients} were asked for")
    chosen = np.sort(rng.choice(cells.groups, clients, replace=False))
    dealt = [
        (np.flatnonzero(dataset.train.groups == g), _of_group(dataset.test, int(g))) for g in chosen
    ]
    return _federation(dataset, WRITERS, dealt, [0] * clients, [Shift()] * clients, seed)


def _of_group(part: Part | None, group: int) -> Indices:
    return np.zeros(0, np.int64) if part is None else np.flatnonzero(part.groups == group)


def _check_writers(clusters: int, examples: int | None, test_examples: int | None) -> None:
    if clusters != 1 or examples is not None or test_examples is not None:
        raise ConfigError(
            "writers are one cluster and bring all of their examples: clusters=1, examples=None, "
            f"test_examples=None; clusters={clusters}, examples={examples}, "
            f"test_examples={test_examples} were asked for"
        )


def _federation(
    dataset: Dataset,
    kind: str,
    dealt: Sequence[Hand],
    truth: Sequence[int],
    changes: Sequence[Shift],
    seed: int,
) -> Federation:
    ids = shuffled_ids(len(dealt), stream(seed, "partition", "ids"))
    order = np.argsort(ids)
    data = [_client(dataset, dealt[i], changes[i]) for i in order]
    return Federation(
        name=f"{dataset.provenance.dataset} {kind}",
        clients={ids[i]: own for i, own in zip(order, data, strict=True)},
        truth={ids[i]: truth[i] for i in order},
        classes=len(dataset.classes),
    )


def _client(dataset: Dataset, hand: Hand, change: Shift) -> ClientData:
    train, test = hand
    held = dataset.train if dataset.test is None else dataset.test
    return ClientData(
        train_x=_features(dataset, dataset.train, train, change),
        train_y=change.of_labels(dataset.train.y[train]),
        test_x=_features(dataset, held, test, change),
        test_y=change.of_labels(held.y[test]),
    )


def _features(dataset: Dataset, part: Part, indices: Indices, change: Shift) -> Features:
    return np.ascontiguousarray(dataset.features(change.of_examples(part.x[indices])))


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
    ids = shuffled_ids(len(dealt), stream(seed, "partition", "ids"))
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


def shuffled_ids(count: int, rng: Rng) -> list[ClientId]:
    """Return ``count`` numbered ids of one width in random order."""
    width = max(2, len(str(count - 1)))
    return [ClientId(f"client-{place:0{width}d}") for place in rng.permutation(count)]
