"""The local trainings of many clients of one resident: one after another, or all at once.

At once, the models are stacked, `vmap` runs them side by side and one optimizer moves them. SGD and
Adam work number by number, so a stack moves as its models would alone.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call, vmap

from secure_clove.errors import ConfigError
from secure_clove.foundation.seeds import Entropy
from secure_clove.learn.executions import Execution
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.losses import example_losses
from secure_clove.learn.models import as_tensor, check_vectors, views
from secure_clove.learn.resident import Resident, converged
from secure_clove.learn.sgd import batches, plain_optimizer

Vectors = NDArray[np.float64]


def train_many(
    learners: Sequence[TorchLearner], models: Vectors, entropies: Sequence[Entropy]
) -> Vectors:
    """Return the models of C clients, shape (C, d), each after one local training of its client.

    All at once if the resident's `executions` say so and `is_stackable`; otherwise exactly what
    each learner's `train` returns. At once, memory grows with C times d.

    Args:
        learners: C clients that share a resident.
        models: The model of each to start from, shape (C, d).
        entropies: Of each, the source of batches, dropout and noise.

    Raises:
        ConfigError: the learners do not share a resident, or the counts differ.
        DataError: a model of another length, or a training diverged; nothing is returned.
    """
    resident = shared_resident(learners)
    if not len(learners) == len(models) == len(entropies):
        raise ConfigError(
            f"{len(learners)} clients, {len(models)} models and {len(entropies)} entropies; "
            "give one of each"
        )
    if resident.executions.training is Execution.VMAP and is_stackable(learners):
        return train_at_once(learners, models, entropies)
    return train_in_turn(learners, models, entropies)


def shared_resident(learners: Sequence[TorchLearner]) -> Resident:
    """Return the resident of all ``learners``.

    Raises:
        ConfigError: there is no learner, or they have more than one resident.
    """
    residents = {id(learner.resident): learner.resident for learner in learners}
    if len(residents) != 1:
        raise ConfigError(
            f"the clients have {len(residents)} residents; make one and pass it to every learner"
        )
    return next(iter(residents.values()))


def is_stackable(learners: Sequence[TorchLearner]) -> bool:
    """Return whether the learners of one resident can be trained at once.

    They train without clipping, by epochs, on equally many examples, and the module has no buffers,
    no dropout, no padding and only layers that `vmap` knows.
    """
    resident = learners[0].resident
    spec, module = resident.training, resident.module
    return (
        spec.clip is None
        and spec.epochs is not None
        and len({learner.examples for learner in learners}) == 1
        and not any(True for _ in module.buffers())
        # vmap lets the padding of every client but the first learn (torch 2.13)
        and not any(getattr(part, "padding_idx", None) is not None for part in module.modules())
        and _runs_stacked(learners[0])
    )


def train_in_turn(
    learners: Sequence[TorchLearner], models: Vectors, entropies: Sequence[Entropy]
) -> Vectors:
    """Return what `train_many` returns, from one learner after another."""
    each = zip(learners, models, entropies, strict=True)
    return np.stack([learner.train(model, entropy) for learner, model, entropy in each])


def train_at_once(
    learners: Sequence[TorchLearner], models: Vectors, entropies: Sequence[Entropy]
) -> Vectors:
    """Return what `train_many` returns, up to rounding in float32, from stackable learners."""
    resident = learners[0].resident
    for entropy in entropies:
        entropy.draw(8)  # the seed of dropout, as in turn
    weights = _stacked(resident, models)
    optimizer = plain_optimizer(resident.training, weights.values())
    count = learners[0].examples
    orders = [batches(resident.training, count, entropy) for entropy in entropies]
    for step in zip(*orders, strict=True):
        optimizer.zero_grad()
        torch.autograd.backward(_mean_losses(learners, weights, step).sum())
        optimizer.step()
    rows = torch.cat([weight.detach().flatten(1) for weight in weights.values()], dim=1)
    return converged(rows.double().cpu().numpy())


def _stacked(resident: Resident, models: Vectors) -> dict[str, Tensor]:
    """Return a stack for each parameter of the module, frozen where it is."""
    check_vectors(resident.module, models)
    numbers = as_tensor(models).to(resident.device, torch.float32)
    trainable = {name: p.requires_grad for name, p in resident.module.named_parameters()}
    stacks = views(resident.module, numbers)
    return {name: s.clone().requires_grad_(trainable[name]) for name, s in stacks.items()}


def _mean_losses(
    learners: Sequence[TorchLearner], weights: Mapping[str, Tensor], step: Sequence[Tensor]
) -> Tensor:
    """Return the mean loss of each client's batch, shape (C,)."""
    resident = learners[0].resident
    each = [
        (learner.training, batch.to(resident.device))
        for learner, batch in zip(learners, step, strict=True)
    ]
    x = torch.stack([examples.x[batch] for examples, batch in each])
    y = torch.stack([examples.y[batch] for examples, batch in each])
    resident.module.train()
    outputs = vmap(partial(functional_call, resident.module))(weights, (x,))
    losses = vmap(partial(example_losses, loss=resident.loss))(outputs, y)
    return losses.mean(1)


def _runs_stacked(learner: TorchLearner) -> bool:
    """Return whether `vmap` can take the learner's module through a step of training."""
    module = learner.resident.module
    weights = {name: p.detach()[None] for name, p in module.named_parameters()}
    try:
        with torch.no_grad():
            _mean_losses([learner], weights, [torch.arange(1)])
    except RuntimeError:  # a layer that draws, or one that torch cannot stack
        return False
    return True
