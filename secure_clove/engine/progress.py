"""What a participant says of its own progress."""

from dataclasses import dataclass
from enum import Enum

from secure_clove.foundation.ids import ClientId


class Outcome(Enum):
    """What a step came to."""

    MOVED = "moved"
    WAITING = "waiting"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Something a person may want to see.

    Attributes:
        client: Whose progress.
        round: Counted from 1.
        phase: The session's phase.
        step: What was just done: ``begun``, a step of the protocol, or ``evaluated``.
        accuracy: With ``evaluated``: share of the client's own held-out examples that the model it
            was sent gets right. It stays on the client.
    """

    client: ClientId
    round: int
    phase: str
    step: str
    accuracy: float | None = None


def silent(progress: Progress) -> None:
    """Watch nothing."""
