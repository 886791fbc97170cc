"""Messages between an operator and a coordinator, and where they go."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from secure_clove.engine.messages import Signed
from secure_clove.foundation.ids import ClientId

OPERATOR = "operator"
"""Key id under which an operator signs its requests."""


def token_hash(token: str) -> str:
    """Return what a coordinator keeps of a one-time enrolment token: 64 hex digits."""
    return sha256(token.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Founding:
    """What an operator sends to found a federation.

    Attributes:
        config: The signed configuration.
        initial: Safetensors bytes of the initial models that it names.
        tokens: `token_hash` of the one-time token of each client that may enrol.
    """

    config: Signed
    initial: bytes
    tokens: Mapping[ClientId, str]
