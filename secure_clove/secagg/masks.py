"""Mask streams: AES-256-CTR key streams added to a vector of ring words in place.

One key, one stream, zero IV, read as little-endian words (protocol.md, "mask stream"). Every word
of the ring can occur, the top one included. The loop runs over pieces that stay in the cache and,
inside, over the keys, so that a vector is read from memory once however many masks it takes.

A stream is the cipher of the blocks 0, 1, 2, ... OpenSSL uses vector AES instructions for XTS and
not for CTR, and XTS is the bare cipher of each block if its tweak is encrypted to zero: of block j
it makes E(block ^ T) ^ T, where T is the encrypted tweak times α^j (IEEE Std 1619, section 5.3). So
the tweak here is zero decrypted, under a key of its own; both are public. A stream takes 3/5 of the
time of CTR where the processor has such instructions (x86 servers since about 2019).
"""

from collections.abc import Iterable

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from secure_clove.errors import LocalProtocolError
from secure_clove.secagg.ring import Words

PIECE_BYTES = 1 << 17
KEY_BYTES = 32

_BLOCK_BYTES = 16
_TWEAK_KEY = b"secure_clove: a tweak of nothing"  # XTS refuses it as a mask key; none is ever drawn
_ZERO = bytes(_BLOCK_BYTES)
_TWEAK = Cipher(algorithms.AES(_TWEAK_KEY), modes.CBC(_ZERO)).decryptor().update(_ZERO)
_BARE = modes.XTS(_TWEAK)


def apply(words: Words, *, add: Iterable[bytes] = (), subtract: Iterable[bytes] = ()) -> None:
    """Add the streams of some keys to ``words`` and subtract those of others, in place.

    Args:
        words: Little-endian ring words; changed.
        add: 32-byte keys whose streams are added.
        subtract: 32-byte keys whose streams are subtracted.

    Raises:
        LocalProtocolError: a key has not 32 bytes; a shorter seed is never stretched.
    """
    changes: list[tuple[np.ufunc, CipherContext]] = [(np.add, _cipher(key)) for key in add]
    changes += [(np.subtract, _cipher(key)) for key in subtract]
    step = PIECE_BYTES // words.itemsize
    drawn = np.empty(min(PIECE_BYTES, words.nbytes) + 2 * _BLOCK_BYTES, dtype=np.uint8)
    room = drawn.data  # a block more than the stream fills, which `update_into` asks for
    for start in range(0, len(words), step):
        piece = words[start : start + step]
        blocks = _blocks(start * words.itemsize // _BLOCK_BYTES, -(-piece.nbytes // _BLOCK_BYTES))
        mask = drawn[: piece.nbytes].view(words.dtype)
        for change, cipher in changes:
            cipher.update_into(blocks, room)
            change(piece, mask, piece)


def _cipher(key: bytes) -> CipherContext:
    """Return the bare cipher of blocks under ``key``."""
    if len(key) != KEY_BYTES:
        raise LocalProtocolError(f"a mask key has {KEY_BYTES} bytes, not {len(key)}")
    return Cipher(algorithms.AES(key + _TWEAK_KEY), _BARE).encryptor()


def _blocks(first: int, count: int) -> memoryview:
    """Return the blocks from ``first`` on: number j in 16 big-endian bytes."""
    return _FIRST[: count * _BLOCK_BYTES] if first == 0 else _numbered(first, count)


def _numbered(first: int, count: int) -> memoryview:
    numbers = np.zeros((count, 2), dtype=">u8")
    numbers[:, 1] = np.arange(first, first + count)
    return numbers.reshape(-1).view(np.uint8).data


_FIRST = _numbered(0, PIECE_BYTES // _BLOCK_BYTES)
"""Those of a first piece, which short vectors take time and again."""
