"""A client's examples behind the few questions that the engine may ask: its `Trainer` port."""

from dataclasses import asdict
from typing import Self

import numpy as np
from numpy.typing import NDArray

from secure_clove.engine.plan import Config
from secure_clove.foundation.seeds import Entropy
from secure_clove.foundation.trees import Vector
from secure_clove.learn.losses import Score, score
from secure_clove.learn.models import load_flat
from secure_clove.learn.resident import Resident
from secure_clove.learn.sgd import TrainingSpec
from secure_clove.learn.tasks import TorchTask

__all__ = ["TorchLearner", "TrainingSpec"]


class TorchLearner:
    """Evaluates and trains flat models on one client's task.

    Attributes:
        resident: The module that does it. Learners that share one must take turns.
        training: The training examples, on the device of the resident.
    """

    def __init__(
        self, task: TorchTask, training: TrainingSpec, *, resident: Resident | None = None
    ) -> None:
        """Check the task against the resident module and bring the examples to its device.

        Args:
            task: Model, examples and loss.
            training: How to train; private if it clips and adds noise.
            resident: Shared with other clients of the same model, loss and training. None makes one
                for this client alone, on the CPU.

        Raises:
            ConfigError: the resident is for another model, loss or training.
            DataError: the model does not fit the examples, or cannot be trained privately.
        """
        if resident is None:
            resident = Resident(task.model, training, loss=task.loss)
        resident.check(task, training)
        self.resident = resident
        self.training = task.training.to(resident.device)
        self._held_out = task.held_out.to(resident.device)

    @classmethod
    def of(cls, task: TorchTask, config: Config) -> Self:
        """Return the learner that a federation's configuration asks for."""
        noise = None if config.hides_clients else config.privacy
        spec = TrainingSpec(
            **asdict(config.training),
            clip=noise.clip if noise else None,
            noise_multiplier=noise.update if noise else 0.0,
        )
        return cls(task, spec)

    @property
    def examples(self) -> int:
        """Count of training examples."""
        return len(self.training)

    @property
    def held_out(self) -> int:
        """Count of held-out examples; 0 for a task without classes, which has no hits to count."""
        return len(self._held_out) if self.resident.loss == "cross_entropy" else 0

    @property
    def architecture(self) -> str:
        """Identifier of the model architecture."""
        return self.resident.architecture

    def losses(self, models: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the loss of each training example under each model, shape (n, K).

        Args:
            models: Shape (K, d).

        Raises:
            DataError: a model of another length.
        """
        return self.resident.losses(models, self.training)

    def train(self, model: Vector, entropy: Entropy) -> Vector:
        """Return ``model``, shape (d,), after one local training.

        Args:
            model: Shape (d,).
            entropy: Source of batches and noise.

        Raises:
            DataError: a model of another length, or the training diverged; nothing is returned.
        """
        return self.resident.train(model, self.training, entropy)

    def gradient_step(self, model: Vector, entropy: Entropy, *, share: float) -> Vector:
        """Return by how much one private step moves ``model``, times the examples, on its grid.

        Args:
            model: Shape (d,).
            entropy: Source of the batch and the noise.
            share: Of the standard deviation of the noise, in (0, 1].

        Raises:
            ConfigError: the training is not private.
            DataError: a model of another length.
        """
        return self.resident.gradient_step(model, self.training, entropy, share=share)

    def train_locally(self, model: Vector, entropy: Entropy) -> Vector:
        """Return ``model`` after one local training without clipping and noise; it stays here.

        Raises:
            DataError: as `train`.
        """
        return self.resident.train(model, self.training, entropy, plain=True)

    def correct(self, model: Vector) -> int:
        """Return how many held-out examples ``model`` classifies correctly.

        Raises:
            DataError: a model of another length.
        """
        return self.score(model, training=False).hits if self.held_out else 0

    def score(self, model: Vector, *, training: bool) -> Score:
        """Return the mean loss of ``model`` and its hits, from one forward pass.

        Args:
            model: Shape (d,).
            training: On the training examples; otherwise on those held out.

        Raises:
            DataError: a model of another length.
        """
        load_flat(self.resident.module, model)
        examples = self.training if training else self._held_out
        return score(self.resident.module, examples=examples, loss=self.resident.loss)
