"""No example moves an embedding further than promised, and some move it as far.

Held as properties, and against a search for the worst row among extreme values.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from secure_clove.clustering.embedding import (
    FLOOR,
    GRID,
    LARGEST_CLIP,
    Embedding,
    check_clip,
    embed,
    project,
)
from secure_clove.clustering.plane import to_plane
from secure_clove.errors import ConfigError

Rows = NDArray[np.float64]
Form = tuple[Embedding, float | None]

CLIPS = (FLOOR, 0.37, 1.0, 3.0, LARGEST_CLIP)
FORMS: list[Form] = [
    (Embedding.DIRECTIONAL, None),
    *((Embedding.RELATIVE, clip) for clip in CLIPS),
    *((Embedding.CLIPPED, clip) for clip in CLIPS),
]
EXTREMES = (
    *(0.0, -0.0, 5e-324, -5e-324, 1e-310, 1e-300, 1e-7, 1e-6, 0.1, 0.37, 1.0, 3.0, 1e6, 1e16),
    *(-1e-7, -0.37, -1.0, -1e6, -1e16, 1e100, 1.1e100, 1e300, -1e300, 1.7e308, -1.7e308),
    *(math.nan, math.inf, -math.inf),
)
LOSSES = st.floats(0, 5) | st.floats() | st.sampled_from(EXTREMES)
each_form = pytest.mark.parametrize(("kind", "clip"), FORMS)


def rows(*, most_examples: int = 12) -> st.SearchStrategy[Rows]:
    shapes = st.tuples(st.integers(1, most_examples), st.integers(2, 8))
    return shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=LOSSES))


def zeroed(losses: Rows, index: int) -> Rows:
    neighbour = losses.copy()
    neighbour[index] = 0
    return neighbour


def share(losses: Rows, index: int, *, kind: Embedding, clip: float | None) -> float:
    """Return how far zeroing a row moves the vector, as a share of the sensitivity."""
    here, there = (embed(x, kind, clip=clip) for x in (losses, zeroed(losses, index)))
    assert here.sensitivity == there.sensitivity
    return float(np.linalg.norm(here.mean - there.mean)) / here.sensitivity


def steps(mean: Rows, kind: Embedding, *, count: int = 1) -> list[int]:
    """Return the sum of the contributions, as the whole numbers they were added up as."""
    middle = 0.5 if kind is Embedding.CLIPPED else 0.0
    return [int(x) for x in np.rint((mean - middle) * (GRID * count))]


# ---- the bound


@each_form
@settings(deadline=None, max_examples=40)
@given(losses=rows(), data=st.data())
def test_zeroing_one_example_moves_the_vector_by_at_most_the_sensitivity(
    kind: Embedding, clip: float | None, losses: Rows, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(losses) - 1))
    assert share(losses, index, kind=kind, clip=clip) <= 1


@each_form
@settings(deadline=None, max_examples=40)
@given(losses=rows(most_examples=1))
def test_a_contribution_stays_in_its_ball_to_the_last_bit(
    kind: Embedding, clip: float | None, losses: Rows
) -> None:
    squares = sum(x * x for x in steps(embed(losses, kind, clip=clip).mean, kind))
    most = losses.shape[1] * GRID**2 // 4 if kind is Embedding.CLIPPED else GRID**2
    assert squares < most


@each_form
@settings(deadline=None, max_examples=40)
@given(losses=rows())
def test_contributions_are_added_up_without_rounding(
    kind: Embedding, clip: float | None, losses: Rows
) -> None:
    singles = [steps(embed(row[None], kind, clip=clip).mean, kind) for row in losses]
    whole = steps(embed(losses, kind, clip=clip).mean, kind, count=len(losses))
    assert whole == [sum(column) for column in zip(*singles, strict=True)]


@pytest.mark.parametrize(
    ("kind", "clip", "bound"),
    [
        (Embedding.CLIPPED, 3.0, math.sqrt(5) / 2),
        (Embedding.RELATIVE, 3.0, 1.0),
        (Embedding.DIRECTIONAL, None, 1.0),
    ],
)
def test_the_sensitivity_depends_on_nothing_but_public_counts(
    kind: Embedding, clip: float | None, bound: float
) -> None:
    for scale in (0.0, 1.0, 1e300):
        losses = scale * np.random.default_rng(0).normal(size=(7, 5))
        assert embed(losses, kind, clip=clip).sensitivity == bound / 7


# ---- the search


def worst(score: Callable[[Rows], float], start: Rows) -> float:
    """Return the most that ``score`` comes to, changing one loss at a time."""
    best, at = score(start), start.copy()
    for _ in range(2):
        for place in np.ndindex(*at.shape):
            for value in (*EXTREMES, at[place] * 2, -at[place]):
                tried = at.copy()
                tried[place] = value
                found = score(tried)
                assert found <= 1
                if found > best:
                    best, at = found, tried
    return best


@pytest.mark.parametrize(("count", "models"), [(1, 2), (3, 3), (2, 7), (1, 16)])
@each_form
def test_a_search_among_extreme_losses_reaches_the_bound_and_does_not_pass_it(
    kind: Embedding, clip: float | None, count: int, models: int
) -> None:
    start = np.random.default_rng(count * models).exponential(2.0, size=(count, models))
    assert worst(lambda x: share(x, 0, kind=kind, clip=clip), start) >= 0.99


@each_form
@pytest.mark.parametrize("count", [1000, 100_000])
def test_the_bound_is_reached_among_many_examples(
    kind: Embedding, clip: float | None, count: int
) -> None:
    losses = np.random.default_rng(0).exponential(2.0, size=(count, 5))
    losses[0] = [1e9, 0, 0, 0, 0] if kind is not Embedding.CLIPPED else 1e9
    assert 0.99 <= share(losses, 0, kind=kind, clip=clip) <= 1


def test_without_its_middle_a_clipped_loss_would_move_the_vector_twice_as_far() -> None:
    here, there = (np.full((1, 4), loss) for loss in (9.0, 1e-9))
    kind = Embedding.CLIPPED
    across = embed(here, kind, clip=3.0).mean - embed(there, kind, clip=3.0).mean
    assert np.linalg.norm(across) == pytest.approx(2 * embed(here, kind, clip=3.0).sensitivity)


# ---- what the vectors hold


def clipped(losses: Rows | list[list[float]], clip: float = 2.0) -> Rows:
    return embed(np.asarray(losses, dtype=float), Embedding.CLIPPED, clip=clip).mean


def relative(losses: Rows | list[list[float]], clip: float = 2.0) -> Rows:
    return embed(np.asarray(losses, dtype=float), Embedding.RELATIVE, clip=clip).mean


def test_clipped_losses_are_the_mean_of_cut_losses_in_units_of_the_clip() -> None:
    np.testing.assert_allclose(clipped([[1.0, 0.5], [9.0, 1.5]]), [0.75, 0.5], atol=1e-8)


def test_a_negative_loss_is_cut_to_zero() -> None:
    np.testing.assert_array_equal(clipped([[-1e300, 1.0]]), clipped([[0.0, 1.0]]))


def test_an_example_zeroed_out_counts_as_the_middle_of_the_range() -> None:
    np.testing.assert_allclose(clipped([[0.0, 0.0], [2.0, 1.0]]), [0.75, 0.5], atol=1e-8)


def test_small_differences_are_not_cut() -> None:
    np.testing.assert_allclose(relative([[2.0, 3.0]]), [-0.25, 0.25], atol=1e-8)


def test_large_differences_are_cut_at_the_norm() -> None:
    np.testing.assert_allclose(relative([[0.0, 50.0]]), np.sqrt([0.5, 0.5]) * [-1, 1], atol=1e-8)


def test_what_all_models_lose_alike_does_not_show_in_relative_losses() -> None:
    near, far = ([[1.0, 2.0, 4.0], [2.0, 2.0, 1.0]] for _ in range(2))
    moved = [[x + 1000.0 for x in row] for row in far]
    np.testing.assert_allclose(relative(near), relative(moved), atol=1e-9)


@settings(deadline=None)
@given(rows())
def test_relative_losses_cut_at_the_floor_are_directional(losses: Rows) -> None:
    directional = embed(losses, Embedding.DIRECTIONAL).mean
    np.testing.assert_array_equal(relative(losses, FLOOR), directional)


@pytest.mark.parametrize("clip", CLIPS)
@settings(deadline=None)
@given(losses=rows())
def test_relative_losses_lie_in_the_sum_zero_plane_and_the_unit_ball(
    clip: float, losses: Rows
) -> None:
    mean = relative(losses, clip)
    assert abs(mean.sum()) < 1e-10
    assert np.linalg.norm(mean) <= 1
    np.testing.assert_allclose(project(mean), mean, atol=1e-10)


@pytest.mark.parametrize("clip", CLIPS)
@settings(deadline=None)
@given(losses=rows())
def test_clipped_losses_and_their_coordinates_in_the_plane_are_at_most_1(
    clip: float, losses: Rows
) -> None:
    mean = clipped(losses, clip)
    assert mean.min() >= 0
    assert mean.max() <= 1
    assert np.abs(to_plane(mean - mean.min())).max() <= 1


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@each_form
def test_an_example_whose_loss_is_not_finite_counts_as_zeroed_out(
    kind: Embedding, clip: float | None, bad: float
) -> None:
    losses = np.random.default_rng(0).normal(size=(4, 3))
    broken = losses.copy()
    broken[2, 1] = bad
    found, expected = (embed(x, kind, clip=clip).mean for x in (broken, zeroed(losses, 2)))
    np.testing.assert_array_equal(found, expected)


# ---- refusals


@pytest.mark.parametrize("kind", [Embedding.RELATIVE, Embedding.CLIPPED])
@pytest.mark.parametrize("clip", [None, 0.0, -1.0, 9e-7, 1.1e6, math.inf, math.nan])
def test_an_embedding_that_clips_needs_a_constant(kind: Embedding, clip: float | None) -> None:
    with pytest.raises(ConfigError, match=f"'{kind.value}' needs a clip"):
        embed(np.ones((2, 2)), kind, clip=clip)


@pytest.mark.parametrize("kind", [Embedding.RAW, Embedding.DIRECTIONAL])
def test_a_constant_that_clips_nothing_is_refused(kind: Embedding) -> None:
    with pytest.raises(ConfigError, match="clips nothing"):
        check_clip(kind, 1.0)
