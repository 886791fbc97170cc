"""Two ways to do the same work on many models or examples: one by one, or all at once."""

from dataclasses import dataclass
from enum import Enum


class Execution(Enum):
    """How the work is done; the results agree up to rounding in float32."""

    SEQUENTIAL = "sequential"
    VMAP = "vmap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Executions:
    """How each kind of work is done.

    Attributes:
        losses: The losses of the same examples under K models.
        training: The local trainings of many clients.
        gradients: The gradients of many examples, for private training; one after another means
            layer after layer.
    """

    losses: Execution = Execution.SEQUENTIAL
    training: Execution = Execution.SEQUENTIAL
    gradients: Execution = Execution.SEQUENTIAL
