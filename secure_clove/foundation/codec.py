"""One canonical byte string per value, and back. MessagePack with typed decoding; no pickles.

Frozen dataclasses are maps with their fields in order; numpy arrays are (dtype, shape, bytes).
Decoding checks every type and runs every ``__post_init__``; a non-canonical encoding of a value
that is hashed or signed is refused, so that one value has one digest.
"""

from typing import Any, TypeVar

import msgspec
import numpy as np

from secure_clove.errors import CloveError, MalformedError, TooLargeError

T = TypeVar("T")

DTYPES = frozenset({"<f8", "<i8", "<u8", "<u4"})


def _pack_array(value: object) -> object:
    if isinstance(value, np.ndarray) and value.dtype.str in DTYPES:
        return [value.dtype.str, list(value.shape), value.tobytes()]
    raise NotImplementedError(f"{type(value).__name__} has no canonical encoding")


def _unpack_array(kind: Any, value: Any) -> object:  # noqa: ANN401  msgspec's own signature
    dtype, shape, data = value
    if dtype not in DTYPES:
        raise ValueError("unknown dtype")
    return np.frombuffer(data, dtype=dtype).reshape(shape)


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_pack_array, order="deterministic")


def encode(value: object) -> bytes:
    """Return the canonical bytes of ``value``: the same on every machine and in every run."""
    return _ENCODER.encode(value)


def decode(data: bytes, kind: type[T], *, limit: int | None = None) -> T:
    """Read one value of type ``kind``.

    Args:
        data: Bytes made by `encode`.
        kind: The expected type, a frozen dataclass as a rule.
        limit: Most bytes to look at; None reads what our own store wrote.

    Raises:
        TooLargeError: ``data`` is longer than ``limit``; nothing was parsed.
        MalformedError: not a canonical encoding of a valid ``kind``. The message never quotes the
            data.
    """
    if limit is not None and len(data) > limit:
        raise TooLargeError(f"{kind.__name__} has {len(data)} bytes, at most {limit} are allowed")
    try:
        value = msgspec.msgpack.decode(data, type=kind, dec_hook=_unpack_array)
    except (msgspec.DecodeError, ValueError, TypeError, RecursionError, CloveError) as error:
        raise MalformedError(f"not a valid {kind.__name__}") from error
    if encode(value) != data:
        raise MalformedError(f"not the canonical encoding of a {kind.__name__}")
    return value
