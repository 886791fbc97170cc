"""Local-only: every client trains alone; the coordinator hears nothing of data or models.

Source: clove.txt, section 5.1, baseline "Local-only".
"""

from dataclasses import dataclass, replace

import numpy as np

from secure_clove.algorithms.base import (
    Content,
    Exchange,
    Learner,
    Part,
    Replies,
    Reveal,
    Standing,
    Use,
    check_initial,
)
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.trees import Tree, Vector


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocalState:
    """The common starting point; it never changes."""

    model: Vector
    cohort: tuple[ClientId, ...] = ()
    is_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocalOwn:
    """The client's own model; empty before its first round."""

    model: Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOnly:
    """No collaboration: the baseline that a federation has to beat.

    Attributes:
        parameters: Length d of a model.
    """

    parameters: int
    state = LocalState
    own = LocalOwn

    @property
    def exchanges(self) -> tuple[Exchange[LocalState, LocalOwn], ...]:
        """``turn:SUM``: a bare count of who is there keeps the rounds in step."""
        turn: Exchange[LocalState, LocalOwn] = Exchange(
            name="turn",
            reveal=Reveal.SUM,
            uses=frozenset({Use.LOCAL}),
            parts=(Part(name="present", content=Content.COUNT),),
            cohort=lambda state: state.cohort,
            group=lambda state, client: 0,
            ask=self.personal,
            work=self._work,
            fold=self._fold,
        )
        return (turn,)

    @property
    def initial_models(self) -> int:
        """One."""
        return 1

    def start(self, initial: Vector) -> LocalState:
        """Start from the one initial model."""
        checked = check_initial(initial, count=1, parameters=self.parameters)
        return LocalState(model=checked[0])

    def enrol(self) -> LocalOwn:
        """A client that has not trained."""
        return LocalOwn(model=np.zeros(0))

    def begin(self, state: LocalState, round_: int, cohort: tuple[ClientId, ...]) -> LocalState:
        """Open a round."""
        return replace(state, cohort=cohort, is_over=False)

    def next(self, state: LocalState) -> Exchange[LocalState, LocalOwn] | None:
        """One turn a round."""
        return None if state.is_over else self.exchanges[0]

    def standing(self, state: LocalState) -> Standing:
        """Nothing is known."""
        return Standing()

    def personal(self, state: LocalState, client: ClientId) -> Tree:
        """The common starting point."""
        return {"model": state.model}

    def mine(self, own: LocalOwn, gift: Tree) -> Vector:
        """The client's own model."""
        return own.model if len(own.model) else gift["model"]

    def _work(self, own: LocalOwn, ask: Tree, learner: Learner) -> tuple[LocalOwn, Tree]:
        model = learner.train(self.mine(own, ask))
        return LocalOwn(model=model), {"present": np.array(1.0)}

    def _fold(self, state: LocalState, replies: Replies) -> LocalState:
        return replace(state, is_over=True)
