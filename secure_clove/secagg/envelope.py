"""One sealed envelope per ordered pair of clients: the two shares that one entrusts to the other.

ChaCha20-Poly1305 under the directional share key (protocol.md, R1). The nonce is zero because a key
seals one envelope in its life: session, direction and all adverts are part of its derivation.
"""

from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from secure_clove.errors import BadSignatureError
from secure_clove.foundation.ids import ClientId
from secure_clove.secagg.keys import frame, share_key
from secure_clove.secagg.shamir import SHARE_BYTES, element

SEALED_BYTES = 2 * SHARE_BYTES + 16
_NONCE = bytes(12)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entrusted:
    """What one client holds of another: at most one of the two ever leaves it.

    Attributes:
        key: 33-byte share of the other's mask secret, for when it drops out.
        seed: 33-byte share of the other's self seed, for when it does not.
    """

    key: bytes = field(repr=False)
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse shares that are no field elements.

        Raises:
            MalformedError: a share is no element of the field.
        """
        element(self.key)
        element(self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """From whom to whom, in which session, under which adverts; sealed into the envelope."""

    sid: bytes
    h1: bytes
    source: ClientId
    target: ClientId

    @property
    def associated(self) -> bytes:
        """The associated data."""
        return frame(self.sid, self.h1, self.source, self.target)

    def key(self, agreed: bytes) -> bytes:
        """Return the key of the one envelope that goes this way.

        Args:
            agreed: What the share keys of the two clients have in common.
        """
        return share_key(agreed, sid=self.sid, h1=self.h1, source=self.source, target=self.target)


def seal(entrusted: Entrusted, address: Address, *, key: bytes) -> bytes:
    """Return the 82-byte envelope.

    Args:
        entrusted: The two shares.
        address: Direction and session.
        key: The key of this address.
    """
    plain = entrusted.key + entrusted.seed
    return ChaCha20Poly1305(key).encrypt(_NONCE, plain, address.associated)


def unseal(sealed: bytes, address: Address, *, key: bytes) -> Entrusted:
    """Return the two shares; the inverse of `seal`.

    Raises:
        BadSignatureError: not sealed by ``address.source`` for ``address.target`` in this session.
        MalformedError: it holds no two shares.
    """
    try:
        plain = ChaCha20Poly1305(key).decrypt(_NONCE, sealed, address.associated)
    except InvalidTag as error:
        raise BadSignatureError(f"the envelope from '{address.source}' does not open") from error
    return Entrusted(key=plain[:SHARE_BYTES], seed=plain[SHARE_BYTES:])
