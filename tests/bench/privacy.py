"""What privacy costs: a private step, the noise of an update, a line in the client's ledger."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch
from opacus import GradSampleModule
from opacus.grad_sample import GradSampleModuleExpandedWeights, GradSampleModuleFastGradientClipping
from opacus.optimizers import DPOptimizer, DPOptimizerFastGradientClipping
from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping
from torch import Tensor, nn

from secure_clove.engine.ports import Mark
from secure_clove.foundation.ids import FederationId
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.models import MakeModel, flat
from secure_clove.learn.sgd import TrainingSpec
from secure_clove.learn.tasks import TorchTask
from secure_clove.privacy.clipping import gradient_grid
from secure_clove.privacy.events import Release
from secure_clove.privacy.ledger import GENESIS, Entry
from secure_clove.privacy.mechanisms import discrete_gaussian
from secure_clove.sdk.entropy import SystemEntropy
from secure_clove.stores.journal import SqlJournal

REPEATS = 15
SYSTEM = SystemEntropy()
PARAMETERS = 1_000_000
COMMITS = 100
CLASSES = 10

Work = Callable[[], object]


def private_step(
    model: MakeModel, shape: tuple[int, ...], *, steps: int
) -> dict[str, float | str | dict[str, float]]:
    """Time private steps of ours and of Opacus in each of its modes, on one model and batch.

    Processor time: ours ends with the model as a vector, theirs with the model in its module.

    Args:
        model: Makes the model.
        shape: Of the inputs, the batch first.
        steps: Of one measurement.

    Returns:
        Ratios to the fastest mode (the median of the pairs and their range), its name, and the
        median ratio to each mode.
    """
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=shape).astype(np.float32))
    y = torch.from_numpy(rng.integers(CLASSES, size=len(x)))
    works = {mode: opacus_steps(mode, model(), x, y, steps) for mode in MODES}
    times = in_turns({"ours": our_steps(model, x, y, steps), **works})
    fastest = min(MODES, key=lambda mode: median(times[mode]))
    ratios = {
        mode: sorted(a / b for a, b in zip(times["ours"], times[mode], strict=True))
        for mode in MODES
    }
    return {
        "median": median(ratios[fastest]),
        "min": ratios[fastest][0],
        "max": ratios[fastest][-1],
        "floor": fastest,
        "over": {mode: median(found) for mode, found in ratios.items()},
    }


def in_turns(works: Mapping[str, Work]) -> dict[str, list[float]]:
    """Return the processor times of each work, which take turns."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for repeat in range(REPEATS + 1):
        for name, work in works.items():
            taken = seconds(work)
            if repeat:  # the first warms up
                times[name].append(taken)
    return times


def seconds(work: Work) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def our_steps(model: MakeModel, x: Tensor, y: Tensor, steps: int) -> Work:
    spec = TrainingSpec(learning_rate=1.0, steps=steps, clip=1.0, noise_multiplier=1.0)
    learner = TorchLearner(TorchTask(model=model, train=(x, y), test=(x, y)), spec)
    return partial(learner.train, flat(model()), SYSTEM)


def opacus_steps(mode: str, module: nn.Module, x: Tensor, y: Tensor, steps: int) -> Work:
    wrapped, is_ghost = MODES[mode](module), mode in GHOSTS
    private = (DPOptimizerFastGradientClipping if is_ghost else DPOptimizer)(
        torch.optim.SGD(wrapped.parameters(), lr=1.0),
        noise_multiplier=1.0,
        max_grad_norm=1.0,
        expected_batch_size=len(x),
    )
    loss = nn.CrossEntropyLoss()
    if is_ghost:
        loss = DPLossFastGradientClipping(wrapped, private, loss)

    def run() -> None:
        for _ in range(steps):
            private.zero_grad()
            loss(wrapped(x), y).backward()
            private.step()

    return run


MODES: Mapping[str, Callable[[nn.Module], nn.Module]] = {
    "hooks": GradSampleModule,
    "functorch": partial(GradSampleModule, force_functorch=True),
    "ew": GradSampleModuleExpandedWeights,
    "ghost": GradSampleModuleFastGradientClipping,
    "fast": partial(GradSampleModuleFastGradientClipping, use_ghost_clipping=False),
}
"""Every way of Opacus to clip example by example."""

GHOSTS = {"ghost", "fast"}
"""Those that clip through the loss, by a second backward pass."""


def noise_update() -> dict[str, float]:
    """Noise an update of a million numbers on one core; also over as many normal floats."""
    update = np.zeros(PARAMETERS, dtype=np.int64)
    sigma = gradient_grid(1.0, PARAMETERS).sensitivity
    rng = np.random.default_rng(0)
    times = in_turns(
        {
            "ours": lambda: update + discrete_gaussian(sigma, PARAMETERS, SYSTEM),
            "numpy": lambda: rng.standard_normal(PARAMETERS),
        }
    )
    ours, floor = median(times["ours"]), median(times["numpy"])
    return {"seconds": ours, "over_numpy": ours / floor}


def ledger_commit_ms() -> float:
    """Return the median time of a durable commit of one entry and its line of the log, in ms."""
    federation, taken, previous = FederationId("bench"), [], GENESIS
    with TemporaryDirectory() as folder:
        journal = SqlJournal(Path(folder) / "journal.sqlite")
        for number in range(COMMITS):
            entry = Entry(
                sequence=number,
                previous=previous,
                federation=federation,
                round=number + 1,
                phase="train/0",
                attempt=1,
                release=Release(name="update", multiplier=1.0),
            )
            mark = Mark(
                federation=federation, round=number + 1, exchange="train/0", attempt=1, sid="bench"
            )
            began = time.perf_counter()
            journal.commit([entry], mark)
            taken.append(time.perf_counter() - began)
            previous = entry.hash
        journal.close()
    return 1000 * median(taken)
