"""Every claim about speed, as a ratio to what nobody can beat, measured in the same process."""

import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from statistics import median

import numpy as np
import torch
from torch import nn

from secure_clove.learn.architectures import build_model
from secure_clove.learn.learner import TorchLearner, TrainingSpec
from secure_clove.learn.models import flat, linear
from secure_clove.learn.presets import training_preset
from secure_clove.learn.probe import probe
from secure_clove.learn.tasks import TorchTask
from secure_clove.sdk.entropy import SystemEntropy
from tests.bench import masking, privacy, studies, sums

REPEATS = 7
SYSTEM = SystemEntropy()


def ratio(ours: Callable[[], object], floor: Callable[[], object]) -> dict[str, float]:
    """Time both in turns; return the median ratio of the pairs and its range."""
    ours(), floor()
    pairs = [(seconds(ours), seconds(floor)) for _ in range(REPEATS)]
    ratios = sorted(a / b for a, b in pairs)
    return {"median": median(ratios), "min": ratios[0], "max": ratios[-1]}


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def local_epoch() -> dict[str, float]:
    """One local epoch of the paper's CNN on 500 images over the same steps in bare torch."""
    rng = np.random.default_rng(0)
    x = rng.random((500, 1, 28, 28), dtype=np.float32)
    y = rng.integers(10, size=500)
    model = partial(build_model, "paper-cnn")
    task = TorchTask(model=model, train=(x, y), test=(x, y))
    plan = training_preset("paper", "paper-cnn")
    learner = TorchLearner(task, TrainingSpec(**asdict(plan)))
    start, bare = flat(model()), model()
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)

    def bare_epoch() -> None:
        optimizer = torch.optim.Adam(bare.parameters(), lr=plan.learning_rate)
        for batch in torch.randperm(500).split(64):  # type: ignore[no-untyped-call]  # as below
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(bare(inputs[batch]), targets[batch])
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no type for it
            optimizer.step()

    return ratio(lambda: learner.train(start, SYSTEM), bare_epoch)


def loss_matrix(architecture: str, shape: tuple[int, ...]) -> dict[str, float]:
    """All losses of K = 5 models on 500 examples over a bare loop in the authors' batches of 100.

    Ours starts from float64 vectors, as a client does; the loop has its modules ready.
    """
    rng = np.random.default_rng(0)
    x = rng.random((500, *shape), dtype=np.float32)
    y = rng.integers(2, size=500)
    model = partial(build_model, architecture)
    task = TorchTask(model=model, train=(x, y), test=(x, y))
    learner = TorchLearner(task, TrainingSpec(**asdict(training_preset("authors", architecture))))
    modules = [model().eval() for _ in range(5)]
    vectors = np.stack([flat(module) for module in modules])
    learner.resident.executions = probe([learner], vectors, [SYSTEM])
    batches = [torch.split(torch.from_numpy(array), 100) for array in (x, y)]

    def bare_rows() -> np.ndarray:
        with torch.no_grad():
            columns = [
                [
                    nn.functional.cross_entropy(module(part), labels, reduction="none")
                    for part, labels in zip(*batches, strict=True)
                ]
                for module in modules
            ]
            return torch.stack([torch.cat(column) for column in columns], dim=1).numpy()

    np.testing.assert_allclose(learner.losses(vectors), bare_rows(), atol=1e-5)
    return ratio(lambda: learner.losses(vectors), bare_rows)


def importing() -> dict[str, float]:
    """``import secure_clove`` in a fresh interpreter over starting the interpreter alone."""

    def run(code: str) -> None:
        subprocess.run([sys.executable, "-c", code], check=True)

    return ratio(partial(run, "import secure_clove"), partial(run, "pass"))


def main() -> None:
    """Print the JSON."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", "Full backward hook is firing", UserWarning)  # of opacus
    cnn, noised = partial(build_model, "paper-cnn"), privacy.noise_update()
    found = {
        "schema_version": 1,
        "mask_ratio": masking.mask_ratio(),
        "wire_ratio": masking.wire_ratio(),
        "round_of_101": masking.round_of_101(),
        "server_growth": sums.server_growth(),
        "server_memory": sums.server_memory(),
        "dp_step": privacy.private_step(partial(linear, 64, 10), (58, 64), steps=20),
        "dp_step_cnn": privacy.private_step(cnn, (64, 1, 28, 28), steps=3),
        "dp_step_cnn_full": privacy.private_step(cnn, (500, 1, 28, 28), steps=1),
        "noise_update_seconds": noised["seconds"],
        "noise_update_over_numpy": noised["over_numpy"],
        "ledger_commit_ms": privacy.ledger_commit_ms(),
        "local_epoch": local_epoch(),
        "loss_matrix": loss_matrix("paper-cnn", (1, 28, 28)),
        "loss_matrix_mlp": loss_matrix("amazon-mlp", (5000,)),
        "sim_overhead": ratio(*studies.sim_overhead()),
        "bookkeeping_1000": studies.bookkeeping(clients=1000, examples=500),
        "bookkeeping_1000_small": studies.bookkeeping(clients=1000, examples=100),
        "memory_growth": studies.growth(few=100, many=1000),
        "import_ratio": importing(),
        "import_seconds": median(
            seconds(lambda: subprocess.run([sys.executable, "-c", "import secure_clove"]))
            for _ in range(REPEATS)
        ),
    }
    print(json.dumps(found, indent=2))  # noqa: T201  this is what it is for


main()
