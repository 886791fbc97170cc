"""The library's own calls of each primitive, with what the protocol fixes put in from outside.

The wrappers hash what they sign, derive what they encrypt under, and take no nonce. A published
vector brings its own message, key and nonce: here these take the place of the derived ones, and
every other line that runs is the library's.
"""

from typing import cast

import pytest

from secure_clove.foundation.ids import ClientId
from secure_clove.secagg import envelope, keys, masks
from secure_clove.secagg.envelope import Address, Entrusted


def exchange(secret: bytes, public: bytes) -> bytes:
    """X25519 as pair masks and share keys use it; refuses an all-zero secret."""
    return keys.agree(secret, public)


def derive(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 as every key of a session is made: 32 bytes."""
    return keys._derive(secret, salt, info)


class Signatures:
    """`Identity.sign` and `verify` over a whole message instead of its hash."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(keys, "transcript_hash", lambda message: message)

    def sign(self, secret: bytes, message: bytes) -> bytes:
        return keys.Identity.from_bytes(secret).sign(message)

    def verify(self, public: bytes, signature: bytes, message: bytes) -> None:
        keys.verify(public, signature, message)


class _Associated(Address):
    """An address that stands for any associated data."""

    @property
    def associated(self) -> bytes:
        return self.sid


class _Plain:
    """Any text in the place of two shares."""

    def __init__(self, key: bytes, seed: bytes) -> None:
        self.key, self.seed = key, seed


class Envelopes:
    """`seal` and `unseal` under a given key, nonce and associated data."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        monkeypatch.setattr(envelope, "Entrusted", _Plain)

    def _address(self, nonce: bytes, associated: bytes) -> Address:
        self._patch.setattr(envelope, "_NONCE", nonce)
        nobody = ClientId("")
        return _Associated(sid=associated, h1=b"", source=nobody, target=nobody)

    def seal(self, key: bytes, nonce: bytes, plain: bytes, associated: bytes) -> bytes:
        address = self._address(nonce, associated)
        text = cast(Entrusted, _Plain(plain, b""))
        return envelope.seal(text, address, key=key)

    def unseal(self, key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
        address = self._address(nonce, associated)
        found = envelope.unseal(sealed, address, key=key)
        return found.key + found.seed


def counter_mode(key: bytes, first: bytes, data: bytes) -> bytes:
    """AES-256 in counter mode from any first block, by the cipher that makes mask streams."""
    start, count = int.from_bytes(first, "big"), -(-len(data) // 16)
    blocks = [(start + i) % 2**128 for i in range(count)]
    drawn = masks._cipher(key).update(b"".join(block.to_bytes(16, "big") for block in blocks))
    return bytes(a ^ b for a, b in zip(data, drawn, strict=False))


def galois_mode(key: bytes, nonce: bytes, data: bytes) -> bytes:
    """The ciphertext of AES-256-GCM by the same cipher: counter mode from block 2 of the nonce."""
    return counter_mode(key, nonce + (2).to_bytes(4, "big"), data) if data else b""
