"""The names things go by, as types that cannot be mixed up."""

from hashlib import sha256
from typing import NewType

ClientId = NewType("ClientId", str)
"""A client's enrolled name. Ordered as a string, everywhere."""

FederationId = NewType("FederationId", str)

Digest = NewType("Digest", str)
"""Lower-case hex SHA-256 of some bytes."""


def digest(data: bytes) -> Digest:
    """Return the content hash of ``data``."""
    return Digest(sha256(data).hexdigest())
