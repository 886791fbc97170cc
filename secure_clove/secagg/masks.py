"""Mask streams: AES-256-CTR key streams added to a vector of ring words in place.

One key, one stream, zero IV, read as little-endian words (protocol.md, "mask stream"). Every word
of the ring can occur, the top one included. The loop runs over pieces that stay in the cache and,
inside, over the keys, so that a vector is read from memory once however many masks it takes.
"""

from collections.abc import Iterable

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from secure_clove.errors import LocalProtocolError
from secure_clove.secagg.ring import Words

PIECE_BYTES = 1 << 16
KEY_BYTES = 32
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
    adding = [_stream(key) for key in add]
    subtracting = [_stream(key) for key in subtract]
    step = PIECE_BYTES // words.itemsize
    for start in range(0, len(words), step):
        piece = words[start : start + step]
        for stream in adding:
            piece += _next(stream, piece)
        for stream in subtracting:
            piece -= _next(stream, piece)


def _stream(key: bytes) -> CipherContext:
    if len(key) != KEY_BYTES:
        raise LocalProtocolError(f"a mask key has {KEY_BYTES} bytes, not {len(key)}")
    return Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()


def _next(stream: CipherContext, piece: Words) -> Words:
    return np.frombuffer(stream.update(_ZEROS[: piece.nbytes]), dtype=piece.dtype)
