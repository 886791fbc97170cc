"""Clients that train at the same time: work is begun, stopped at its training, and ended.

An algorithm's work is a function of what the client was sent and of what its learner answers. So it
can be run up to the training, and again from the start once the training is done, with the same
answers in between.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from secure_clove.engine.ports import Trainer
from secure_clove.foundation.seeds import Entropy
from secure_clove.foundation.trees import Vector
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.many import train_many

T = TypeVar("T")

AT_ONCE = 16
"""Most clients that train at once: their models and batches are in memory together."""


def work_together(
    learners: Sequence[TorchLearner], works: Sequence[Callable[[Trainer], T]]
) -> Iterator[T]:
    """Yield what each work comes to, with the trainings of `AT_ONCE` clients done at once.

    Args:
        learners: Of each client; they share a resident.
        works: What each client does with a trainer: the same whenever it is done again.

    Raises:
        DataError: a training diverged.
    """
    for start in range(0, len(works), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        yield from _at_once(learners[part], works[part])


def _at_once(learners: Sequence[TorchLearner], works: Sequence[Callable[[Trainer], T]]) -> list[T]:
    begun = [_Begun(learner) for learner in learners]
    done = [_try(work, trainer) for work, trainer in zip(works, begun, strict=True)]
    waiting = [place for place, trainer in enumerate(begun) if trainer.wanted is not None]
    if waiting:
        wanted = [w for trainer in begun if (w := trainer.wanted) is not None]
        models = np.stack([model for model, _ in wanted])
        entropies = [entropy for _, entropy in wanted]
        trained = train_many([learners[place] for place in waiting], models, entropies)
        for place, model in zip(waiting, trained, strict=True):
            begun[place].trained = model
    return [
        works[place](begun[place]) if result is None else result[0]
        for place, result in enumerate(done)
    ]


class _Stopped(Exception):
    """The work has come to its training."""


class _Begun:
    """A trainer that stops where training would begin, and remembers what it answered before."""

    def __init__(self, learner: TorchLearner) -> None:
        self._learner = learner
        self._losses: NDArray[np.float64] | None = None
        self._hits: int | None = None
        self.wanted: tuple[Vector, Entropy] | None = None
        self.trained: Vector | None = None

    @property
    def examples(self) -> int:
        return self._learner.examples

    @property
    def held_out(self) -> int:
        return self._learner.held_out

    @property
    def architecture(self) -> str:
        return self._learner.architecture

    def losses(self, models: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._losses is None:
            self._losses = self._learner.losses(models)
        return self._losses

    def correct(self, model: Vector) -> int:
        if self._hits is None:
            self._hits = self._learner.correct(model)
        return self._hits

    def train(self, model: Vector, entropy: Entropy) -> Vector:
        if self.trained is None:
            self.wanted = model, entropy
            raise _Stopped
        return self.trained

    def gradient_step(self, model: Vector, entropy: Entropy, *, share: float) -> Vector:
        return self._learner.gradient_step(model, entropy, share=share)

    def train_locally(self, model: Vector, entropy: Entropy) -> Vector:
        if self._learner.resident.training.clip is None:
            return self.train(model, entropy)
        return self._learner.train_locally(model, entropy)


def _try(work: Callable[[Trainer], T], trainer: _Begun) -> tuple[T] | None:
    try:
        return (work(trainer),)
    except _Stopped:
        return None
