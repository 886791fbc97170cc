"""The membership game: one client's releases with the target inside or zeroed out.

Both worlds go through the client's own code. Neighbours are by zero-out: the target's loss row
becomes zero and the count of examples stays. The releases are computed by a `Mechanism`, which is
`guarded`, the real one, unless a test plants a leak.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from secure_clove.algorithms.base import Use
from secure_clove.engine.guard import Guard
from secure_clove.engine.ports import Trainer
from secure_clove.engine.terms import PrivacyPlan
from secure_clove.foundation.seeds import Entropy
from secure_clove.foundation.trees import Vector
from threat_models.base import Tick
from threat_models.statistics import Scores

Mechanism = Callable[[Trainer, Vector, Entropy], Vector]
"""From a client's trainer, K models (K, d) and entropy to what the client sends, (K,)."""

RIDGE = 1e-9
"""Relative; lets a learned attacker divide by noise that is not there."""


def guarded(plan: PrivacyPlan | None) -> Mechanism:
    """Return what a real client does under ``plan``: `Guard.embedding`."""

    def release(trainer: Trainer, models: Vector, entropy: Entropy) -> Vector:
        uses = frozenset({Use.EMBEDDING})
        return Guard(trainer, uses=uses, plan=plan, entropy=entropy).embedding(models)

    return release


class Replayed:
    """A trainer that answers for another's losses from memory: a game asks thousands of times.

    Args:
        trainer: The real one.
        without: Index of the example whose rows are zeroed out; None keeps all.
    """

    def __init__(self, trainer: Trainer, *, without: int | None = None) -> None:
        self._trainer, self._without = trainer, without
        self._rows: dict[bytes, Vector] = {}

    @property
    def examples(self) -> int:
        """Count of training examples, the zeroed one among them."""
        return self._trainer.examples

    @property
    def held_out(self) -> int:
        """Count of held-out examples."""
        return self._trainer.held_out

    @property
    def architecture(self) -> str:
        """Identifier of the model architecture."""
        return self._trainer.architecture

    def losses(self, models: Vector) -> Vector:
        """Return the per-example losses ``(n, K)``, computed once for the same models."""
        key = models.tobytes()
        if key not in self._rows:
            rows = self._trainer.losses(models).copy()
            if self._without is not None:
                rows[self._without] = 0.0
            rows.flags.writeable = False
            self._rows[key] = rows
        return self._rows[key]

    def train(self, model: Vector, entropy: Entropy) -> Vector:
        """Train as the real one does."""
        return self._trainer.train(model, entropy)

    def gradient_step(self, model: Vector, entropy: Entropy, *, share: float) -> Vector:
        """Train as the real one does."""
        return self._trainer.gradient_step(model, entropy, share=share)

    def train_locally(self, model: Vector, entropy: Entropy) -> Vector:
        """Train as the real one does."""
        return self._trainer.train_locally(model, entropy)

    def correct(self, model: Vector) -> int:
        """Count hits as the real one does."""
        return self._trainer.correct(model)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Game:
    """One client, one target, T sets of trap models.

    Attributes:
        inside: The client with the target.
        outside: The client with the target zeroed out.
        models: (T, K, d).
        mechanism: How a reply is made.
        shift: (T K,) where the target moves the replies, as the adversary works it out.
    """

    inside: Trainer
    outside: Trainer
    models: Vector = field(repr=False)
    mechanism: Mechanism
    shift: Vector = field(repr=False)

    def play(self, trials: int, *, is_inside: bool, entropy: Entropy, tick: Tick) -> Scores:
        """Return what the adversary receives, one row a trial, shape (trials, T K)."""
        trainer = self.inside if is_inside else self.outside
        seen = np.empty((trials, self.shift.size))
        for trial in range(trials):
            noise = entropy.fork("inside" if is_inside else "outside", trial)
            replies = [
                self.mechanism(trainer, models, noise.fork("release", number))
                for number, models in enumerate(self.models)
            ]
            seen[trial] = np.concatenate(replies)
            tick(1)
        return seen


def matched_filter(game: Game, inside: Scores, outside: Scores) -> Vector:
    """Return the weights of the best test against independent Gaussian noise: the shift itself."""
    return game.shift


def learned(game: Game, inside: Scores, outside: Scores) -> Vector:
    """Return the weights of Fisher's discriminant between what was seen in the two worlds.

    It knows nothing of the noise, so it finds out by itself whether noise is shared by coordinates
    or releases, and takes the differences in which it vanishes.
    """
    both = np.concatenate([inside - inside.mean(axis=0), outside - outside.mean(axis=0)])
    covariance = both.T @ both / len(both)
    ridge = RIDGE * np.trace(covariance) / len(covariance) + 1e-30
    return np.linalg.solve(
        covariance + ridge * np.eye(len(covariance)), inside.mean(axis=0) - outside.mean(axis=0)
    )


Attacker = Callable[[Game, Scores, Scores], Vector]
ATTACKERS: dict[str, Attacker] = {"matched filter": matched_filter, "learned": learned}
