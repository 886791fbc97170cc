"""Federated averaging, and the pieces that every averaging algorithm shares.

Source: McMahan et al. 2017, Algorithm 1; clove.txt, Algorithm 1 lines 18 and 20-22 (Option I).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from secure_clove.algorithms.base import (
    Content,
    Exchange,
    Learner,
    Part,
    Replies,
    Reveal,
    Use,
)
from secure_clove.algorithms.one_model import OneModel, OneModelOwn, OneModelState
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


@dataclass(frozen=True, slots=True, kw_only=True)
class FedAvg(OneModel[OneModelState]):
    """One global model, averaged over the cohort every round.

    Attributes:
        parameters: Length d of a model.
        server_momentum: Share of the last move that is made again, in [0, 1).
        server_smoothing: Share of the average of a model's places that stays when a new one enters
            it, in [0, 1); clients take that average home. 0: the last place.
    """

    state = OneModelState

    @property
    def exchanges(self) -> tuple[Exchange[OneModelState, OneModelOwn], ...]:
        """``train:SUM``."""
        train: Exchange[OneModelState, OneModelOwn] = Exchange(
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

    def _started(self, model: Vector) -> OneModelState:
        return OneModelState(model=model)

    def _fold(self, state: OneModelState, replies: Replies) -> OneModelState:
        if 0 not in replies.sums:
            return replace(state, is_trained=True)
        moved = state.moved(self.motion, averaged(state.model, replies.sums[0]))
        return replace(moved, accuracy=accuracy(replies.sums))
