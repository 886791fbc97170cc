"""Label skew 1 gives every example to one client, two classes a cluster, and hides the cluster."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_clove.data.federation import Features, Federation, Labels
from secure_clove.data.partition import label_skew_1
from secure_clove.data.sources import digits
from secure_clove.errors import ConfigError


def numbered(counts: list[int]) -> tuple[Features, Labels]:
    """Examples whose single feature is their own number, so that each can be followed."""
    y = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
    return np.arange(len(y), dtype=np.float32)[:, None], np.random.default_rng(0).permutation(y)


@st.composite
def requests(draw: st.DrawFn) -> tuple[Features, Labels, Federation]:
    clusters, clients = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    classes = 2 * clusters + draw(st.integers(0, 1))
    counts = draw(st.lists(st.integers(clients, 30), min_size=classes, max_size=classes))
    x, y = numbered(counts)
    made = label_skew_1(
        x,
        y,
        clusters=clusters,
        clients_per_cluster=clients,
        test_share=draw(st.floats(0, 0.9)),
        seed=draw(st.integers(0, 10**6)),
    )
    return x, y, made


def numbers(made: Federation) -> list[int]:
    parts = [x for d in made.clients.values() for x in (d.train_x, d.test_x)]
    return [int(v) for v in np.concatenate(parts)[:, 0]]


@settings(deadline=None, max_examples=60)
@given(requests())
def test_every_example_of_the_used_classes_goes_to_exactly_one_client(
    request: tuple[Features, Labels, Federation],
) -> None:
    _, y, made = request
    used = np.flatnonzero(y < 2 * (max(made.truth.values()) + 1))
    assert sorted(numbers(made)) == used.tolist()


@settings(deadline=None, max_examples=60)
@given(requests())
def test_labels_stay_with_their_features(request: tuple[Features, Labels, Federation]) -> None:
    _, y, made = request
    for data in made.clients.values():
        assert (y[data.train_x[:, 0].astype(int)] == data.train_y).all()
        assert (y[data.test_x[:, 0].astype(int)] == data.test_y).all()


@settings(deadline=None, max_examples=60)
@given(requests())
def test_a_client_trains_on_both_classes_of_its_cluster_and_no_other(
    request: tuple[Features, Labels, Federation],
) -> None:
    _, _, made = request
    for client, data in made.clients.items():
        pair = {2 * made.truth[client], 2 * made.truth[client] + 1}
        assert set(data.train_y.tolist()) == pair
        assert set(data.test_y.tolist()) <= pair


@settings(deadline=None, max_examples=60)
@given(requests())
def test_clients_of_a_cluster_hold_equally_many_of_a_class_up_to_one(
    request: tuple[Features, Labels, Federation],
) -> None:
    _, _, made = request
    for cluster in set(made.truth.values()):
        rows = np.array([r.labels for r in made.report() if r.cluster == cluster])
        assert np.ptp(rows, axis=0).max() <= 1


def test_train_and_test_hold_the_classes_in_the_same_proportion() -> None:
    for data in label_skew_1(*digits(), seed=3).clients.values():
        train, test = np.bincount(data.train_y), np.bincount(data.test_y)
        pair = np.flatnonzero(train)
        assert np.abs(test[pair] / (train + test)[pair] - 0.2).max() < 0.03


def test_the_same_seed_deals_the_same_examples() -> None:
    x, y = numbered([9] * 4)
    first, second = (
        label_skew_1(x, y, clusters=2, clients_per_cluster=3, seed=5) for _ in range(2)
    )
    assert numbers(first) == numbers(second)
    assert first.truth == second.truth


def test_another_seed_deals_other_examples() -> None:
    x, y = numbered([9] * 4)
    first, second = (
        label_skew_1(x, y, clusters=2, clients_per_cluster=3, seed=seed) for seed in (5, 6)
    )
    assert numbers(first) != numbers(second)


def test_ids_are_numbered_and_do_not_follow_the_clusters() -> None:
    orders = set()
    for seed in range(5):
        made = label_skew_1(*digits(), seed=seed)
        assert list(made.truth) == [f"client-{i:02d}" for i in range(25)]
        orders.add(tuple(made.truth.values()))
    assert len(orders) == 5
    assert tuple(sorted(max(orders))) not in orders


def test_more_than_a_hundred_clients_still_sort_by_number() -> None:
    x, y = numbered([60] * 4)
    made = label_skew_1(x, y, clusters=2, clients_per_cluster=60, seed=0)
    assert list(made.clients)[:2] == ["client-000", "client-001"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"clusters": 6}, "need 12 classes, the data has 10; ask for at most 5"),
        ({"clients_per_cluster": 175}, "class 8 has 174 examples for 175 clients"),
        ({"clusters": 0}, "at least one"),
        ({"clients_per_cluster": 0}, "at least one"),
        ({"test_share": 1.0}, "not in"),
        ({"test_share": -0.1}, "not in"),
    ],
)
def test_an_impossible_request_is_refused_with_the_numbers(
    changes: dict[str, float], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        label_skew_1(*digits(), seed=0, **changes)  # type: ignore[arg-type]


def test_a_class_without_examples_is_refused() -> None:
    with pytest.raises(ConfigError, match="class 1 has 0 examples"):
        label_skew_1(*numbered([9, 0, 9, 9]), clusters=2, clients_per_cluster=1, seed=0)
