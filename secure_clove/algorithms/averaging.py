"""Federated averaging, and the pieces that every averaging algorithm shares.

Source: McMahan et al. 2017, Algorithm 1; clove.txt, Algorithm 1 lines 18 and 20-22 (Option I).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

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
from secure_clove.algorithms.motion import Motion, Trail
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.trees import Tree, Vector

TRAINING = frozenset({Use.UPDATE, Use.HELD_OUT})


def training_parts(parameters: int, shape: tuple[int, ...] = ()) -> tuple[Part, ...]:
    """Declare a training reply: weighted update, weight, held-out hits and tries.

    Args:
        parameters: Length d of a model.
        shape: Leading axes, such as ``(K,)`` for a slot per cluster.
    """
    return (
        Part(name="update", shape=(*shape, parameters), content=Content.UPDATE),
        Part(name="examples", shape=shape, content=Content.COUNT),
        Part(name="correct", shape=shape, content=Content.HELD_OUT),
        Part(name="held_out", shape=shape, content=Content.COUNT),
    )


def trained(model: Vector, learner: Learner) -> dict[str, Vector]:
    """Train ``model`` locally and return the reply that `training_parts` declares."""
    hits = learner.correct(model)
    return {
        "update": learner.update(model),
        "examples": np.float64(learner.examples) * np.ones(()),
        "correct": np.float64(hits) * np.ones(()),
        "held_out": np.float64(learner.held_out) * np.ones(()),
    }


def averaged(model: Vector, total: Tree) -> Vector:
    """Return the model moved by the example-weighted mean of the updates.

    Source: clove.txt, Algorithm 1 line 22; a group without examples keeps its model.
    """
    weight = float(total["examples"])
    return model + total["update"] / weight if weight > 0 else model


def accuracy(totals: Mapping[int, Tree]) -> float | None:
    """Return the share of hits over every sum, kept within [0, 1] since noise may leave it."""
    tried = sum(float(np.sum(total["held_out"])) for total in totals.values())
    hits = sum(float(np.sum(total["correct"])) for total in totals.values())
    return min(1.0, max(0.0, hits / tried)) if tried > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FedAvgState:
    """One model for everybody."""

    model: Vector
    trail: Trail = field(default_factory=Trail)
    cohort: tuple[ClientId, ...] = ()
    is_trained: bool = False
    accuracy: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FedAvgOwn:
    """A client of FedAvg remembers nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FedAvg:
    """One global model, averaged over the cohort every round.

    Attributes:
        parameters: Length d of a model.
        server_momentum: Share of the last move that is made again, in [0, 1).
        server_smoothing: Share of the average of the model's places that stays when a new one
            enters it, in [0, 1); clients take that average home. 0: the last place.
    """

    parameters: int
    server_momentum: float = 0.0
    server_smoothing: float = 0.0
    state = FedAvgState
    own = FedAvgOwn

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        _ = self._motion

    @property
    def _motion(self) -> Motion:
        return Motion(momentum=self.server_momentum, smoothing=self.server_smoothing)

    @property
    def exchanges(self) -> tuple[Exchange[FedAvgState, FedAvgOwn], ...]:
        """``train:SUM``."""
        train: Exchange[FedAvgState, FedAvgOwn] = Exchange(
            name="train",
            reveal=Reveal.SUM,
            uses=TRAINING,
            parts=training_parts(self.parameters),
            cohort=lambda state: state.cohort,
            group=lambda state, client: 0,
            ask=lambda state, client: {"model": state.model},
            work=lambda own, ask, learner: (own, trained(ask["model"], learner)),
            fold=self._fold,
        )
        return (train,)

    @property
    def initial_models(self) -> int:
        """One."""
        return 1

    def start(self, initial: Vector) -> FedAvgState:
        """Start from the one initial model."""
        checked = check_initial(initial, count=1, parameters=self.parameters)
        return FedAvgState(model=checked[0])

    def enrol(self) -> FedAvgOwn:
        """Nothing to remember."""
        return FedAvgOwn()

    def begin(self, state: FedAvgState, round_: int, cohort: tuple[ClientId, ...]) -> FedAvgState:
        """Open a round."""
        return replace(state, cohort=cohort, is_trained=False)

    def next(self, state: FedAvgState) -> Exchange[FedAvgState, FedAvgOwn] | None:
        """Train once a round."""
        return None if state.is_trained else self.exchanges[0]

    def standing(self, state: FedAvgState) -> Standing:
        """Everybody shares model 0."""
        return Standing(assignment=dict.fromkeys(state.cohort, 0), accuracy=state.accuracy)

    def personal(self, state: FedAvgState, client: ClientId) -> Tree:
        """The global model."""
        return {"model": self._motion.shown(state.model[None], state.trail)[0]}

    def mine(self, own: FedAvgOwn, gift: Tree) -> Vector:
        """The global model."""
        return gift["model"]

    def _fold(self, state: FedAvgState, replies: Replies) -> FedAvgState:
        if 0 not in replies.sums:
            return replace(state, is_trained=True)
        (model,), trail = self._motion.moved(
            state.model[None],
            state.trail,
            averaged(state.model, replies.sums[0])[None],
            is_moved=np.ones(1, dtype=bool),
        )
        known = accuracy(replies.sums)
        return replace(state, model=model, trail=trail, is_trained=True, accuracy=known)
