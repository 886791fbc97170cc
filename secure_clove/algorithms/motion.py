"""How models move to the averages of their groups: with momentum, and smoothed over rounds.

Both are post-processing of what the sums show, so they cost no privacy. Noise pushes a model to and
fro; the average of its last places is nearer to where it is pushed around.
"""

from dataclasses import dataclass, field

import numpy as np

from secure_clove.errors import ConfigError
from secure_clove.foundation.trees import Vector


def _nothing() -> Vector:
    return np.zeros((0, 0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trail:
    """What is remembered of the models' moves.

    Attributes:
        velocity: ``(K, d)``, the last move of each model; empty without momentum.
        mean: ``(K, d)``, the average of its places; empty without smoothing.
    """

    velocity: Vector = field(default_factory=_nothing)
    mean: Vector = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """How models move.

    Attributes:
        momentum: Share of a model's last move that is made again, in [0, 1).
        smoothing: Share of the average that stays when a new place enters it, in [0, 1).
    """

    momentum: float
    smoothing: float

    def __post_init__(self) -> None:
        """Refuse models that would never come to rest, or averages that never move.

        Raises:
            ConfigError: a share is not in [0, 1).
        """
        for name, share in (("momentum", self.momentum), ("smoothing", self.smoothing)):
            if not 0 <= share < 1:
                raise ConfigError(f"server_{name} is {share}; give a number from 0 to below 1")

    def moved(
        self, table: Vector, trail: Trail, averages: Vector, *, is_moved: Vector
    ) -> tuple[Vector, Trail]:
        """Return models moved to their averages, and on by what is left of the moves before.

        Args:
            table: ``(K, d)`` before training.
            trail: Of the moves before.
            averages: ``(K, d)`` the models averaged.
            is_moved: Which numbers were, to be broadcast to ``(K, d)``.

        Source: Hsu, Qi and Brown 2019, FedAvgM; Polyak and Juditsky 1992 for the smoothing.
        """
        moves = np.where(is_moved, averages - table, 0.0)
        if self.momentum:
            last = trail.velocity if trail.velocity.size else np.zeros_like(table)
            moves = np.where(is_moved, self.momentum * last + moves, last)
        new = np.where(is_moved, table + moves, table) if self.momentum else averages
        velocity = moves if self.momentum else trail.velocity
        return new, Trail(velocity=velocity, mean=self._mean(table, trail, new))

    def shown(self, table: Vector, trail: Trail) -> Vector:
        """Return the models ``(K, d)`` that clients take home."""
        return trail.mean if trail.mean.size else table

    def _mean(self, table: Vector, trail: Trail, new: Vector) -> Vector:
        if not self.smoothing:
            return trail.mean
        last = trail.mean if trail.mean.size else table
        return self.smoothing * last + (1 - self.smoothing) * new
