"""Rings and Shamir's sharing do what the algebra says."""

from itertools import combinations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from secure_clove.errors import (
    AbortedError,
    ConfigError,
    LocalProtocolError,
    MalformedError,
)
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.secagg import ring, shamir
from tests.secagg.party import Scripted

BITS = st.sampled_from([32, 64])
SECRETS = st.binary(min_size=32, max_size=32)
KEY = bytes(range(32))


# Ring


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1), BITS)
def test_lifting_a_reduced_integer_gives_it_back(integers: list[int], bits: int) -> None:
    signed = np.array(integers, dtype=np.int64)

    residues = ring.reduce(signed.copy(), bits)

    np.testing.assert_array_equal(ring.lift(residues, bits), signed)


@given(st.integers(-(2**63), 2**63 - 1), BITS)
def test_reducing_is_python_modulo(integer: int, bits: int) -> None:
    assert int(ring.reduce(np.array([integer], dtype=np.int64), bits)[0]) == integer % 2**bits


@pytest.mark.parametrize("bits", [32, 64])
def test_the_ends_of_the_ring_lift_to_minus_one_and_the_least_integer(bits: int) -> None:
    ends = np.array([2**bits - 1, 2 ** (bits - 1), 2 ** (bits - 1) - 1], dtype=np.uint64)

    assert ring.lift(ends, bits).tolist() == [-1, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1]


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1), BITS)
def test_bytes_are_little_endian_and_come_back(values: list[int], bits: int) -> None:
    words = ring.narrow(np.array(values, dtype=np.uint64), length=len(values), bits=bits)
    data = ring.to_bytes(words)

    assert data == b"".join(value.to_bytes(bits // 8, "little") for value in values)
    assert ring.widen(ring.from_bytes(data, length=len(values), bits=bits)).tolist() == values


def test_words_of_a_big_endian_machine_give_the_same_bytes() -> None:
    for read in (ring.to_bytes, ring.view):
        assert read(np.array([1, 2**31], dtype=">u4")) == b"\1\0\0\0\0\0\0\x80"


def test_a_view_is_the_same_bytes_without_a_copy_and_cannot_be_written() -> None:
    words = ring.zeros(3, 32)
    seen = ring.view(words)
    words += np.uint32(7)

    assert seen == ring.to_bytes(words)
    assert seen.readonly


def test_bytes_of_another_length_are_refused() -> None:
    with pytest.raises(MalformedError):
        ring.from_bytes(bytes(7), length=2, bits=32)


def test_a_ring_of_another_size_is_refused() -> None:
    with pytest.raises(ConfigError):
        ring.zeros(1, 31)


# Shamir


@given(SECRETS, st.integers(1, 6), st.integers(0, 3))
def test_any_t_shares_rebuild_the_secret(secret: bytes, threshold: int, spare: int) -> None:
    count = threshold + spare
    shares = shamir.split(secret, threshold, xs=range(1, count + 1), entropy=SimulatedEntropy(0))

    for xs in combinations(range(1, count + 1), threshold):
        chosen = [shares[x - 1] for x in xs]
        assert shamir.combine(chosen, shamir.weights(xs)) == secret


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32], ids=["zero", "largest"])
def test_the_extreme_secrets_are_shared_exactly(secret: bytes) -> None:
    shares = shamir.split(secret, 2, xs=range(1, 4), entropy=SimulatedEntropy(0))

    assert shamir.combine(shares[1:], shamir.weights([2, 3])) == secret


def test_shares_at_some_places_are_those_of_all_places() -> None:
    everywhere = shamir.split(KEY, 3, xs=range(1, 10), entropy=SimulatedEntropy(0))
    here = shamir.split(KEY, 3, xs=[7, 2, 9], entropy=SimulatedEntropy(0))

    assert here == tuple(everywhere[x - 1] for x in (7, 2, 9))


def test_fewer_shares_do_not_rebuild_the_secret() -> None:
    shares = shamir.split(KEY, 3, xs=range(1, 4), entropy=SimulatedEntropy(0))

    try:
        rebuilt = shamir.combine(shares[:2], shamir.weights([1, 2]))
    except AbortedError:
        return
    assert rebuilt != KEY


def test_fewer_shares_fit_every_secret() -> None:
    shares = shamir.split(KEY, 2, xs=range(1, 3), entropy=SimulatedEntropy(0))
    other = b"\x55" * 32
    slope = shamir.element(shares[0]) - int.from_bytes(other, "big")
    matching = ((int.from_bytes(other, "big") + 2 * slope) % shamir.PRIME).to_bytes(33, "big")

    assert shamir.combine([shares[0], matching], shamir.weights([1, 2])) == other


def test_coefficients_are_drawn_by_rejection_not_by_reduction() -> None:
    outside, coefficient = shamir.PRIME.to_bytes(33, "big"), (5).to_bytes(33, "big")
    entropy = Scripted(outside, coefficient)

    shares = shamir.split(bytes(32), 2, xs=range(1, 3), entropy=entropy)

    assert [shamir.element(share) for share in shares] == [5, 10]
    assert not entropy.draws


@pytest.mark.parametrize("xs", [(0, 1), (1, 1), (-1, 2), (shamir.PRIME, 1)])
def test_an_x_that_is_zero_repeated_or_out_of_the_field_is_refused(xs: tuple[int, ...]) -> None:
    with pytest.raises(LocalProtocolError):
        shamir.weights(xs)
    with pytest.raises(LocalProtocolError):
        shamir.split(KEY, 2, xs=xs, entropy=SimulatedEntropy(0))


@pytest.mark.parametrize(("size", "threshold"), [(31, 2), (33, 2), (32, 0), (32, 4)])
def test_a_sharing_that_cannot_be_rebuilt_is_refused(size: int, threshold: int) -> None:
    with pytest.raises(LocalProtocolError):
        shamir.split(bytes(size), threshold, xs=range(1, 4), entropy=SimulatedEntropy(0))


@pytest.mark.parametrize(
    "share", [bytes(32), bytes(34), shamir.PRIME.to_bytes(33, "big"), b"\xff" * 33]
)
def test_a_share_that_is_no_field_element_is_refused(share: bytes) -> None:
    with pytest.raises(MalformedError):
        shamir.element(share)


def test_shares_of_no_common_secret_are_refused() -> None:
    largest = (shamir.PRIME - 1).to_bytes(33, "big")

    with pytest.raises(AbortedError):
        shamir.combine([largest], shamir.weights([1]))


def test_the_modulus_is_the_smallest_prime_above_two_to_the_256() -> None:
    def is_probable_prime(number: int) -> bool:
        return all(pow(base, number - 1, number) == 1 for base in (2, 3, 5, 7))

    assert is_probable_prime(shamir.PRIME)
    assert not any(is_probable_prime(n) for n in range(2**256 + 1, shamir.PRIME, 2))
