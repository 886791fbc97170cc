"""Mask streams: AES-256-CTR key streams added to a vector of ring words in place.

One key, one stream, zero IV, read as little-endian words (protocol.md, "mask stream"). Every word
of the ring can occur, the top one included. The loop runs over pieces that stay in the cache and,
inside, over the keys, so that a vector is read from memory once however many masks it takes.

After its first two blocks the stream is taken from AES-256-GCM with a zero nonce, which is this
very stream from block 2 on (NIST SP 800-38D, sections 7.1 and 8.1: CTR from the block 0^96 || 2);
the tag is never asked for. OpenSSL has vector AES instructions for GCM and not for CTR, so that a
stream takes 3/4 of the time where the processor has them (x86 servers since about 2019).
"""

from collections.abc import Iterable, Iterator

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from secure_clove.errors import LocalProtocolError
from secure_clove.secagg.ring import Words

PIECE_BYTES = 1 << 17
KEY_BYTES = 32
HEAD_BYTES = 32
"""The two blocks that GCM keeps for itself: 0 makes its hash key, 1 hides its tag."""

_BLOCK_BYTES = 16
_ZEROS = bytes(PIECE_BYTES)


def apply(words: Words, *, add: Iterable[bytes] = (), subtract: Iterable[bytes] = ()) -> None:
    """Add the streams of some keys to ``words`` and subtract those of others, in place.

    Args:
        words: Little-endian ring words; changed.
        add: 32-byte keys whose streams are added.
        subtract: 32-byte keys whose streams are subtracted.

    Raises:
        LocalProtocolError: a key has not 32 bytes; a shorter seed is never stretched.
    """
    changes: list[tuple[np.ufunc, bytes]] = [(np.add, _checked(key)) for key in add]
    changes += [(np.subtract, _checked(key)) for key in subtract]
    first = HEAD_BYTES // words.itemsize
    head, rest = words[:first], words[first:]
    for change, key in changes:
        change(head, np.frombuffer(_head(key), dtype=words.dtype)[: len(head)], out=head)
    streams = [(change, _tail(key)) for change, key in changes if len(rest)]
    room = min(PIECE_BYTES, rest.nbytes)
    drawn = bytearray(room + _BLOCK_BYTES - 1)  # `update_into` asks for the spare bytes
    for piece in _pieces(rest):
        zeros = _ZEROS[: piece.nbytes]
        mask = np.frombuffer(drawn, dtype=words.dtype, count=len(piece))
        for change, stream in streams:
            stream.update_into(zeros, drawn)
            change(piece, mask, out=piece)


def _checked(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise LocalProtocolError(f"a mask key has {KEY_BYTES} bytes, not {len(key)}")
    return key


def _head(key: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor().update(bytes(HEAD_BYTES))


def _tail(key: bytes) -> CipherContext:
    return Cipher(algorithms.AES(key), modes.GCM(bytes(12))).encryptor()


def _pieces(words: Words) -> Iterator[Words]:
    step = PIECE_BYTES // words.itemsize
    for start in range(0, len(words), step):
        yield words[start : start + step]
