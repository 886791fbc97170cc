"""The demo's numbers hold for other partitions, initial models and noise than its own."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import nn

from secure_clove.clustering.scores import adjusted_rand_index
from secure_clove.data.partition import label_skew_1
from secure_clove.data.sources import digits
from secure_clove.foundation.ids import ClientId
from secure_clove.learn.models import MakeModel, linear
from secure_clove.learn.tasks import TorchTask
from secure_clove.sdk.config import Settings
from secure_clove.sdk.simulate import simulate
from secure_clove.studies.demo import CLASSES, FEATURES, PROBES, options_for

Form = Literal["noised", "sealed"]
SEEDS = range(20)
KEPT = Path("runs/slow/seeds.jsonl")
"""One line a variant; `docs/generate.py` shows the copy in ``docs/data``."""


def biases_only() -> nn.Module:
    return linear(FEATURES, CLASSES)


def random_weights() -> nn.Module:
    return nn.Linear(FEATURES, CLASSES)


def run(seed: int, model: MakeModel, probes: int, form: Form) -> tuple[list[float], float, float]:
    """Return ARI by round, mean accuracy and the largest ε of one federation."""
    torch.set_num_threads(1)
    data = label_skew_1(*digits(), seed=seed)
    tasks = {
        client: TorchTask(model=model, train=(d.train_x, d.train_y), test=(d.test_x, d.test_y))
        for client, d in data.clients.items()
    }
    options = options_for(form) | {"probes": probes}
    settings = Settings(seed=seed, visibility=form, options=options)
    result = simulate(settings, tasks)
    aris = [score(r.assignment, data.truth) for r in result.rounds]
    accuracies = [c.accuracy for c in result.clients.values() if c.accuracy is not None]
    return aris, float(np.mean(accuracies)), max(c.spent.total for c in result.clients.values())


def score(found: Mapping[ClientId, int], truth: Mapping[ClientId, int]) -> float:
    names = sorted(found)
    return adjusted_rand_index([truth[n] for n in names], [found[n] for n in names])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "probes", "form"),
    [
        (random_weights, 0, "noised"),
        (biases_only, 0, "noised"),
        (biases_only, PROBES, "noised"),
        (biases_only, PROBES, "sealed"),
    ],
)
def test_groups_and_accuracy_over_many_seeds(model: MakeModel, probes: int, form: Form) -> None:
    runs = [run(seed, model, probes, form) for seed in SEEDS]
    aris = [aris for aris, _, _ in runs]
    found: dict[str, Any] = {
        "initial_models": model.__name__.replace("_", " "),
        "probes": probes,
        "visibility": form,
        "seeds": len(runs),
        "ari_1_in_round_1": float(np.mean([a[0] == 1.0 for a in aris])),
        "ari_0_9_by_round_2": float(np.mean([max(a[:2]) >= 0.9 for a in aris])),
        "ari_final_1": float(np.mean([a[-1] == 1.0 for a in aris])),
        "accuracy_mean": float(np.mean([accuracy for _, accuracy, _ in runs])),
        "accuracy_min": min(accuracy for _, accuracy, _ in runs),
        "epsilon_total_max": max(epsilon for _, _, epsilon in runs),
    }
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    with KEPT.open("a") as file:
        file.write(json.dumps(found) + "\n")
    assert found["epsilon_total_max"] <= 4.0
    if probes:
        assert found["ari_0_9_by_round_2"] >= 0.95
        assert found["ari_final_1"] >= 0.95
        assert found["accuracy_min"] >= 0.95
