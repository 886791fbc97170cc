"""A client's examples behind the few questions that an algorithm may ask."""

import copy

import numpy as np
from numpy.typing import NDArray

from secure_clove.errors import DataError
from secure_clove.foundation.seeds import Entropy
from secure_clove.foundation.trees import Vector
from secure_clove.learn.losses import loss_rows, outputs
from secure_clove.learn.models import flat, load_flat
from secure_clove.learn.sgd import LocalSgd, TrainingSpec
from secure_clove.learn.tasks import TorchTask, resident_module

__all__ = ["TorchLearner", "TrainingSpec"]


class TorchLearner:
    """Evaluates and trains flat models on one client's task.

    One module is resident and models move in and out of it as vectors, so a learner serves one
    client and one thread.
    """

    def __init__(self, task: TorchTask, training: TrainingSpec, entropy: Entropy) -> None:
        """Build the resident module and check it against the examples and the spec.

        Args:
            task: Model, examples and loss.
            training: How to train; private if it clips and adds noise.
            entropy: Source of batches and noise.

        Raises:
            DataError: the model does not fit the examples, or cannot be trained privately.
        """
        self._task, self._entropy = task, entropy
        self._module = resident_module(task)
        self._sgd = LocalSgd(self._module, training, task.loss)

    @property
    def examples(self) -> int:
        """Count of training examples."""
        return len(self._task.training)

    @property
    def held_out(self) -> int:
        """Count of held-out examples."""
        return len(self._task.held_out)

    def losses(self, models: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the loss of each training example under each model, shape (n, K).

        Args:
            models: Shape (K, d).

        Raises:
            DataError: a model of another length, or a loss that is not finite.
        """
        return loss_rows(self._module, models, examples=self._task.training, loss=self._task.loss)

    def train(self, model: Vector) -> Vector:
        """Return ``model``, shape (d,), after one local training.

        Raises:
            DataError: a model of another length, or the training diverged; nothing is returned.
        """
        load_flat(self._module, model)
        self._sgd.run(self._task.training, self._entropy)
        trained = flat(self._module)
        if not np.isfinite(trained).all():
            raise DataError("the training diverged to NaN or infinity; lower the learning rate")
        return trained

    def correct(self, model: Vector) -> int:
        """Return how many held-out examples ``model`` classifies correctly.

        Raises:
            DataError: a model of another length, or a task without classes.
        """
        if self._task.loss != "cross_entropy":
            raise DataError("a task with loss 'mse' has no classes to count")
        load_flat(self._module, model)
        if not self.held_out:
            return 0
        scores = outputs(self._module, self._task.held_out.x)
        return int((scores.argmax(1) == self._task.held_out.y).sum())

    def for_exchange(self, *labels: str | int) -> "TorchLearner":
        """Return this learner with the entropy of one exchange.

        With simulated entropy a replay of the exchange draws the same batches and noise.
        """
        other = copy.copy(self)
        other._entropy = self._entropy.fork(*labels)
        return other
