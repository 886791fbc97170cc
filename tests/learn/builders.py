"""Small tasks and models for the tests of this folder."""

import numpy as np
import torch
from torch import Tensor, nn

from secure_clove.foundation.trees import Vector
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.models import MakeModel, flat, linear
from secure_clove.learn.sgd import TrainingSpec
from secure_clove.learn.tasks import TorchTask

FEATURES, CLASSES = 6, 3


def make_linear() -> nn.Module:
    return linear(FEATURES, CLASSES)


def make_network() -> nn.Module:
    return nn.Sequential(
        nn.Linear(FEATURES, 8), nn.GroupNorm(2, 8), nn.ReLU(), nn.Linear(8, CLASSES)
    )


def make_dropout() -> nn.Module:
    return nn.Sequential(nn.Linear(FEATURES, 16), nn.Dropout(0.5), nn.Linear(16, CLASSES))


def make_batch_norm() -> nn.Module:
    return nn.Sequential(nn.BatchNorm1d(FEATURES), nn.Linear(FEATURES, CLASSES))


def examples(count: int, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    y = rng.integers(CLASSES, size=count)
    x = rng.normal(size=(count, FEATURES)) + 2.0 * np.eye(CLASSES, FEATURES)[y]
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


def task(*, model: MakeModel = make_linear, train: int = 20, test: int = 12) -> TorchTask:
    return TorchTask(model=model, train=examples(train), test=examples(test, seed=1))


def learner(spec: TrainingSpec, *, model: MakeModel = make_linear, train: int = 20) -> TorchLearner:
    return TorchLearner(task(model=model, train=train), spec)


def weights(model: MakeModel = make_linear, *, seed: int = 0) -> Vector:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return flat(model())
