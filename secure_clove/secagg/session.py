"""The session object P: what one exchange is about, and the identifier that binds everything to it.

Source: protocol.md, "Keys and primitives", session object P. Algorithm, quantiser, weight rule,
privacy specification and threshold rule are fields of the signed federation configuration; P names
them by its hash.
"""

from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

from secure_clove.errors import ConfigError
from secure_clove.foundation.codec import encode
from secure_clove.foundation.ids import ClientId, Digest, FederationId

PROTOCOL = "sca/1"


class Carriage(Enum):
    """How the replies of an exchange travel."""

    MASKED = "masked"  # SCA-Full: the coordinator learns the sum
    EACH = "each"  # every reply in the clear, noised by its client


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One attempt at one exchange among one cohort.

    Attributes:
        protocol: Version of the protocol; other versions are refused.
        federation: Which federation.
        config: Hash of its signed configuration.
        roster: Hash of the signed roster.
        round: Counted from 1.
        phase: Name of the exchange and its group, such as ``losses`` or ``train/2``.
        attempt: Counted from 1; a new attempt has fresh keys.
        carriage: How the replies travel.
        cohort: Client ids in ascending string order.
        asks: Hashes of every ask of the session, ascending: the model set. A masked session has
            one, so that nobody contributes to a sum with other models than everybody else.
        length: Count of ring elements in a reply.
        ring_bits: 32 or 64.
        min_cohort: Fewest clients a sum may hold.
        stage_ms: Milliseconds that a stage stays open at most.
        nonce: 32 bytes of the coordinator's.
    """

    protocol: str = PROTOCOL
    federation: FederationId
    config: Digest
    roster: Digest
    round: int
    phase: str
    attempt: int
    carriage: Carriage
    cohort: tuple[ClientId, ...]
    asks: tuple[Digest, ...]
    length: int
    ring_bits: int
    min_cohort: int
    stage_ms: int
    nonce: bytes

    def __post_init__(self) -> None:
        """Refuse a session that no honest coordinator would open."""
        if self.protocol != PROTOCOL:
            raise ConfigError(f"protocol {PROTOCOL} expected")
        if list(self.cohort) != sorted(set(self.cohort)):
            raise ConfigError("the cohort must be sorted and free of duplicates")
        if list(self.asks) != sorted(set(self.asks)) or not self.asks:
            raise ConfigError("the asks must be sorted, free of duplicates and not empty")
        if self.ring_bits not in (32, 64) or self.length < 1 or len(self.nonce) != 32:
            raise ConfigError("ring of 32 or 64 bits, length >= 1 and a 32-byte nonce expected")
        if min(self.round, self.attempt, self.stage_ms, self.min_cohort) < 1:
            raise ConfigError("round, attempt, stage_ms and min_cohort count from 1")

    @property
    def sid(self) -> bytes:
        """The 32-byte session identifier: SHA-256 of the version tag and the canonical bytes."""
        return sha256(b"secure_clove/v1" + encode(self)).digest()
