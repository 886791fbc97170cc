"""What coordinator and participants say to each other around the secure sums."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from secure_clove.errors import MalformedError
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId, Digest, FederationId, digest
from secure_clove.secagg.keys import Identity, verify
from secure_clove.secagg.session import Session

T = TypeVar("T")

CONFIG_TAG = "secure_clove/v1/config"
ROSTER_TAG = "secure_clove/v1/roster"
REPLY_STEP = "reply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Canonical bytes of a value under the signature of a federation key.

    Attributes:
        body: The encoded value.
        key: Ed25519 public key of the signer, 32 bytes.
        signature: Over the tag of the value's kind and the body.
    """

    body: bytes
    key: bytes
    signature: bytes

    @classmethod
    def seal(cls, value: object, tag: str, identity: Identity) -> "Signed":
        """Sign ``value``."""
        body = encode(value)
        return cls(body=body, key=identity.public, signature=identity.sign(tag, body))

    def open(self, kind: type[T], tag: str, key: bytes) -> T:
        """Return the value after checking who signed it.

        Raises:
            BadSignatureError: not signed by ``key``.
            MalformedError: not a valid ``kind``.
        """
        verify(key, self.signature, tag, self.body)
        return decode(self.body, kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Who may take part: identity keys by client, signed by the federation key.

    Attributes:
        federation: Which federation.
        config: Hash of its configuration.
        clients: Ed25519 public key, 32 bytes, of every client.
    """

    federation: FederationId
    config: Digest
    clients: Mapping[ClientId, bytes]

    @property
    def hash(self) -> Digest:
        """Content hash, which every session names."""
        return digest(encode(self))

    def __post_init__(self) -> None:
        """Refuse keys of a wrong size, or one key under two names."""
        if any(len(key) != 32 for key in self.clients.values()):
            raise MalformedError("identity keys have 32 bytes")
        if len(set(self.clients.values())) != len(self.clients):
            raise MalformedError("two clients of a roster share one identity key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Charter:
    """What a client fetches first: the signed configuration and, once started, the roster."""

    config: Signed
    roster: Signed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A client's seat in a session.

    Attributes:
        session: The session object P, the same for its whole cohort.
        ask: Hash of this client's ask, one of the session's.
    """

    session: Session
    ask: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """What there is to do for one client now.

    Attributes:
        round: The federation's round, counted from 1; 0 before the first.
        invitation: The open session, if any.
        is_closed: Whether the federation has closed.
        gift: After closing, hash of what the client's final model is made from; None if the client
            never got a model.
    """

    round: int
    is_closed: bool = False
    invitation: Invitation | None = None
    gift: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A noised reply that travels on its own (`Reveal.EACH`).

    Attributes:
        sender: Who answers.
        values: Little-endian ring elements.
        signature: Over sid, "reply" and the values.
    """

    sender: ClientId
    values: bytes = field(repr=False)
    signature: bytes
