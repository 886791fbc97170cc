"""A cluster's shift turns images or renames labels, and loses nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_clove.data.shift import SWAPS, Scene, Shift, permuted, rotated, swapped, unchanged
from secure_clove.errors import ConfigError

IMAGE = np.arange(9, dtype=np.uint8).reshape(1, 1, 3, 3)


def scene(clusters: int, *, classes: int = 10, shape: tuple[int, ...] = (1, 4, 4)) -> Scene:
    return Scene(clusters=clusters, classes=classes, shape=shape)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_quarter_turn_moves_the_right_column_to_the_top() -> None:
    turned = Shift(quarters=1).of_examples(IMAGE)
    assert turned[0, 0].tolist() == [[2, 5, 8], [1, 4, 7], [0, 3, 6]]


def test_four_clusters_see_four_different_turns() -> None:
    seen = {s.of_examples(IMAGE).tobytes() for s in rotated(scene(4), rng())}
    assert len(seen) == 4


@given(st.integers(0, 3))
def test_the_opposite_turn_brings_an_image_back(quarters: int) -> None:
    there = Shift(quarters=quarters).of_examples(IMAGE)
    assert (Shift(quarters=-quarters % 4).of_examples(there) == IMAGE).all()


def test_colours_are_turned_alike() -> None:
    image = np.stack([IMAGE[:, 0]] * 3, axis=1)
    turned = Shift(quarters=3).of_examples(image)
    assert (turned[:, 0] == turned[:, 2]).all()


def test_labels_are_swapped_as_the_authors_list_them() -> None:
    first, second, third, fourth = swapped(scene(4), rng())
    assert first.labels == (3, 1, 2, 0, 4, 5, 6, 7, 9, 8)
    assert second.labels == (0, 4, 2, 3, 1, 5, 9, 7, 8, 6)
    assert third.labels == (0, 2, 1, 6, 4, 5, 3, 7, 8, 9)
    assert fourth.labels == (0, 1, 2, 5, 7, 3, 6, 4, 8, 9)


@pytest.mark.parametrize("k", range(len(SWAPS)))
def test_swapping_twice_changes_nothing(k: int) -> None:
    shift, y = swapped(scene(4), rng())[k], np.arange(10)
    assert (shift.of_labels(shift.of_labels(y)) == y).all()
    assert (shift.of_labels(y) != y).sum() == 4


@given(st.integers(1, 6), st.integers(0, 99))
def test_permutations_differ_and_keep_every_class(clusters: int, seed: int) -> None:
    found = [s.labels for s in permuted(scene(clusters, classes=3), rng(seed))]
    assert len(set(found)) == clusters
    assert all(sorted(labels) == [0, 1, 2] for labels in found)


def test_permutations_follow_the_seed() -> None:
    assert permuted(scene(3), rng(1)) == permuted(scene(3), rng(1))
    assert permuted(scene(3), rng(1)) != permuted(scene(3), rng(2))


def test_no_shift_leaves_everything_as_it_is() -> None:
    (shift,) = unchanged(scene(1), rng())
    assert shift.of_examples(IMAGE) is IMAGE
    assert shift.of_labels(np.arange(3)).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("rule", "wrong", "words"),
    [
        (rotated, scene(5), "4 quarter turns, 5"),
        (rotated, scene(4, shape=(64,)), "square images"),
        (rotated, scene(4, shape=(1, 4, 5)), "square images"),
        (swapped, scene(5), "up to 4 clusters"),
        (swapped, scene(4, classes=9), "10 classes"),
        (permuted, scene(7, classes=3), "6 orders, 7"),
    ],
)
def test_an_impossible_shift_is_refused_with_the_numbers(
    rule: object, wrong: Scene, words: str
) -> None:
    assert callable(rule)
    with pytest.raises(ConfigError, match=words):
        rule(wrong, rng())
