"""What a session's clients have sent: the port to the stored bodies, through which machines read.

A body is stored once it was accepted and never changes. So who has answered a running stage is in
the store, not in the machine's state, and a message costs the same however many came before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from secure_clove.foundation.codec import decode
from secure_clove.foundation.ids import ClientId, Digest, digest
from secure_clove.secagg.messages import Advert, Consistency, Masked, Shares, Unmask
from secure_clove.secagg.stages import TRANSITIONS

M = TypeVar("M", Advert, Shares, Masked, Consistency, Unmask)


class Bodies(Protocol):
    """The stored bodies of one session, by step and sender."""

    def get(self, step: str, sender: ClientId) -> bytes:
        """Return one body.

        Raises:
            NotFoundError: none was stored.
        """

    def digest(self, step: str, sender: ClientId) -> Digest | None:
        """Return the content hash of one body; None if none was stored."""

    def count(self, step: str) -> int:
        """Return how many have answered a step."""

    def senders(self, step: str) -> Mapping[ClientId, Digest]:
        """Return who has answered a step, with the content hashes of the bodies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Including:
    """Stored bodies and one more, which is about to be stored.

    Attributes:
        stored: All others.
        step: Of the new one.
        sender: Of the new one.
        body: The new one.
    """

    stored: Bodies
    step: str
    sender: ClientId
    body: bytes = field(repr=False)

    def get(self, step: str, sender: ClientId) -> bytes:
        """Return one body."""
        return self.body if self._is_new(step, sender) else self.stored.get(step, sender)

    def digest(self, step: str, sender: ClientId) -> Digest | None:
        """Return the content hash of one body."""
        if self._is_new(step, sender):
            return digest(self.body)
        return self.stored.digest(step, sender)

    def count(self, step: str) -> int:
        """Return how many have answered a step."""
        return self.stored.count(step) + (step == self.step)

    def senders(self, step: str) -> Mapping[ClientId, Digest]:
        """Return who has answered a step."""
        found = self.stored.senders(step)
        return {**found, self.sender: digest(self.body)} if step == self.step else found

    def _is_new(self, step: str, sender: ClientId) -> bool:
        return (step, sender) == (self.step, self.sender)


def load(bodies: Bodies, kind: type[M], sender: ClientId) -> M:
    """Return a stored message.

    Args:
        bodies: Where it is stored.
        kind: Type of the message, which says its step.
        sender: Who sent it.

    Raises:
        NotFoundError: none was stored.
    """
    step = next(rule.step for rule in TRANSITIONS.values() if rule.kind is kind)
    return decode(bodies.get(step, sender), kind)
