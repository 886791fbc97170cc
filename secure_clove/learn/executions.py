"""Two ways to do the same work on many models: one after another, or all at once."""

from dataclasses import dataclass
from enum import Enum


class Execution(Enum):
    """How the work on many models is done; the results agree up to rounding in float32."""

    SEQUENTIAL = "sequential"
    VMAP = "vmap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Executions:
    """How each kind of work on many models is done.

    Attributes:
        losses: The losses of the same examples under K models.
        training: The local trainings of many clients.
    """

    losses: Execution = Execution.SEQUENTIAL
    training: Execution = Execution.SEQUENTIAL
