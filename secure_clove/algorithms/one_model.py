"""What algorithms with one model for everybody share: all but what clients answer and its fold."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Generic, Self, TypeVar

import numpy as np

from secure_clove.algorithms.base import Exchange, Standing, check_initial
from secure_clove.algorithms.motion import Motion, Trail
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.trees import Tree, Vector


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OneModelState:
    """One model for everybody.

    Attributes:
        model: ``(d,)``, current.
        trail: Of the model's moves.
        cohort: Who takes part in this round.
        is_trained: Whether this round's training is done.
        accuracy: Mean held-out accuracy of the model sent out last.
    """

    model: Vector
    trail: Trail = field(default_factory=Trail)
    cohort: tuple[ClientId, ...] = ()
    is_trained: bool = False
    accuracy: float | None = None

    def moved(self, motion: Motion, average: Vector) -> Self:
        """Return the state after training, the model moved to ``average`` ``(d,)``."""
        (model,), trail = motion.moved(
            self.model[None], self.trail, average[None], is_moved=np.ones(1, dtype=bool)
        )
        return replace(self, model=model, trail=trail, is_trained=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneModelOwn:
    """A client remembers nothing."""


S = TypeVar("S", bound=OneModelState)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneModel(ABC, Generic[S]):
    """One global model, trained once a round.

    Attributes:
        parameters: Length d of a model.
        server_momentum: Share of the last move that is made again, in [0, 1).
        server_smoothing: Share of the average of the model's places that stays when a new one
            enters it, in [0, 1); clients take that average home. 0: the last place.
    """

    parameters: int
    server_momentum: float = 0.0
    server_smoothing: float = 0.0
    own = OneModelOwn

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        _ = self.motion

    @property
    def motion(self) -> Motion:
        """How the model moves."""
        return Motion(momentum=self.server_momentum, smoothing=self.server_smoothing)

    @property
    @abstractmethod
    def exchanges(self) -> tuple[Exchange[S, OneModelOwn], ...]:
        """The one exchange of a round."""

    @property
    def initial_models(self) -> int:
        """One."""
        return 1

    def start(self, initial: Vector) -> S:
        """Start from the one initial model."""
        return self._started(check_initial(initial, count=1, parameters=self.parameters)[0])

    def enrol(self) -> OneModelOwn:
        """Nothing to remember."""
        return OneModelOwn()

    def begin(self, state: S, round_: int, cohort: tuple[ClientId, ...]) -> S:
        """Open a round."""
        return replace(state, cohort=cohort, is_trained=False)

    def next(self, state: S) -> Exchange[S, OneModelOwn] | None:
        """Train once a round."""
        return None if state.is_trained else self.exchanges[0]

    def standing(self, state: S) -> Standing:
        """Everybody shares model 0."""
        return Standing(assignment=dict.fromkeys(state.cohort, 0), accuracy=state.accuracy)

    def personal(self, state: S, client: ClientId) -> Tree:
        """The global model."""
        return {"model": self.motion.shown(state.model[None], state.trail)[0]}

    def mine(self, own: OneModelOwn, gift: Tree) -> Vector:
        """The global model."""
        return gift["model"]

    @abstractmethod
    def _started(self, model: Vector) -> S: ...
