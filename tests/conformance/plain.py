"""The primitives once more, in plain integers and from their standards; nothing of the library.

AES, X25519 and Ed25519 come from the package `cryptography`; everything else is written out:
MessagePack, HKDF (RFC 5869), ChaCha20-Poly1305 (RFC 8439), Shamir's sharing, AES in counter mode.
"""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

PRIME = 2**256 + 297


class Refused(Exception):
    """The verifier does not take this input either."""


def refuse_unless(claim: object, why: str) -> None:
    if not claim:
        raise Refused(why)


# ---- MessagePack, canonical: the shortest form of everything


def pack(value: Any) -> bytes:
    """Return the canonical bytes; a dict keeps the order it is in."""
    if isinstance(value, int):
        return _pack_int(value)
    if isinstance(value, str):
        raw = value.encode()
        return _head(len(raw), (0xA0, 32), (0xD9, 0xDA, 0xDB)) + raw
    if isinstance(value, bytes):
        return _head(len(value), (0, 0), (0xC4, 0xC5, 0xC6)) + value
    if isinstance(value, Mapping):
        parts = b"".join(pack(key) + pack(item) for key, item in value.items())
        return _head(len(value), (0x80, 16), (None, 0xDE, 0xDF)) + parts
    return _head(len(value), (0x90, 16), (None, 0xDC, 0xDD)) + b"".join(map(pack, value))


def _pack_int(value: int) -> bytes:
    if -32 <= value < 128:
        return value.to_bytes(1, "big", signed=value < 0)
    tags = (0xCC, 0xCD, 0xCE, 0xCF) if value >= 0 else (0xD0, 0xD1, 0xD2, 0xD3)
    for tag, size in zip(tags, (1, 2, 4, 8), strict=True):
        if -(2 ** (8 * size - 1)) <= value < 2 ** (8 * size):
            return bytes([tag]) + value.to_bytes(size, "big", signed=value < 0)
    raise Refused("an integer beyond 64 bits")


def _head(count: int, short: tuple[int, int], tags: Sequence[int | None]) -> bytes:
    if count < short[1]:
        return bytes([short[0] | count])
    for tag, size in zip(tags, (1, 2, 4), strict=True):
        if tag is not None and count < 2 ** (8 * size):
            return bytes([tag]) + count.to_bytes(size, "big")
    raise Refused("too long")


def unpack(data: bytes) -> Any:
    """Read one value and refuse everything but its canonical bytes."""
    value, end = _value(data, 0)
    refuse_unless(end == len(data) and pack(value) == data, "not canonical")
    return value


_SIZED = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}


def _value(data: bytes, at: int) -> tuple[Any, int]:
    refuse_unless(at < len(data), "cut short")
    tag, at = data[at], at + 1
    if tag < 0x80 or tag >= 0xE0:
        return (tag if tag < 0x80 else tag - 256), at
    if tag in range(0xCC, 0xD4):
        size = 1 << (tag & 3)
        return int.from_bytes(data[at : at + size], "big", signed=tag >= 0xD0), at + size
    if tag in _SIZED:
        size = _SIZED[tag]
        count, at = int.from_bytes(data[at : at + size], "big"), at + size
        kind = "bin" if tag < 0xC7 else "str" if tag < 0xDC else "list" if tag < 0xDE else "map"
    else:
        refuse_unless(tag < 0xC0, "no such kind here")
        kind = "map" if tag < 0x90 else "list" if tag < 0xA0 else "str"
        count = tag & (0x1F if kind == "str" else 0x0F)
    return _content(data, at, kind, count)


def _content(data: bytes, at: int, kind: str, count: int) -> tuple[Any, int]:
    if kind in ("bin", "str"):
        raw = data[at : at + count]
        refuse_unless(len(raw) == count, "cut short")
        return (raw if kind == "bin" else raw.decode()), at + count
    items = []
    for _ in range(count if kind == "list" else 2 * count):
        item, at = _value(data, at)
        items.append(item)
    if kind == "list":
        return items, at
    names = items[::2]
    refuse_unless(len(set(names)) == len(names), "a name occurs twice")
    return dict(zip(names, items[1::2], strict=True)), at


# ---- frames, keys, signatures


def frame(*parts: str | bytes) -> bytes:
    raw = [part.encode() if isinstance(part, str) else part for part in parts]
    return b"".join(len(part).to_bytes(8, "big") + part for part in raw)


def framed_hash(*parts: str | bytes) -> bytes:
    return sha256(frame(*parts)).digest()


def hkdf(secret: bytes, salt: bytes, info: bytes, size: int = 32) -> bytes:
    """RFC 5869, section 2, with SHA-256."""
    key = hmac.digest(salt or bytes(32), secret, "sha256")
    block, found = b"", b""
    for number in range(1, -(-size // 32) + 1):
        block = hmac.digest(key, block + info + bytes([number]), "sha256")
        found += block
    return found[:size]


def x25519(secret: bytes, public: bytes) -> bytes:
    try:
        key = X25519PublicKey.from_public_bytes(public)
        return X25519PrivateKey.from_private_bytes(secret).exchange(key)
    except ValueError as error:
        raise Refused("a point of low order") from error


def x25519_public(secret: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def sign(secret: bytes, *parts: str | bytes) -> bytes:
    refuse_unless(len(secret) == 32, "a key of another size")
    return Ed25519PrivateKey.from_private_bytes(secret).sign(framed_hash(*parts))


def ed25519_public(secret: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def check_signature(public: bytes, signature: bytes, *parts: str | bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, framed_hash(*parts))
    except (InvalidSignature, ValueError) as error:
        raise Refused("a false signature") from error


# ---- ChaCha20-Poly1305, RFC 8439


def _rotate(word: int, by: int) -> int:
    return ((word << by) | (word >> (32 - by))) & 0xFFFFFFFF


def _quarter(s: list[int], a: int, b: int, c: int, d: int) -> None:
    """Section 2.1."""
    for x, y, z, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & 0xFFFFFFFF
        s[z] = _rotate(s[z] ^ s[x], by)


def _chacha_block(key: bytes, counter: int, nonce: bytes) -> bytes:
    """Section 2.3."""
    raw = b"expand 32-byte k" + key + counter.to_bytes(4, "little") + nonce
    start = [int.from_bytes(raw[i : i + 4], "little") for i in range(0, 64, 4)]
    state = list(start)
    for _ in range(10):
        for i in range(4):
            _quarter(state, i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            _quarter(state, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    sums = ((a + b) & 0xFFFFFFFF for a, b in zip(state, start, strict=True))
    return b"".join(word.to_bytes(4, "little") for word in sums)


def _chacha(key: bytes, nonce: bytes, data: bytes) -> bytes:
    """Section 2.4, the counter starting at 1."""
    blocks = -(-len(data) // 64)
    stream = b"".join(_chacha_block(key, 1 + i, nonce) for i in range(blocks))
    return bytes(a ^ b for a, b in zip(data, stream, strict=False))


def _tag(key: bytes, nonce: bytes, data: bytes, associated: bytes) -> bytes:
    """Sections 2.5 and 2.8: Poly1305 under a one-time key."""
    one_time = _chacha_block(key, 0, nonce)[:32]
    r = int.from_bytes(one_time[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    padded = [part + bytes(-len(part) % 16) for part in (associated, data)]
    lengths = len(associated).to_bytes(8, "little") + len(data).to_bytes(8, "little")
    message, value = b"".join([*padded, lengths]), 0
    for i in range(0, len(message), 16):
        block = int.from_bytes(message[i : i + 16], "little") + 2**128
        value = (value + block) * r % (2**130 - 5)
    last = value + int.from_bytes(one_time[16:], "little")
    return (last % 2**128).to_bytes(16, "little")


def aead_seal(key: bytes, nonce: bytes, plain: bytes, associated: bytes) -> bytes:
    data = _chacha(key, nonce, plain)
    return data + _tag(key, nonce, data, associated)


def aead_open(key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
    data, tag = sealed[:-16], sealed[-16:]
    refuse_unless(_tag(key, nonce, data, associated) == tag, "a false tag")
    return _chacha(key, nonce, data)


# ---- Shamir


def element(share: bytes) -> int:
    refuse_unless(len(share) == 33, "a share of another size")
    value = int.from_bytes(share, "big")
    refuse_unless(value < PRIME, "not in the field")
    return value


def coefficients(draws: Iterator[bytes], count: int) -> list[int]:
    """Return uniform field elements: 257 bits of each draw, those from the prime on left out."""
    found: list[int] = []
    while len(found) < count:
        value = int.from_bytes(next(draws), "big") % 2**257
        found += [value] if value < PRIME else []
    return found


def split(secret: bytes, threshold: int, count: int, draws: Iterator[bytes]) -> list[bytes]:
    """Evaluate secret + c[T-2] x + ... + c[0] x^(T-1) at x = 1, 2, ..., count."""
    refuse_unless(len(secret) == 32 and 1 <= threshold <= count, "cannot be rebuilt")
    powers = [*coefficients(draws, threshold - 1), int.from_bytes(secret, "big")][::-1]
    at = [sum(c * x**k for k, c in enumerate(powers)) % PRIME for x in range(1, count + 1)]
    return [value.to_bytes(33, "big") for value in at]


def weights(xs: Sequence[int]) -> list[int]:
    refuse_unless(len(set(xs)) == len(xs) and all(0 < x < PRIME for x in xs), "a false x")
    found = []
    for x in xs:
        weight = 1
        for other in xs:
            if other != x:
                weight = weight * other * pow(other - x, -1, PRIME) % PRIME
        found.append(weight)
    return found


def combine(shares: Sequence[bytes], xs: Sequence[int]) -> bytes:
    pairs = zip(map(element, shares), weights(xs), strict=True)
    secret = sum(value * weight for value, weight in pairs) % PRIME
    refuse_unless(secret < 2**256, "shares of no secret")
    return secret.to_bytes(32, "big")


# ---- AES in counter mode


def stream_words(key: bytes, bits: int, places: Sequence[int]) -> list[int]:
    """Return words of the mask stream: AES in ECB mode over big-endian counters from zero."""
    refuse_unless(len(key) == 32, "a key of another size")
    size, found = bits // 8, []
    for place in places:
        block, inside = divmod(place * size, 16)
        cipher = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305  one block
        stream = cipher.update(block.to_bytes(16, "big"))
        found.append(int.from_bytes(stream[inside : inside + size], "little"))
    return found
