"""Every key and hash of a session, exactly as the table of protocol.md derives them.

Everything that is hashed, signed or named in a derivation is a frame: each part after its length
in eight bytes, so that no two lists of parts share their bytes.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from secure_clove.errors import BadSignatureError, ConfigError, MalformedError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import Entropy

KEY_BYTES = 32
SIGNATURE_BYTES = 64

Secret = bytes | X25519PrivateKey
"""An X25519 secret: 32 bytes, or the key that `private_key` has read from them."""


def frame(*parts: str | bytes) -> bytes:
    """Return ``parts`` joined, each after its length in 8 big-endian bytes; text is UTF-8."""
    joined: list[bytes] = []
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        joined += len(raw).to_bytes(8, "big"), raw
    return b"".join(joined)


def transcript_hash(*parts: str | bytes) -> bytes:
    """Return the 32-byte SHA-256 of the frame of ``parts``."""
    return sha256(frame(*parts)).digest()


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """A client's long-lived Ed25519 signing key; only its public half is enrolled."""

    _key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def from_bytes(cls, secret: bytes) -> Self:
        """Return the identity with these 32 secret bytes.

        Raises:
            ConfigError: not 32 bytes.
        """
        if len(secret) != KEY_BYTES:
            raise ConfigError(f"an identity has {KEY_BYTES} secret bytes, not {len(secret)}")
        return cls(Ed25519PrivateKey.from_private_bytes(secret))

    @property
    def public(self) -> bytes:
        """The 32 bytes to enrol."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, *parts: str | bytes) -> bytes:
        """Return the 64-byte signature of the transcript hash of ``parts``."""
        return self._key.sign(transcript_hash(*parts))


def verify(public: bytes, signature: bytes, *parts: str | bytes) -> None:
    """Check that the owner of ``public`` signed ``parts``.

    Raises:
        BadSignatureError: it is not so, or ``public`` is no Ed25519 key.
    """
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, transcript_hash(*parts))
    except (InvalidSignature, ValueError) as error:
        raise BadSignatureError(
            "the signature is not the roster key's over this content"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SessionKeys:
    """One client's secrets for one session; in memory only, never used in another session.

    Attributes:
        share_secret: 32 bytes, X25519: seals and opens shares (C in the spec).
        mask_secret: 32 bytes, X25519: pair masks (M in the spec).
        seed: 32 bytes: the self mask (b in the spec).
    """

    share_secret: bytes = field(repr=False)
    mask_secret: bytes = field(repr=False)
    seed: bytes = field(repr=False)

    @classmethod
    def draw(cls, entropy: Entropy) -> Self:
        """Return fresh keys."""
        return cls(
            share_secret=entropy.draw(KEY_BYTES),
            mask_secret=entropy.draw(KEY_BYTES),
            seed=entropy.draw(KEY_BYTES),
        )


def public_coin(sid: bytes, h1: bytes) -> bytes:
    """Return 32 bytes that everybody in a session has and nobody chose: h1 holds fresh keys."""
    return transcript_hash("coin", sid, h1)


def private_key(secret: bytes) -> X25519PrivateKey:
    """Return the key of 32 secret bytes, for many agreements: reading it costs as much as one."""
    return X25519PrivateKey.from_private_bytes(secret)


def public_key(secret: bytes) -> bytes:
    """Return the X25519 public key of 32 secret bytes."""
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def commitment(seed: bytes, *, sid: bytes, client: ClientId) -> bytes:
    """Return the commitment to a self seed that its owner's advert carries."""
    return transcript_hash("bc", sid, client, seed)


def agree(secret: Secret, public: bytes) -> bytes:
    """Return the 32 bytes that two clients have in common; keys are derived from them.

    Args:
        secret: X25519 secret of one of the two.
        public: X25519 public key of the other.

    Raises:
        MalformedError: ``public`` is a point of low order.
    """
    key = private_key(secret) if isinstance(secret, bytes) else secret
    try:  # refuses an all-zero result
        return key.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise MalformedError(
            "a public key of low order: no secret can be agreed with it"
        ) from error


def share_key(agreed: bytes, *, sid: bytes, h1: bytes, source: ClientId, target: ClientId) -> bytes:
    """Return the key that seals the shares from ``source`` to ``target``.

    The direction is part of it: with one key both ways a coordinator could hand a client's own
    shares back to it.

    Args:
        agreed: What the share keys of the two have in common, whichever way.
        sid: Session identifier.
        h1: Hash of the signed adverts.
        source: Who seals.
        target: Who opens.
    """
    return _derive(agreed, sid, frame("share", source, target, h1))


def pair_mask_key(
    secret: Secret,
    public: bytes,
    *,
    sid: bytes,
    h1: bytes,
    h2: bytes,
    pair: tuple[ClientId, ClientId],
) -> bytes:
    """Return the key of the mask that two clients share; the order of ``pair`` does not matter.

    Args:
        secret: X25519 mask secret of one of the two.
        public: X25519 mask key of the other.
        sid: Session identifier.
        h1: Hash of the signed adverts.
        h2: Hash of U2.
        pair: The two clients.

    Raises:
        MalformedError: ``public`` is a point of low order.
    """
    low, high = sorted(pair)
    return _derive(agree(secret, public), sid, frame("mask", low, high, h1, h2))


def self_mask_key(seed: bytes, *, sid: bytes, client: ClientId) -> bytes:
    """Return the key of a client's own mask."""
    return _derive(seed, sid, frame("self", client))


def _derive(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=info).derive(secret)
