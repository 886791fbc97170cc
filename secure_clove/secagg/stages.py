"""The stages of a session at the coordinator, and the one table of transitions between them.

Source: protocol.md, "Coordinator states of a sid".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from secure_clove.secagg.messages import Advert, Consistency, Masked, Reply, Shares, Unmask


class Stage(Enum):
    """Where the session stands; it only ever moves down this list.

    DONE of the spec is the engine's: the sum is totalled and stored once, at UNMASKED.
    """

    OPEN = "open"
    ADVERTISED = "advertised"
    SHARED = "shared"
    MASKED = "masked"
    CONSISTENT = "consistent"
    UNMASKED = "unmasked"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Collecting:
    """What a stage waits for.

    Attributes:
        step: Name of the step.
        number: Its number in the protocol.
        kind: Type of its message.
        then: The stage that follows when enough have answered.
    """

    step: str
    number: str
    kind: type[Reply]
    then: Stage


TRANSITIONS: Mapping[Stage, Collecting] = {
    Stage.OPEN: Collecting(step="advert", number="R0", kind=Advert, then=Stage.ADVERTISED),
    Stage.ADVERTISED: Collecting(step="shares", number="R1", kind=Shares, then=Stage.SHARED),
    Stage.SHARED: Collecting(step="masked", number="R2", kind=Masked, then=Stage.MASKED),
    Stage.MASKED: Collecting(
        step="consistency", number="R3", kind=Consistency, then=Stage.CONSISTENT
    ),
    Stage.CONSISTENT: Collecting(step="unmask", number="R4", kind=Unmask, then=Stage.UNMASKED),
}
"""The one transition table. From each of these stages `Stage.ABORTED` is the other way out."""

STEPS: Mapping[str, Stage] = {rule.step: stage for stage, rule in TRANSITIONS.items()}
"""The stage that collects each step."""

BEFORE: Mapping[Stage, str] = dict(zip(STEPS.values(), ["", *STEPS], strict=False))
"""The step before the one that each stage collects; none before the first."""

RESOURCES: Mapping[str, Stage] = {
    "directory": Stage.ADVERTISED,
    "inbox": Stage.SHARED,
    "survivors": Stage.MASKED,
    "signatures": Stage.CONSISTENT,
}
"""The stage from which on each resource is there."""
