"""What clients and coordinator say to each other in one secure sum. Values only.

Source: protocol.md, "Messages of SCA-Full". A message that exists has parts of the right size, in
canonical order and free of duplicates; whether it is true is for `client` and `server` to check.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from secure_clove.errors import MalformedError, NotFoundError
from secure_clove.foundation.ids import ClientId
from secure_clove.secagg.envelope import SEALED_BYTES
from secure_clove.secagg.graph import most_holders
from secure_clove.secagg.keys import KEY_BYTES, SIGNATURE_BYTES
from secure_clove.secagg.session import Session
from secure_clove.secagg.shamir import SHARE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Advert:
    """R0, client to coordinator: my keys for this session.

    Attributes:
        sender: Who speaks.
        share_key: 32-byte X25519 public key for sealing shares.
        mask_key: 32-byte X25519 public key for pair masks.
        commitment: 32-byte commitment to the self seed.
        signature: 64 bytes over all of it and the session identifier.
    """

    sender: ClientId
    share_key: bytes
    mask_key: bytes
    commitment: bytes
    signature: bytes

    def __post_init__(self) -> None:
        """Refuse parts of another size."""
        _sized("advert", KEY_BYTES, self.share_key, self.mask_key, self.commitment)
        _sized("signature", SIGNATURE_BYTES, self.signature)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """R1, client to coordinator: one 82-byte envelope per neighbour."""

    sender: ClientId
    sealed: Mapping[ClientId, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse envelopes of another size."""
        _sized("envelope", SEALED_BYTES, *self.sealed.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """R2, client to coordinator: the input plus all masks; uniform on its own.

    Attributes:
        sender: Who speaks.
        values: Little-endian words of the session's ring; a view, so that they are not copied.
        signature: 64 bytes over the session, the adverts, U2 and the hash of ``values``.
    """

    sender: ClientId
    values: memoryview = field(repr=False)
    signature: bytes

    def __post_init__(self) -> None:
        """Refuse a signature of another size."""
        _sized("signature", SIGNATURE_BYTES, self.signature)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """R3, client to coordinator: my one signature on who is in the sum."""

    sender: ClientId
    signature: bytes

    def __post_init__(self) -> None:
        """Refuse a signature of another size."""
        _sized("signature", SIGNATURE_BYTES, self.signature)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmask:
    """R4, client to coordinator: one share for each client of its circle, never both kinds.

    Attributes:
        sender: Who speaks.
        seeds: 33-byte shares of the self seeds of those in the sum, its own among them.
        keys: 33-byte shares of the mask secrets of those who dropped out.
    """

    sender: ClientId
    seeds: Mapping[ClientId, bytes] = field(repr=False)
    keys: Mapping[ClientId, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse shares of another size, and both kinds for one client."""
        _sized("share", SHARE_BYTES, *self.seeds.values(), *self.keys.values())
        if self.seeds.keys() & self.keys.keys():
            raise MalformedError("both shares of one client: its input would lie open")


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """After R0, coordinator to all of U1: the signed adverts, in order of sender."""

    adverts: tuple[Advert, ...]

    def __post_init__(self) -> None:
        """Refuse a disordered directory or two adverts of one client."""
        _ascending("directory", [advert.sender for advert in self.adverts])


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """After R1, coordinator to one client of U2: its neighbours' envelopes for it, by sender."""

    sealed: Mapping[ClientId, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse envelopes of another size."""
        _sized("envelope", SEALED_BYTES, *self.sealed.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivors:
    """After R2, coordinator to all of U3: who is in the sum and who dropped out."""

    alive: tuple[ClientId, ...]
    dropped: tuple[ClientId, ...]

    def __post_init__(self) -> None:
        """Refuse disorder, duplicates, and a client listed as alive and as dropped."""
        _ascending("list of survivors", self.alive)
        _ascending("list of dropped clients", self.dropped)
        if set(self.alive) & set(self.dropped):
            raise MalformedError("a client is listed as alive and as dropped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatures:
    """After R3, coordinator to all who signed: the signatures on who is in the sum."""

    signatures: Mapping[ClientId, bytes]

    def __post_init__(self) -> None:
        """Refuse signatures of another size."""
        _sized("signature", SIGNATURE_BYTES, *self.signatures.values())


Reply = Advert | Shares | Masked | Consistency | Unmask
"""What a client sends."""


def longest_name(session: Session) -> int:
    """Return the bytes of the longest client id of a session; it takes a look at each."""
    return max(len(client.encode()) for client in session.cohort)


def body_limit(session: Session, stage: str, *, longest: int | None = None) -> int:
    """Return the most bytes that an encoded message may have.

    Args:
        session: Which session.
        stage: A step (``advert``, ``shares``, ``masked``, ``consistency``, ``unmask``) or a
            resource (``directory``, ``inbox``, ``survivors``, ``signatures``).
        longest: Bytes of the longest client id, where they are known.

    Raises:
        NotFoundError: no such step or resource.
    """
    header = 5  # the longest MessagePack header of a string, a map or some bytes
    name = header + (longest_name(session) if longest is None else longest)
    each = {
        "advert": 0,
        "shares": name + header + SEALED_BYTES,
        "masked": 0,
        "consistency": 0,
        "unmask": name + header + SHARE_BYTES,
        "directory": name + 256,
        "inbox": name + header + SEALED_BYTES,
        "survivors": name,
        "signatures": name + header + SIGNATURE_BYTES,
    }
    if stage not in each:
        raise NotFoundError(f"a secure sum has no step or resource '{stage[:16]}'")
    values = session.length * session.ring_bits // 8 if stage == "masked" else 0
    count = len(session.cohort)
    parts = most_holders(count) if stage in ("shares", "unmask", "inbox") else count
    return 256 + name + values + parts * each[stage]


def _sized(what: str, size: int, *parts: bytes) -> None:
    if any(len(part) != size for part in parts):
        raise MalformedError(f"every part of this {what} must have {size} bytes")


def _ascending(what: str, clients: Sequence[ClientId]) -> None:
    if list(clients) != sorted(set(clients)):
        raise MalformedError(f"the {what} must be sorted and free of duplicates")
