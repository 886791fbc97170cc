"""Which execution is faster here: measured on the work itself, not believed.

For a small CNN on a CPU one model after another wins, for small networks and on a GPU all at once.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from secure_clove.foundation.seeds import Entropy
from secure_clove.foundation.trees import Vector
from secure_clove.learn.executions import Execution, Executions
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.many import is_stackable, shared_resident, train_at_once, train_in_turn

REPEATS = 3
"""Times that each execution is measured; the fastest counts."""

Work = Callable[[], object]


def probe(
    learners: Sequence[TorchLearner],
    models: NDArray[np.float64],
    entropies: Sequence[Entropy],
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> Executions:
    """Return the faster execution of each kind of work; give it to the learners' resident.

    Nothing comes of the work but its time. That depends on the machine and its load, so a study
    that must repeat keeps the answer.

    Args:
        learners: Some clients, as many as will train at once, who share a resident.
        models: The models to evaluate, shape (K, d); training starts from the first.
        entropies: One for each learner, and for nothing else: they are used several times.
        clock: Seconds from any start.

    Raises:
        ConfigError: the learners do not share a resident.
        DataError: a model of another length, or the training diverges.
    """
    resident = shared_resident(learners)
    losses = partial(resident.losses, models, learners[0].training)
    return Executions(
        losses=faster(
            partial(losses, execution=Execution.SEQUENTIAL),
            partial(losses, execution=Execution.VMAP),
            clock=clock,
        ),
        training=_faster_training(learners, models, entropies, clock),
        gradients=_faster_gradients(learners[0], models[0], entropies[0], clock),
    )


def faster(sequential: Work, vmapped: Work, *, clock: Callable[[], float]) -> Execution:
    """Return the execution of the faster work: `SEQUENTIAL` on a tie or if torch cannot `vmap`.

    Args:
        sequential: One model after another.
        vmapped: All at once.
        clock: Read before and after each work, which take turns, `REPEATS` times.
    """
    try:
        vmapped()
    except RuntimeError:  # no rule for a layer, or no memory for all models
        return Execution.SEQUENTIAL
    sequential()
    pairs = [(_seconds(sequential, clock), _seconds(vmapped, clock)) for _ in range(REPEATS)]
    in_turn, at_once = (min(times) for times in zip(*pairs, strict=True))
    return Execution.VMAP if at_once < in_turn else Execution.SEQUENTIAL


def _seconds(work: Work, clock: Callable[[], float]) -> float:
    began = clock()
    work()
    return clock() - began


def _faster_training(
    learners: Sequence[TorchLearner],
    models: NDArray[np.float64],
    entropies: Sequence[Entropy],
    clock: Callable[[], float],
) -> Execution:
    if not is_stackable(learners):
        return Execution.SEQUENTIAL
    starts = np.repeat(models[:1], len(learners), axis=0)
    return faster(
        lambda: train_in_turn(learners, starts, entropies),
        lambda: train_at_once(learners, starts, entropies),
        clock=clock,
    )


def _faster_gradients(
    learner: TorchLearner, model: Vector, entropy: Entropy, clock: Callable[[], float]
) -> Execution:
    resident = learner.resident
    # the rules of Opacus let a padding learn, torch does not: the results would differ
    pads = any(getattr(part, "padding_idx", None) is not None for part in resident.module.modules())
    if resident.training.clip is None or pads:
        return Execution.SEQUENTIAL
    train = partial(resident.train, model, learner.training, entropy)
    return faster(
        partial(train, gradients=Execution.SEQUENTIAL),
        partial(train, gradients=Execution.VMAP),
        clock=clock,
    )
