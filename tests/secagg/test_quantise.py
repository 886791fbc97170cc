"""Floats become integers without bias, within their range, in a ring that cannot overflow."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from secure_clove.errors import AbortedError, ConfigError, DataError
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.secagg import ring
from secure_clove.secagg.quantise import Grid, Quantiser, ring_bits_for
from tests.secagg.party import Scripted

ENTROPY = SimulatedEntropy(3)
FINE = Grid(step=2**-10, bound=4.0)
UNIT = Grid(step=1.0, bound=1000.0)
BITS = st.sampled_from([32, 64])
MIXED = Quantiser(parts=((2, FINE), (1, UNIT)))


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


def test_grid_points_stay_even_if_every_random_bit_is_zero() -> None:
    encoded = MIXED.encode(np.array([-1.0, 1.0, 7.0]), 32, Scripted(b"", b""))

    assert MIXED.decode(encoded, 32).tolist() == [-1.0, 1.0, 7.0]


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
