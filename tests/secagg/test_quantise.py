"""Floats become integers without bias, within their range, in a ring that cannot overflow."""

import math
from itertools import product

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from secure_clove.errors import AbortedError, ConfigError, DataError
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.secagg import masks, quantise, ring
from secure_clove.secagg.quantise import (
    Grid,
    Integers,
    Quantiser,
    ring_bits_for,
    round_at_random,
    round_large_at_random,
)
from tests.secagg.party import Scripted

ENTROPY = SimulatedEntropy(3)
FINE = Grid(step=2**-10, bound=4.0)
UNIT = Grid(step=1.0, bound=1000.0)
BITS = st.sampled_from([32, 64])
MIXED = Quantiser(parts=((2, FINE), (1, UNIT)))


def words(*drawn: int) -> NDArray[np.uint32]:
    return np.array(drawn, dtype=np.uint32)


def by_chance(numbers: list[float], drawn: NDArray[np.uint32]) -> list[Integers]:
    """Return the integers that either way of rounding gives, as far as it goes."""
    ways = [round_large_at_random]
    if max(map(abs, numbers)) < 2**31 - 1:
        ways.append(round_at_random)
    found = [np.empty(len(numbers), dtype=np.int64) for _ in ways]
    for way, out in zip(ways, found, strict=True):
        way(np.array(numbers), drawn.copy(), out=out)
    return found


def rounded(numbers: list[float], grid: Grid, seed: int = 0) -> float:
    """Return the norm, in steps, of the integers that some numbers become."""
    quantiser = Quantiser(parts=((len(numbers), grid),))
    encoded = quantiser.encode(np.array(numbers), 64, SimulatedEntropy(seed))
    return float(np.linalg.norm(ring.lift(encoded, 64).astype(np.float64)))


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=20), BITS)
def test_integers_on_the_unit_grid_come_back_exactly(integers: list[int], bits: int) -> None:
    quantiser = Quantiser(parts=((len(integers), UNIT),))
    vector = np.array(integers, dtype=np.float64)

    encoded = quantiser.encode(vector, bits, ENTROPY)

    np.testing.assert_array_equal(quantiser.decode(encoded, bits), vector)


@given(st.lists(st.floats(-4, 4), min_size=3, max_size=3), BITS)
def test_rounding_moves_a_number_by_less_than_a_step(numbers: list[float], bits: int) -> None:
    vector = np.array(numbers)

    moved = MIXED.decode(MIXED.encode(vector, bits, ENTROPY), bits) - vector

    assert np.all(np.abs(moved) < [FINE.step, FINE.step, UNIT.step])


def test_rounding_has_no_bias() -> None:
    count = 200_000
    quantiser = Quantiser(parts=((count, UNIT),))
    for value in (0.3, -0.3, 7.9, -7.9):
        rounded = quantiser.decode(quantiser.encode(np.full(count, value), 32, ENTROPY), 32)
        assert set(np.unique(rounded)) == {np.floor(value), np.ceil(value)}
        assert abs(rounded.mean() - value) < 6 * 0.5 / np.sqrt(count)


@pytest.mark.parametrize("drawn", [0, 2**32 - 1])
@pytest.mark.parametrize("number", [0.0, -1.0, 7.0, 2.0**40, -(2.0**40)])
def test_whole_numbers_stay_whatever_is_drawn(number: float, drawn: int) -> None:
    for found in by_chance([number], words(drawn)):
        assert found.tolist() == [number]


@pytest.mark.parametrize("number", [0.25, -3.75, 2.0**31 - 1.75, 1.25 - 2**31, 2.0**40 + 0.25])
def test_rounding_goes_up_for_exactly_a_fraction_of_all_draws(number: float) -> None:
    drawn = words(0, 2**30 - 1, 2**30, 2**32 - 1)
    below = np.floor(number)

    for found in by_chance([number] * 4, drawn):
        assert found.tolist() == [below + 1, below + 1, below, below]


def test_the_random_bits_of_each_piece_are_a_mask_stream_of_fresh_entropy() -> None:
    keys, count = [b"1" * 32, b"2" * 32], quantise.PIECE + 100
    drawn = [ring.zeros(size, 32) for size in (quantise.PIECE, 100)]
    for key, piece in zip(keys, drawn, strict=True):
        masks.apply(piece, add=[key])
    numbers = np.linspace(-900, 900, count)

    encoded = Quantiser(parts=((count, UNIT),)).encode(numbers, 64, Scripted(*keys))

    expected = by_chance(numbers.tolist(), np.concatenate(drawn))[0]
    np.testing.assert_array_equal(ring.lift(encoded, 64), expected)


def test_two_blocks_never_share_their_random_bits() -> None:
    quantiser = Quantiser(parts=((100, UNIT), (100, UNIT)))

    encoded = quantiser.encode(np.full(200, 0.5), 32, ENTROPY)

    assert (encoded[:100] != encoded[100:]).any()


# Norm


@settings(deadline=None)
@given(st.lists(st.floats(-2, 2), min_size=1, max_size=60), st.floats(0.01, 3))
def test_a_rounded_block_obeys_the_rounded_norm(numbers: list[float], norm: float) -> None:
    grid = Grid(step=2**-6, bound=2.0, norm=norm)

    assert rounded(numbers, grid) <= (grid.rounded_norm(len(numbers)) or 0)


def test_a_rounding_that_breaks_the_norm_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantise, "AGAIN", 0.9)
    grid = Grid(step=1.0, bound=1.0, norm=10.0)
    most = grid.rounded_norm(400) or 0
    freely = [rounded([0.5] * 400, Grid(step=1.0, bound=1.0), seed) for seed in range(40)]
    again = [rounded([0.5] * 400, grid, seed) for seed in range(40)]

    assert max(again) <= most < max(freely)


def test_a_norm_is_broken_no_more_often_than_the_bound_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every rounding of twelve halves, with its exact probability."""
    monkeypatch.setattr(quantise, "AGAIN", 0.5)
    grid = Grid(step=1.0, bound=1.0, norm=math.sqrt(12 / 4))
    most = grid.rounded_norm(12) or 0
    norms = [math.sqrt(sum(ups)) for ups in product([0, 1], repeat=12)]

    assert 0 < sum(norm > most for norm in norms) / 2**12 <= 0.5


def test_without_a_norm_there_is_no_rounded_norm() -> None:
    assert FINE.rounded_norm(400) is None


@pytest.mark.parametrize(("count", "steps"), [(1, 2**10), (10**6, 2**14), (10**6, 10), (9, 0.5)])
def test_the_rounded_norm_is_that_of_proposition_22(count: int, steps: float) -> None:
    grid = Grid(step=0.5, bound=1.0, norm=steps / 2)
    always = steps + math.sqrt(count)
    beta = math.log(2**20)
    likely = steps**2 + count / 4 + math.sqrt(2 * beta) * (steps + math.sqrt(count) / 2)

    assert grid.rounded_norm(count) == pytest.approx(min(always, math.sqrt(likely)))


def test_the_norm_of_a_million_coordinates_grows_by_less_than_one_in_a_thousand() -> None:
    grid = Grid(step=2.0**-14, bound=1.0, norm=1.0)

    assert (grid.rounded_norm(10**6) or 0) / 2**14 < 1.001


def test_a_block_beyond_its_norm_is_scaled_down_after_clipping() -> None:
    grid = Grid(step=2**-10, bound=1.0, norm=1.0)
    quantiser = Quantiser(parts=((2, grid), (1, UNIT)))

    decoded = quantiser.decode(quantiser.encode(np.array([9.0, -1.0, 5.0]), 32, ENTROPY), 32)

    assert decoded == pytest.approx([0.5**0.5, -(0.5**0.5), 5.0], abs=2**-10)


def test_a_block_within_its_norm_is_not_scaled() -> None:
    grid = Grid(step=2**-10, bound=4.0, norm=5.0)
    quantiser = Quantiser(parts=((2, grid),))

    assert quantiser.decode(quantiser.encode(np.array([3.0, 4.0]), 32, ENTROPY), 32).tolist() == [
        3.0,
        4.0,
    ]


def test_rounding_within_a_norm_has_no_bias_either() -> None:
    count = 100_000
    grid = Grid(step=1.0, bound=1.0, norm=math.sqrt(count))
    quantiser = Quantiser(parts=((count, grid),))

    decoded = quantiser.decode(quantiser.encode(np.full(count, 0.3), 32, ENTROPY), 32)

    assert abs(decoded.mean() - 0.3) < 6 * 0.5 / np.sqrt(count)


@pytest.mark.parametrize("norm", [0.0, -1.0, np.nan, np.inf, 2.0**26])
def test_a_norm_that_no_block_can_be_held_to_is_refused(norm: float) -> None:
    with pytest.raises(ConfigError, match="norm"):
        Grid(step=1.0, bound=1.0, norm=norm)


# Range


def test_numbers_beyond_the_bound_are_clipped() -> None:
    encoded = MIXED.encode(np.array([9.0, -9.0, 1e9]), 32, ENTROPY)

    assert MIXED.decode(encoded, 32).tolist() == [4.0, -4.0, 1000.0]


def test_noise_is_added_in_steps_after_clipping() -> None:
    noise = np.array([1, -1, 5], dtype=np.int64)
    encoded = MIXED.encode(np.array([4.0, -4.0, 1000.0]), 32, ENTROPY, noise=noise)

    expected = [4 + FINE.step, -4 - FINE.step, 1005.0]
    assert MIXED.decode(encoded, 32).tolist() == expected


@pytest.mark.parametrize("bits", [32, 64])
def test_the_decoded_sum_is_the_sum_of_the_decoded(bits: int) -> None:
    vectors = [np.array([x, -x, 10 * x]) for x in (-3.5, 0.25, 2.0)]
    encoded = [MIXED.encode(vector, bits, ENTROPY) for vector in vectors]
    total = ring.zeros(3, bits)
    for vector in encoded:
        total += ring.narrow(vector, length=3, bits=bits)

    decoded = [MIXED.decode(vector, bits) for vector in encoded]
    np.testing.assert_array_equal(MIXED.decode(ring.widen(total), bits), np.sum(decoded, axis=0))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(DataError):
        MIXED.encode(np.array([0.0, bad, 0.0]), 32, ENTROPY)


def test_a_vector_or_noise_of_another_shape_is_refused() -> None:
    with pytest.raises(ConfigError):
        MIXED.encode(np.zeros(4), 32, ENTROPY)
    with pytest.raises(ConfigError):
        MIXED.encode(np.zeros(3), 32, ENTROPY, noise=np.zeros(1, dtype=np.int64))
    with pytest.raises(ConfigError):
        MIXED.decode(np.zeros(2, dtype=np.uint64), 32)


def test_the_ring_is_the_smallest_that_cannot_overflow() -> None:
    assert ring_bits_for(2**31 - 1) == 32
    assert ring_bits_for(2**31) == 64
    assert ring_bits_for(2**63 - 1) == 64


def test_a_sum_that_could_overflow_every_ring_is_refused_with_the_numbers() -> None:
    with pytest.raises(ConfigError, match=str(2**63)):
        ring_bits_for(2**63)


def test_the_largest_sum_counts_clients_rounding_and_noise() -> None:
    quantiser = Quantiser(parts=((1, Grid(step=0.3, bound=1.0)),))

    assert quantiser.largest_sum(10, noise_reach=7) == 10 * 4 + 7


def test_a_sum_no_honest_clients_can_reach_is_refused() -> None:
    top = MIXED.encode(np.array([4.0, -4.0, 1000.0]), 32, ENTROPY)
    MIXED.check_range(top, 32, clients=1)
    beyond = top + np.array([1, 0, 0], dtype=np.uint64)
    MIXED.check_range(beyond, 32, clients=1, noise_reach=1)

    with pytest.raises(AbortedError):
        MIXED.check_range(beyond, 32, clients=1)


@pytest.mark.parametrize(
    ("step", "bound"), [(0.0, 1.0), (-1.0, 1.0), (1.0, 0.0), (np.nan, 1.0), (1.0, np.inf)]
)
def test_a_grid_without_points_is_refused(step: float, bound: float) -> None:
    with pytest.raises(ConfigError):
        Grid(step=step, bound=bound)


def test_a_grid_finer_than_integers_can_count_is_refused() -> None:
    with pytest.raises(ConfigError):
        Grid(step=1e-10, bound=1e10)


def test_a_quantiser_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError):
        Quantiser(parts=())
    with pytest.raises(ConfigError):
        Quantiser(parts=((0, UNIT),))
