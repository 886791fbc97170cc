"""Streams can be repeated, entropy has no second use, and the two kinds are not one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_clove.foundation.seeds import SimulatedEntropy, stream

labels = st.lists(st.text(alphabet="abc12", max_size=3) | st.integers(0, 99), max_size=3)


def first(seed: int, *path: str | int) -> list[int]:
    return [int(n) for n in stream(seed, *path).integers(2**62, size=4)]


@given(st.integers(), labels)
def test_the_same_labels_give_the_same_stream(seed: int, path: list[str | int]) -> None:
    assert first(seed, *path) == first(seed, *path)


@given(st.integers(), labels, st.text(alphabet="abc12", max_size=3))
def test_one_more_label_gives_another_stream(seed: int, path: list[str | int], label: str) -> None:
    assert first(seed, *path, label) != first(seed, *path)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((0, "a"), (1, "a")),
        ((0, "ab", "c"), (0, "a", "bc")),
        ((0, "a", "b"), (0, "b", "a")),
        ((1, 2), (12,)),
        ((0, "a", 1), (0, "a", 2)),
    ],
)
def test_other_labels_give_another_stream(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    assert first(*one) != first(*other)


def test_drawing_from_one_stream_leaves_the_others_alone() -> None:
    stream(0, "a").normal(size=100)
    assert first(0, "b") == first(0, "b")


def test_a_stream_is_the_same_on_every_machine() -> None:
    assert stream(7, "k-means", 1).integers(100, size=6).tolist() == [63, 74, 23, 94, 30, 48]


@given(st.integers(), labels)
def test_simulated_entropy_can_be_repeated(seed: int, path: list[str | int]) -> None:
    one, other = SimulatedEntropy(seed, *path), SimulatedEntropy(seed, *path)
    assert [one.draw(8) for _ in range(3)] == [other.draw(8) for _ in range(3)]


@given(st.integers(0, 200))
def test_a_draw_has_as_many_bytes_as_asked(count: int) -> None:
    assert len(SimulatedEntropy(0).draw(count)) == count


def test_no_draw_repeats_an_earlier_one() -> None:
    source = SimulatedEntropy(0)
    assert len({source.draw(16) for _ in range(200)}) == 200


def test_a_fork_depends_on_its_labels_alone() -> None:
    fresh, used = SimulatedEntropy(0), SimulatedEntropy(0)
    used.draw(1000)
    used.fork("other").draw(1000)
    assert used.fork("noise", 1).draw(16) == fresh.fork("noise", 1).draw(16)


def test_using_a_fork_leaves_its_source_alone() -> None:
    one, other = SimulatedEntropy(0), SimulatedEntropy(0)
    one.fork("noise").draw(64)
    assert one.draw(16) == other.draw(16)


def test_forks_of_other_labels_and_their_source_are_all_different() -> None:
    source = SimulatedEntropy(0)
    forks = [source.fork(*path) for path in (("a",), ("b",), ("a", "b"), ("ab",), ("a", 1), (1,))]
    assert len({each.draw(16) for each in [source, *forks]}) == 7


def test_a_fork_of_a_fork_is_the_fork_of_both_labels() -> None:
    source = SimulatedEntropy(3)
    assert source.fork("a").fork("b").draw(8) == source.fork("a", "b").draw(8)


def test_other_seeds_give_other_bytes() -> None:
    assert SimulatedEntropy(0).draw(16) != SimulatedEntropy(1).draw(16)


def test_simulated_entropy_says_so_and_so_do_its_forks() -> None:
    assert SimulatedEntropy(0).is_simulated
    assert SimulatedEntropy(0).fork("a").is_simulated


def test_simulated_bytes_are_evenly_spread() -> None:
    drawn = np.frombuffer(SimulatedEntropy(0).draw(2**16), dtype=np.uint8)
    counts = np.bincount(drawn, minlength=256)
    chi_square = ((counts - 256) ** 2 / 256).sum()
    assert 150 < chi_square < 370  # 255 degrees of freedom: five standard deviations
