"""Integers mod 2^32 or 2^64 as numpy words: to bytes, from bytes, reduced and centre-lifted.

Addition needs nothing of its own: numpy's unsigned words wrap, and ``+=`` makes one pass without a
copy. Source: protocol.md, "Quantisation, ring, weights, noise".
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secure_clove.errors import ConfigError, LocalProtocolError, MalformedError

Words = NDArray[np.unsignedinteger[Any]]
"""Ring elements, one little-endian word of 4 or 8 bytes each; arithmetic wraps."""

WORDS: Mapping[int, np.dtype[np.unsignedinteger[Any]]] = {
    32: np.dtype("<u4"),
    64: np.dtype("<u8"),
}


def word(bits: int) -> np.dtype[np.unsignedinteger[Any]]:
    """Return the numpy type of one ring element.

    Raises:
        ConfigError: ``bits`` is neither 32 nor 64.
    """
    if bits not in WORDS:
        raise ConfigError(f"a ring has 32 or 64 bits, not {bits}")
    return WORDS[bits]


def zeros(length: int, bits: int) -> Words:
    """Return ``length`` zero elements, to add to in place."""
    return np.zeros(length, dtype=word(bits))


def narrow(vector: NDArray[np.uint64], *, length: int, bits: int) -> Words:
    """Return a fresh copy of ``vector`` as ring words.

    Args:
        vector: ``(length,)`` uint64, every element below 2**bits.
        length: Elements expected.
        bits: 32 or 64.

    Raises:
        LocalProtocolError: another type, shape, or an element outside the ring.
    """
    if vector.dtype != np.uint64 or vector.shape != (length,):
        found = f"{vector.dtype} of shape {vector.shape}"
        raise LocalProtocolError(f"expected uint64 of shape ({length},), got {found}")
    if bits < 64 and length and int(vector.max()) >> bits:
        raise LocalProtocolError(f"an element is not below 2**{bits}; reduce the vector first")
    return vector.astype(word(bits))


def widen(words: Words) -> NDArray[np.uint64]:
    """Return the same elements as native uint64."""
    return words.astype(np.uint64)


def to_bytes(words: Words) -> bytes:
    """Return the little-endian bytes of ``words``, whatever the machine."""
    return words.astype(words.dtype.newbyteorder("<"), copy=False).tobytes()


def view(words: Words) -> memoryview:
    """Return the same bytes as `to_bytes` without copying them; ``words`` must not change then."""
    little = words.astype(words.dtype.newbyteorder("<"), copy=False)
    return little.view(np.uint8).data.toreadonly()


def from_bytes(data: bytes | memoryview, *, length: int, bits: int) -> Words:
    """Read ``length`` elements; the inverse of `to_bytes`. The array is a read-only view.

    Raises:
        MalformedError: the bytes do not hold exactly that many elements.
    """
    kind = word(bits)
    if len(data) != length * kind.itemsize:
        raise MalformedError(
            f"{length} elements of {bits} bits take {length * kind.itemsize} bytes, not {len(data)}"
        )
    return np.frombuffer(data, dtype=kind)


def reduce(integers: NDArray[np.int64], bits: int) -> NDArray[np.uint64]:
    """Return signed ``integers`` mod 2**bits; the residues take their place in memory."""
    residues = integers.view(np.uint64)
    residues &= np.uint64(np.iinfo(word(bits)).max)
    return residues


def lift(residues: NDArray[np.uint64], bits: int) -> NDArray[np.int64]:
    """Return the signed integers in [-2**(bits-1), 2**(bits-1)) with these residues."""
    signed = np.dtype(f"i{bits // 8}")
    return residues.astype(np.dtype(f"u{bits // 8}")).view(signed).astype(np.int64)
