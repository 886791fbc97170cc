"""One module of an architecture on one device, for any number of clients, one at a time.

Models move in and out of it as vectors, so memory does not grow with the clients beyond their data.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from secure_clove.errors import ConfigError, DataError
from secure_clove.foundation.seeds import Entropy
from secure_clove.foundation.trees import Vector
from secure_clove.learn.devices import choose_device
from secure_clove.learn.executions import Execution, Executions
from secure_clove.learn.losses import loss_rows
from secure_clove.learn.models import MakeModel, architecture, flat, laid_out, load_flat
from secure_clove.learn.normalisation import private_model
from secure_clove.learn.sgd import LocalSgd, TrainingSpec
from secure_clove.learn.tasks import Examples, Loss, TorchTask, check_fit


class Resident:
    """A module in float32 and its local training; it serves one thread.

    Attributes:
        model: What made the module; a private one has GroupNorm where that has BatchNorm.
        training: How its clients train.
        loss: The loss of its clients.
        device: Where it lives.
        module: The module; its numbers are those of whoever used it last.
        executions: How work on many models is done: one model after another, unless `probe` found
            better. A study keeps what was found and sets it again when it continues.
    """

    def __init__(
        self,
        model: MakeModel,
        training: TrainingSpec,
        *,
        loss: Loss = "cross_entropy",
        device: str = "cpu",
    ) -> None:
        """Build the module, once.

        Args:
            model: Makes the module.
            training: How to train; private if it clips and adds noise.
            loss: Of every task that will be checked against it.
            device: ``cpu``, ``cuda``, ``cuda:1``, ..., or ``auto``.

        Raises:
            ConfigError: no such device.
            DataError: the model cannot be trained privately.
        """
        self.model, self.training, self.loss = model, training, loss
        self.device = choose_device(device)
        is_private = training.clip is not None
        self.module = _built(private_model(model) if is_private else model, self.device)
        self.executions = Executions()
        self._room = torch.empty(0)
        self._sgd = LocalSgd(self.module, training, loss)
        plain = replace(training, clip=None, noise_multiplier=0.0)
        self._plain = LocalSgd(self.module, plain, loss)

    @property
    def architecture(self) -> str:
        """Identifier of the model architecture."""
        return architecture(self.module)

    def check(self, task: TorchTask, training: TrainingSpec) -> None:
        """Refuse a client that this module cannot serve; costs one forward pass of one example.

        Raises:
            ConfigError: another model, loss or training than the resident's.
            DataError: the model does not fit the examples, or mixes them and should be private.
        """
        if task.model is not self.model:
            raise ConfigError(
                "the task names another model than the resident; "
                "give both the same function, or the task a resident of its own"
            )
        if (task.loss, training) != (self.loss, self.training):
            raise ConfigError(
                "loss and training of a client must be those of its resident; "
                "make one resident for each combination"
            )
        check_fit(task, self.module)
        self._sgd.check(task.training.first(2).to(self.device))

    def losses(
        self,
        models: NDArray[np.float64],
        examples: Examples,
        *,
        execution: Execution | None = None,
    ) -> NDArray[np.float64]:
        """Return the loss of every example under every model, shape (n, K).

        Args:
            models: Shape (K, d).
            examples: n examples, on the resident's device.
            execution: None takes that of `executions`.

        Raises:
            DataError: a model of another length.
        """
        if self._room.shape != models.shape:
            self._room = torch.empty(models.shape, device=self.device)
        return loss_rows(
            self.module,
            models,
            examples=examples,
            loss=self.loss,
            execution=execution or self.executions.losses,
            room=self._room,
        )

    def train(
        self,
        model: Vector,
        examples: Examples,
        entropy: Entropy,
        *,
        plain: bool = False,
        gradients: Execution | None = None,
    ) -> Vector:
        """Return ``model``, shape (d,), after one local training.

        Args:
            model: Shape (d,).
            examples: What to train on, on the resident's device.
            entropy: Source of batches, dropout and noise.
            plain: Without clipping and noise, whatever the spec says.
            gradients: How those of single examples are computed; None takes that of `executions`.

        Raises:
            DataError: a model of another length, or the training diverged; nothing is returned.
        """
        load_flat(self.module, model)
        sgd = self._plain if plain else self._sgd
        sgd.run(examples, entropy, gradients=gradients or self.executions.gradients)
        return converged(flat(self.module))

    def gradient_step(
        self, model: Vector, examples: Examples, entropy: Entropy, *, share: float
    ) -> Vector:
        """Return by how much one private step moves ``model``, times the examples, on its grid.

        Args:
            model: Shape (d,).
            examples: On the resident's device.
            entropy: Source of the batch, dropout and noise.
            share: Of the standard deviation of the noise, in (0, 1].

        Raises:
            ConfigError: the training has no clipping norm.
            DataError: a model of another length.
        """
        load_flat(self.module, model)
        gradients = self.executions.gradients
        return self._sgd.gradient_step(examples, entropy, share=share, gradients=gradients)


def converged(trained: Vector) -> Vector:
    """Return ``trained``, of any shape, if all its numbers are finite.

    Raises:
        DataError: they are not; nothing is returned.
    """
    if not np.isfinite(trained).all():
        raise DataError("the training diverged to NaN or infinity; lower the learning rate")
    return trained


def _built(model: MakeModel, device: torch.device) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        module = model().float().eval().to(device)
    for parameter in module.parameters():
        parameter.data = laid_out(parameter.data)
    return module
