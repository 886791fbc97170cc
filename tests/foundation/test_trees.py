"""Named arrays and flat vectors are two writings of one thing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from secure_clove.errors import ConfigError
from secure_clove.foundation.trees import Layout, Slot, flatten, size, unflatten

WEIGHTS = (Slot(name="bias", shape=(2,)), Slot(name="weight", shape=(2, 3)), Slot(name="count"))

layouts = st.lists(
    st.builds(
        lambda name, shape: Slot(name=name, shape=tuple(shape)),
        st.text(max_size=3),
        st.lists(st.integers(0, 3), max_size=3),
    ),
    max_size=4,
    unique_by=lambda slot: slot.name,
).map(tuple)


def tree_of(layout: Layout, seed: int) -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return {slot.name: rng.normal(size=slot.shape) for slot in layout}


@given(layouts, st.integers(0, 2**32))
def test_unflatten_inverts_flatten(layout: Layout, seed: int) -> None:
    tree = tree_of(layout, seed)
    back = unflatten(flatten(tree, layout), layout)
    assert back.keys() == tree.keys()
    for name, array in tree.items():
        np.testing.assert_array_equal(back[name], array, strict=True)


@given(layouts, st.integers(0, 2**32))
def test_flatten_inverts_unflatten(layout: Layout, seed: int) -> None:
    vector = np.random.default_rng(seed).normal(size=size(layout))
    np.testing.assert_array_equal(flatten(unflatten(vector, layout), layout), vector, strict=True)


@given(layouts)
def test_a_vector_has_the_size_of_its_layout(layout: Layout) -> None:
    assert flatten(tree_of(layout, 0), layout).shape == (size(layout),)


def test_the_order_of_names_does_not_matter() -> None:
    tree = tree_of(WEIGHTS, 0)
    backwards = dict(reversed(tree.items()))
    np.testing.assert_array_equal(flatten(tree, WEIGHTS), flatten(backwards, WEIGHTS))


def test_the_layout_fixes_the_order_of_the_vector() -> None:
    tree = {"a": np.array([1.0]), "b": np.array([2.0])}
    slots = (Slot(name="b", shape=(1,)), Slot(name="a", shape=(1,)))
    np.testing.assert_array_equal(flatten(tree, slots), [2.0, 1.0])


def test_a_scalar_takes_one_number() -> None:
    assert Slot(name="count").size == 1


def test_flattening_leaves_the_tree_alone() -> None:
    tree = tree_of(WEIGHTS, 0)
    flatten(tree, WEIGHTS)[:] = 0
    np.testing.assert_array_equal(tree["weight"], tree_of(WEIGHTS, 0)["weight"])


@pytest.mark.parametrize("name", ["bias", "weight", "count"])
def test_a_missing_array_is_refused(name: str) -> None:
    tree = tree_of(WEIGHTS, 0)
    del tree[name]
    with pytest.raises(ConfigError, match="layout"):
        flatten(tree, WEIGHTS)


def test_an_extra_array_is_refused() -> None:
    with pytest.raises(ConfigError, match="extra"):
        flatten(tree_of(WEIGHTS, 0) | {"extra": np.zeros(1)}, WEIGHTS)


@pytest.mark.parametrize("shape", [(3, 2), (6,), (2, 3, 1), ()])
def test_another_shape_is_refused_even_with_as_many_numbers(shape: tuple[int, ...]) -> None:
    tree = tree_of(WEIGHTS, 0) | {"weight": np.zeros(shape)}
    with pytest.raises(ConfigError, match="'weight' has shape"):
        flatten(tree, WEIGHTS)


@pytest.mark.parametrize("shape", [(8,), (10,), (3, 3), ()])
def test_a_vector_of_another_length_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="layout needs"):
        unflatten(np.zeros(shape), WEIGHTS)


def test_a_refusal_does_not_show_the_numbers() -> None:
    with pytest.raises(ConfigError) as refused:
        unflatten(np.full(2, 1234.5), WEIGHTS)
    assert "1234" not in str(refused.value)
