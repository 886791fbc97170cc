"""A client's examples behind the few questions that the engine may ask: its `Trainer` port."""

from dataclasses import asdict, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from secure_clove.engine.plan import Config
from secure_clove.errors import DataError
from secure_clove.foundation.seeds import Entropy
from secure_clove.foundation.trees import Vector
from secure_clove.learn.losses import loss_rows, outputs
from secure_clove.learn.models import architecture, flat, load_flat
from secure_clove.learn.sgd import LocalSgd, TrainingSpec
from secure_clove.learn.tasks import TorchTask, resident_module

__all__ = ["TorchLearner", "TrainingSpec"]


class TorchLearner:
    """Evaluates and trains flat models on one client's task.

    One module is resident and models move in and out of it as vectors, so a learner serves one
    client and one thread.
    """

    def __init__(self, task: TorchTask, training: TrainingSpec) -> None:
        """Build the resident module and check it against the examples and the spec.

        Args:
            task: Model, examples and loss.
            training: How to train; private if it clips and adds noise.

        Raises:
            DataError: the model does not fit the examples, or cannot be trained privately.
        """
        self._task, self._training = task, training
        self._module = resident_module(task)
        self._sgd = LocalSgd(self._module, training, task.loss)

    @classmethod
    def of(cls, task: TorchTask, config: Config) -> Self:
        """Return the learner that a federation's configuration asks for."""
        noise = config.privacy
        spec = TrainingSpec(
            **asdict(config.training),
            clip=noise.clip if noise else None,
            noise_multiplier=noise.update if noise else 0.0,
        )
        return cls(task, spec)

    @property
    def examples(self) -> int:
        """Count of training examples."""
        return len(self._task.training)

    @property
    def held_out(self) -> int:
        """Count of held-out examples; 0 for a task without classes, which has no hits to count."""
        return len(self._task.held_out) if self._task.loss == "cross_entropy" else 0

    @property
    def architecture(self) -> str:
        """Identifier of the model architecture."""
        return architecture(self._module)

    def losses(self, models: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the loss of each training example under each model, shape (n, K).

        Args:
            models: Shape (K, d).

        Raises:
            DataError: a model of another length.
        """
        return loss_rows(self._module, models, examples=self._task.training, loss=self._task.loss)

    def train(self, model: Vector, entropy: Entropy) -> Vector:
        """Return ``model``, shape (d,), after one local training.

        Args:
            model: Shape (d,).
            entropy: Source of batches and noise.

        Raises:
            DataError: a model of another length, or the training diverged; nothing is returned.
        """
        return self._trained(self._sgd, model, entropy)

    def train_locally(self, model: Vector, entropy: Entropy) -> Vector:
        """Return ``model`` after one local training without clipping and noise; it stays here.

        Raises:
            DataError: as `train`.
        """
        plain = replace(self._training, clip=None, noise_multiplier=0.0)
        return self._trained(LocalSgd(self._module, plain, self._task.loss), model, entropy)

    def correct(self, model: Vector) -> int:
        """Return how many held-out examples ``model`` classifies correctly.

        Raises:
            DataError: a model of another length.
        """
        if not self.held_out:
            return 0
        load_flat(self._module, model)
        scores = outputs(self._module, self._task.held_out.x)
        return int((scores.argmax(1) == self._task.held_out.y).sum())

    def _trained(self, sgd: LocalSgd, model: Vector, entropy: Entropy) -> Vector:
        load_flat(self._module, model)
        sgd.run(self._task.training, entropy)
        trained = flat(self._module)
        if not np.isfinite(trained).all():
            raise DataError("the training diverged to NaN or infinity; lower the learning rate")
        return trained
