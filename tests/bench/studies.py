"""What the study engine costs beside the training that it is for."""

import ctypes
import gc
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from secure_clove.data.dataset import Dataset, Part, Provenance
from secure_clove.foundation.codec import encode
from secure_clove.foundation.seeds import stream
from secure_clove.learn.architectures import build_model
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.presets import training_preset
from secure_clove.studies.play.cell import Cell, Setting
from secure_clove.studies.play.clients import clients_of
from secure_clove.studies.play.crew import Alone
from secure_clove.studies.play.result import line_of
from secure_clove.studies.play.table import Table

CLUSTERS = 5
ROUNDS = 1
SETTING = Setting(
    dataset="mnist",
    kind="label-skew-1",
    algorithm="clove",
    model="paper-cnn",
    clients=25,
    clusters=CLUSTERS,
    examples=500,
    options={
        "probes": 0,
        "centred": False,
        "clustering_rounds": 1_000_000,
        "stable_rounds": 1_000_000,
    },
)


def images(count: int) -> Dataset:
    """Return random grey images of ten classes."""
    rng = stream(0, "bench")
    provenance = Provenance(
        dataset="mnist", distribution="random", home="none", files=(), verified=True
    )
    return Dataset(
        train=Part(
            x=rng.integers(0, 256, size=(count, 1, 28, 28), dtype=np.uint8),
            y=np.arange(count) % 10,
        ),
        test=None,
        classes=tuple("0123456789"),
        unit=255.0,
        provenance=provenance,
    )


class BareLoop:
    """What anybody would write by hand for CLoVE's rounds, once the clusters are known."""

    def __init__(self, cell: Cell, data: Dataset) -> None:
        found = clients_of(cell, lambda name: data)
        self._clients = [
            (found.truth[c], task.training, task.held_out) for c, task in found.tasks.items()
        ]
        self._models = [build_model("paper-cnn") for _ in range(CLUSTERS)]
        self._scratch = build_model("paper-cnn")
        self._plan = training_preset(cell.preset, "paper-cnn")

    def round(self) -> None:
        size = self._plan.batch_size or 1
        states: dict[int, list[dict[str, torch.Tensor]]] = {k: [] for k in range(CLUSTERS)}
        for cluster, training, held_out in self._clients:
            parts = [slice(i, i + size) for i in range(0, len(training), size)]
            with torch.no_grad():
                for model in self._models:
                    losses = [
                        nn.functional.cross_entropy(
                            model(training.x[part]), training.y[part], reduction="none"
                        )
                        for part in parts
                    ]
                    torch.cat(losses).mean().item()
            self._scratch.load_state_dict(self._models[cluster].state_dict())
            optimizer = torch.optim.Adam(self._scratch.parameters(), lr=self._plan.learning_rate)
            for batch in torch.randperm(len(training)).split(size):  # type: ignore[no-untyped-call]  # torch has no type for it
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(
                    self._scratch(training.x[batch]), training.y[batch]
                )
                loss.backward()  # type: ignore[no-untyped-call]  # likewise
                optimizer.step()
            with torch.no_grad():
                hits = self._models[cluster](held_out.x).argmax(1) == held_out.y
                int(hits.sum())
                states[cluster].append(
                    {name: value.clone() for name, value in self._scratch.state_dict().items()}
                )
        for model, members in zip(self._models, states.values(), strict=True):
            model.load_state_dict(
                {
                    name: torch.stack([member[name] for member in members]).mean(0)
                    for name in model.state_dict()
                }
            )


def sim_overhead() -> tuple[Callable[[], object], Callable[[], object]]:
    """Return a round of the engine and a bare round that does the same."""
    cell = Cell(setting=SETTING, seed=0, rounds=1000, preset="authors")
    data = images(20_000)
    rounds = Table(cell, Alone(lambda name: data)).rounds(1000, evaluate_every=1000)
    bare = BareLoop(cell, data)
    return lambda: next(rounds), bare.round


def bookkeeping(*, clients: int, examples: int) -> dict[str, float]:
    """Return what is neither training nor losses nor scores, in processor time.

    Over training alone, and over all three, of one round in this process that ends with its line
    and its state.
    """
    setting = replace(SETTING, clients=clients, examples=examples)
    cell = Cell(setting=setting, seed=0, rounds=ROUNDS, preset="authors")
    data = images(3 * clients * examples // 2)
    table = Table(cell, Alone(lambda name: data))
    spent = Spent()
    with spent:
        began = time.process_time()
        for measured in table.rounds(ROUNDS, evaluate_every=ROUNDS + 1):
            line_of(measured, table.truth)
            encode(table.save())
        total = time.process_time() - began
    work = sum(spent.seconds.values())
    rest = total - work
    return {"over_training": rest / spent.seconds["train"], "over_all_work": rest / work}


class Spent:
    """While open, the processor time that all learners spend on models and data."""

    def __init__(self) -> None:
        self.seconds = {"train": 0.0, "losses": 0.0, "score": 0.0}
        self._own = {name: getattr(TorchLearner, name) for name in self.seconds}

    def __enter__(self) -> None:
        for name in self._own:
            setattr(TorchLearner, name, self._timed(name))

    def __exit__(self, *error: object) -> None:
        for name, own in self._own.items():
            setattr(TorchLearner, name, own)

    def _timed(self, name: str) -> Callable[..., Any]:
        def timed(*args: Any, **named: Any) -> Any:
            began = time.process_time()
            try:
                return self._own[name](*args, **named)
            finally:
                self.seconds[name] += time.process_time() - began

        return timed


def growth(*, few: int, many: int) -> float:
    """Return by how much memory grows with the clients over the size of their examples.

    Each count of clients plays two rounds in a process of its own, whose memory then counts.
    """
    held = [_held(clients) for clients in (few, many)]
    return (held[1] - held[0]) / ((many - few) * BYTES)


BYTES = (100 + 100 // 8) * (28 * 28 * 4 + 8)
"""Of one client's examples: float32 pixels and an int64 label."""


def _held(clients: int) -> int:
    code = f"from tests.bench.studies import two_rounds; two_rounds({clients})"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(run.stdout)


def two_rounds(clients: int) -> None:
    """Print the resident memory of this process in bytes, after two rounds, as Linux tells it.

    What the allocator keeps of memory that was freed goes back first.
    """
    cell = Cell(setting=_crowd(clients), seed=0, rounds=2, preset="authors")
    data = images(150_000)
    table = Table(cell, Alone(lambda name: data))
    for _ in table.rounds(2, evaluate_every=3):
        gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    sys.stdout.write(str(pages * resource.getpagesize()))


def _crowd(clients: int) -> Setting:
    return replace(SETTING, clients=clients, examples=100)
