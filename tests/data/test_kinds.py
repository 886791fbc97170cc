"""Every kind of partition: without replacement, of the sizes asked, reproducible, and anonymous."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_clove.data.dataset import Dataset
from secure_clove.data.federation import Federation
from secure_clove.data.histograms import SHARED, Request, overlapping_sets, whole
from secure_clove.data.paper import PAPER_SIZES
from secure_clove.data.partition import KINDS, WRITERS, partition
from secure_clove.errors import ConfigError
from tests.data.builders import every_number, numbers, tiny

PLAIN = sorted(set(KINDS) - {"feature-skew"})  # a turned image hides its number
MOST = {"quantity-dirichlet": 1, "quantity-lognormal": 1, "groups": 3, "concept-shift": 4}
TEN = tiny([80] * 10, test=[20] * 10, groups=3)
ALONE = tiny([100] * 10, groups=3)


def split(
    kind: str = "label-skew-1", *, dataset: Dataset = TEN, **changes: int | None
) -> Federation:
    asked: dict[str, int | None] = {"clusters": 2, "clients_per_cluster": 3, "examples": 8}
    if kind.startswith("quantity"):
        asked["clusters"] = 1
    made = asked | {"test_examples": 2, "seed": 0} | changes
    return partition(dataset, kind=kind, **made)  # type: ignore[arg-type]


@st.composite
def made(draw: st.DrawFn) -> tuple[Dataset, dict[str, int], Federation]:
    kind = draw(st.sampled_from(PLAIN))
    dataset = draw(st.sampled_from([TEN, ALONE]))
    asked = {
        "clusters": draw(st.integers(1, MOST.get(kind, 3))),
        "clients_per_cluster": draw(st.integers(1, 3)),
        "examples": draw(st.integers(4, 16)),
        "test_examples": draw(st.integers(0, 3)),
        "seed": draw(st.integers(0, 2**32)),
    }
    return dataset, asked, split(kind, dataset=dataset, **asked)


Made = tuple[Dataset, dict[str, int], Federation]
quick = settings(deadline=None, max_examples=80)


@quick
@given(made())
def test_no_example_is_used_twice(case: Made) -> None:
    used = every_number(case[2])
    assert len(used) == len(set(used))


@quick
@given(made())
def test_everybody_gets_what_was_asked(case: Made) -> None:
    _, asked, found = case
    rows = found.report()
    clients = asked["clusters"] * asked["clients_per_cluster"]
    assert len(rows) == clients
    assert sum(row.train for row in rows) >= 1
    if not found.name.split()[1].startswith("quantity"):
        assert {(r.train, r.test) for r in rows} == {(asked["examples"], asked["test_examples"])}
    sizes = np.bincount(list(found.truth.values()))
    assert sizes.tolist() == [asked["clients_per_cluster"]] * asked["clusters"]


@quick
@given(made())
def test_held_out_examples_come_from_the_test_part_if_there_is_one(case: Made) -> None:
    dataset, _, found = case
    for data in found.clients.values():
        is_test = [n >= len(dataset.y) for n in numbers(data.test_x)]
        assert all(is_test) if dataset.test is not None else not any(is_test)
        assert all(n < len(dataset.y) for n in numbers(data.train_x))


@quick
@given(made())
def test_train_and_test_have_the_same_label_proportions(case: Made) -> None:
    for data in case[2].clients.values():
        train, test = (np.bincount(y, minlength=10) for y in (data.train_y, data.test_y))
        if case[0].test is None:
            train = train + test  # the held-out examples were cut out of these
        expected = train * len(data.test_y) / train.sum()
        assert np.abs(test - expected).max() < 1


@quick
@given(made())
def test_a_label_is_that_of_its_example_renamed_alike_in_a_cluster(case: Made) -> None:
    dataset, _, found = case
    y = dataset.y if dataset.test is None else np.concatenate([dataset.y, dataset.test.y])
    names: dict[tuple[int, int], set[int]] = {}
    for client, data in found.clients.items():
        for x, labels in ((data.train_x, data.train_y), (data.test_x, data.test_y)):
            for number, label in zip(numbers(x), labels.tolist(), strict=True):
                names.setdefault((found.truth[client], int(y[number])), set()).add(label)
    assert all(len(found) == 1 for found in names.values())


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_same_seed_gives_the_same_partition(kind: str) -> None:
    first, second = split(kind), split(kind)
    assert first.truth == second.truth
    for client, data in first.clients.items():
        other = second.clients[client]
        assert data.train_x.tobytes() == other.train_x.tobytes()
        assert data.test_x.tobytes() == other.test_x.tobytes()
        assert data.train_y.tolist() == other.train_y.tolist()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_another_seed_gives_another_partition(kind: str) -> None:
    first, second = (
        [d.train_x.tobytes() for d in split(kind, seed=s).clients.values()] for s in (0, 1)
    )
    assert set(first).isdisjoint(second)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"quantity-dirichlet", "quantity-lognormal"}))
def test_the_order_of_ids_says_nothing_about_the_cluster(kind: str) -> None:
    orders = [tuple(split(kind, seed=seed).truth.values()) for seed in range(12)]
    first = np.mean([order[0] for order in orders])
    assert len(set(orders)) > 5
    assert 0 < first < 1


def test_the_order_of_examples_says_nothing_about_their_class() -> None:
    found = split("label-skew-3", examples=60, clients_per_cluster=1)
    for data in found.clients.values():
        assert data.train_y.tolist() != sorted(data.train_y.tolist())
        assert numbers(data.train_x) != sorted(numbers(data.train_x))


def test_unless_told_one_example_in_eight_is_held_out() -> None:
    rows = split(examples=16, test_examples=None).report()
    assert {(row.train, row.test) for row in rows} == {(16, 2)}


# ---- what each kind means


def classes(found: Federation) -> dict[int, set[int]]:
    """Return the classes that each cluster holds."""
    held: dict[int, set[int]] = {}
    for client, data in found.clients.items():
        held.setdefault(found.truth[client], set()).update(data.train_y.tolist())
    return held


def test_label_skew_1_gives_two_classes_to_a_cluster() -> None:
    found = classes(split("label-skew-1", clusters=5))
    assert found == {k: {2 * k, 2 * k + 1} for k in range(5)}


@given(st.integers(0, 200), st.integers(2, 5))
def test_label_skew_2_sets_share_exactly_two_classes(seed: int, clusters: int) -> None:
    request = Request(
        counts=np.full(10, 9),
        clusters=clusters,
        clients=1,
        examples=1,
        rng=np.random.default_rng(seed),
    )
    found = overlapping_sets(request)
    assert [len(held) for held in found] == [4] * clusters
    assert all(len(a & b) == SHARED for a, b in combinations(found, 2))


def test_label_skew_2_clients_hold_the_classes_of_their_set() -> None:
    found = classes(split("label-skew-2", clusters=3, examples=20))
    assert all(len(held) <= 4 for held in found.values())


def test_label_skew_3_leaves_out_9_0_1_2_and_nothing() -> None:
    found = classes(split("label-skew-3", clusters=5, clients_per_cluster=2, examples=60))
    lacks = {k: set(range(10)) - held for k, held in found.items()}
    assert lacks == {0: {9}, 1: {0}, 2: {1}, 3: {2}, 4: set()}


def test_label_skew_4_has_one_class_for_two_thirds() -> None:
    found = split("label-skew-4", clusters=3, examples=30, clients_per_cluster=1)
    for client, data in found.clients.items():
        counts = np.bincount(data.train_y, minlength=10)
        assert counts[found.truth[client]] == 20 + 1
        assert set(np.delete(counts, found.truth[client]).tolist()) == {1}


def test_ring_pairs_are_neighbours_and_the_last_closes_the_ring() -> None:
    found = classes(split("ring-pairs", clusters=10, examples=9))
    assert found == {k: {k, (k + 1) % 10} for k in range(10)}


def test_label_pairs_are_every_pair_in_order() -> None:
    news = tiny([60] * 4, test=[30] * 4)
    found = classes(split("label-pairs", dataset=news, clusters=6, examples=9))
    assert [found[k] for k in range(6)] == [{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}]


def test_single_class_gives_a_cluster_one_class() -> None:
    assert classes(split("single-class", clusters=4)) == {k: {k} for k in range(4)}


def test_shared_classes_are_divided_unevenly_but_nobody_goes_short() -> None:
    found = split("label-skew-3", clusters=5, clients_per_cluster=1, examples=60)
    counts = np.array([row.labels for row in found.report()], dtype=float)
    assert counts.sum(axis=1).min() == 62
    assert (counts.max(axis=1) > 2 * np.median(counts, axis=1)).any()


def test_feature_skew_turns_the_images_and_leaves_the_labels() -> None:
    found = split("feature-skew", clusters=4, clients_per_cluster=1, dataset=tiny([40] * 10))
    corners = {0: (0, 0), 1: (1, 0), 2: (1, 1), 3: (0, 1)}  # of the pixel that holds the number
    for client, data in found.clients.items():
        row, column = corners[found.truth[client]]
        for x in (data.train_x, data.test_x):
            held = np.zeros_like(x)
            held[:, 0, row, column] = x[:, 0, row, column]
            assert (held == x).all()


def test_concept_shift_gives_all_classes_to_everybody() -> None:
    found = split("concept-shift", clusters=4, clients_per_cluster=1, examples=100)
    assert all(held == set(range(10)) for held in classes(found).values())


@pytest.mark.parametrize("kind", ["quantity-dirichlet", "quantity-lognormal"])
@pytest.mark.parametrize("seed", range(5))
def test_quantity_skew_keeps_the_total_and_leaves_nobody_empty(kind: str, seed: int) -> None:
    rows = split(kind, clients_per_cluster=20, examples=30, test_examples=0, seed=seed).report()
    sizes = [row.train for row in rows]
    assert sum(sizes) == 600
    assert min(sizes) >= 1
    assert max(sizes) > 2 * min(sizes)
    assert {row.cluster for row in rows} == {0}


def test_groups_keep_to_themselves() -> None:
    found = split("groups", clusters=3)
    for client, data in found.clients.items():
        assert {n % 3 for n in numbers(data.train_x)} == {found.truth[client]}


# ---- writers


def by_writer(dataset: Dataset = TEN, *, writers: int = 2, seed: int = 0) -> Federation:
    return partition(
        dataset,
        kind=WRITERS,
        clusters=1,
        clients_per_cluster=writers,
        examples=None,
        seed=seed,
    )


def test_a_writer_is_one_client_with_all_of_its_examples() -> None:
    found = by_writer(writers=3)
    assert sorted(every_number(found)) == list(range(1000))
    for data in found.clients.values():
        (writer,) = {n % 3 for n in numbers(data.train_x)}
        assert {(n - 800) % 3 for n in numbers(data.test_x)} == {writer}
    assert set(found.truth.values()) == {0}


def test_writers_are_chosen_by_the_seed() -> None:
    chosen = {tuple(sorted(every_number(by_writer(writers=1, seed=s)))[:1]) for s in range(12)}
    assert len(chosen) == 3


def test_real_writers_keep_all_of_their_images(real: Callable[[str, str], Dataset]) -> None:
    dataset = real("femnist", "writers")
    rows = by_writer(dataset, writers=105).report()
    assert sum(row.train for row in rows) == len(dataset.y)


# ---- refusals


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        ("label-skew-9", {}, "no kind .*; choose one of label-skew-1"),
        ("label-skew-1", {"examples": None}, "needs a count"),
        ("label-skew-1", {"clusters": 0}, "at least 1"),
        ("label-skew-1", {"clients_per_cluster": 0}, "at least 1"),
        ("label-skew-1", {"examples": 0}, "at least 1 and 0"),
        ("label-skew-1", {"test_examples": -1}, "at least 1 and 0"),
        ("label-skew-1", {"clusters": 6}, "need 12 classes, the data has 10"),
        ("label-skew-1", {"examples": 54}, "class 0 has 80 .* need 81; ask for about 53 "),
        ("label-skew-1", {"test_examples": 40}, "test part has 20 examples of class"),
        ("label-skew-2", {"clusters": 30}, "found no 30 sets of 4 of 10 classes"),
        ("label-skew-3", {"clusters": 12}, "need 11 classes, the data has 10"),
        ("label-skew-4", {"clusters": 11}, "11 dominant classes .* has 10"),
        ("label-skew-4", {"examples": 60}, "training part has 80 .* need"),
        ("label-pairs", {"clusters": 46}, "10 classes make 45 pairs, 46"),
        ("single-class", {"clusters": 11}, "need 11 classes"),
        ("ring-pairs", {"clusters": 11}, "a ring of 10 pairs, 11"),
        ("concept-shift", {"clusters": 5}, "up to 4 clusters"),
        ("feature-skew", {"clusters": 5}, "4 quarter turns, 5"),
        ("feature-skew", {"examples": 200}, "need 1200 .* are 800; ask for at most 133"),
        ("quantity-dirichlet", {"clusters": 2}, "one cluster, 2 were asked for"),
        ("groups", {"clusters": 4}, "3 groups, 4 clusters"),
        ("groups", {"examples": 100}, "3 clients need 300 examples .* are 26"),
        (WRITERS, {"examples": None, "clusters": 2}, "clusters=2"),
        (WRITERS, {"clusters": 1}, "examples=8"),
    ],
)
def test_an_impossible_request_is_refused_with_the_numbers(
    kind: str, changes: dict[str, int | None], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        split(kind, dataset=TEN, **changes)


def test_more_writers_than_there_are_are_refused() -> None:
    with pytest.raises(ConfigError, match="has 3 writers, 4 were asked for"):
        by_writer(writers=4)


@pytest.mark.parametrize("kind", ["groups", WRITERS])
def test_a_set_that_names_no_groups_is_refused(kind: str) -> None:
    nobody, examples = tiny([9, 9], test=[3, 3]), 2 if kind == "groups" else None
    with pytest.raises(ConfigError, match="does not say whose"):
        partition(nobody, kind=kind, clusters=1, clients_per_cluster=1, examples=examples, seed=0)


def test_the_largest_count_that_an_error_names_is_possible() -> None:
    assert split(examples=53).report()


# ---- the paper's sizes


@pytest.mark.parametrize(
    "size",
    [s for s in PAPER_SIZES if s.dataset in ("mnist", "fashion-mnist") and s.kind is not None],
    ids=lambda size: f"{size.experiment} {size.dataset}",
)
def test_mnist_and_fashion_serve_every_size_of_the_paper(
    size: object, real: Callable[[str, str], Dataset]
) -> None:
    asked = next(s for s in PAPER_SIZES if s is size)
    found = partition(
        real(asked.dataset, "idx"),
        kind=asked.kind or "",
        clusters=asked.clusters,
        clients_per_cluster=asked.clients // asked.clusters,
        examples=asked.examples,
        seed=1,
    )
    assert len(found.clients) == asked.clients


def test_the_paper_sizes_divide_evenly_into_clusters() -> None:
    assert [s for s in PAPER_SIZES if s.clients % s.clusters] == []


# ---- arithmetic


@given(
    st.lists(st.floats(0, 10), min_size=1, max_size=8).filter(lambda w: sum(w) > 1e-3),
    st.integers(0, 500),
)
def test_whole_parts_sum_up_and_stay_within_one_of_the_exact_ones(
    weights: list[float], total: int
) -> None:
    exact = np.array(weights)
    parts = whole(exact, total)
    assert parts.sum() == total
    assert np.abs(parts - exact / exact.sum() * total).max() < 1 + 1e-9
