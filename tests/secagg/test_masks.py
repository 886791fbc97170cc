"""Mask streams are AES-256-CTR to the last bit, whatever OpenSSL makes them with."""

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from secure_clove.errors import LocalProtocolError
from secure_clove.secagg import masks, ring

KEY = bytes(range(32))
WORDS_A_PIECE = masks.PIECE_BYTES // 4
LENGTHS = [0, 1, 3, 4, 5, 7, 8, 9, 16_385, *(WORDS_A_PIECE + more for more in (-1, 0, 1, 4, 5))]


def keystream(key: bytes, count: int) -> bytes:
    """An independent reading of the mask stream: AES in ECB mode over big-endian counters."""
    cipher = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305  test vector
    blocks = -(-count // 16)
    return cipher.update(b"".join(i.to_bytes(16, "big") for i in range(blocks)))[:count]


def masked(length: int, bits: int, *keys: bytes) -> ring.Words:
    words = ring.zeros(length, bits)
    masks.apply(words, add=keys)
    return words


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("length", LENGTHS)
def test_the_stream_is_aes_ctr_read_as_little_endian_words(bits: int, length: int) -> None:
    assert ring.to_bytes(masked(length, bits, KEY)) == keystream(KEY, length * bits // 8)


def test_a_long_stream_is_what_openssl_calls_aes_ctr() -> None:
    ctr = Cipher(algorithms.AES(KEY), modes.CTR(bytes(16))).encryptor()

    assert ring.to_bytes(masked(3_000_000, 32, KEY)) == ctr.update(bytes(12_000_000))


@pytest.mark.parametrize("bits", [32, 64])
def test_a_longer_vector_begins_with_the_mask_of_a_shorter_one(bits: int) -> None:
    long = masked(3 * WORDS_A_PIECE, bits, KEY)

    for length in LENGTHS:
        np.testing.assert_array_equal(masked(length, bits, KEY), long[:length])


@pytest.mark.parametrize("bits", [32, 64])
def test_adding_and_subtracting_the_same_streams_leaves_nothing(bits: int) -> None:
    words = ring.zeros(50_000, bits)
    words += np.arange(50_000, dtype=words.dtype)
    masks.apply(words, add=[KEY, bytes(32)])
    masks.apply(words, add=[b"\1" * 32], subtract=[bytes(32), KEY, b"\1" * 32])

    np.testing.assert_array_equal(words, np.arange(50_000))


@pytest.mark.parametrize("bits", [32, 64])
def test_several_streams_add_up_in_the_ring(bits: int) -> None:
    words = masked(100, bits, KEY)
    words += masked(100, bits, bytes(32))

    np.testing.assert_array_equal(masked(100, bits, KEY, bytes(32)), words)


def test_masks_reach_the_top_and_the_bottom_of_the_ring() -> None:
    words = masked(1 << 20, 32, KEY)
    top = words >> 16

    assert top.max() == 0xFFFF
    assert top.min() == 0
    assert (words & 0xFFFF).max() == 0xFFFF
    assert {int(b) for b in np.unique(words.view(np.uint8))} == set(range(256))


@pytest.mark.parametrize("start", [0, 8], ids=["first blocks", "the rest"])
def test_every_bit_of_a_mask_key_counts(start: int) -> None:
    keys = [(1 << bit).to_bytes(32, "big") for bit in range(256)]

    assert len({ring.to_bytes(masked(12, 32, key)[start:]) for key in keys}) == 256


@pytest.mark.parametrize("size", [4, 16, 24, 31, 33])
def test_a_key_of_another_size_is_never_stretched_or_cut(size: int) -> None:
    with pytest.raises(LocalProtocolError):
        masks.apply(ring.zeros(1, 32), add=[bytes(size)])


def test_nothing_is_masked_when_one_of_the_keys_is_bad() -> None:
    words = ring.zeros(100, 32)
    with pytest.raises(LocalProtocolError):
        masks.apply(words, add=[KEY], subtract=[b"short"])

    assert not words.any()
