"""The paper's models have the paper's sizes, and all but those with BatchNorm can be private."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from secure_clove.errors import ConfigError
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.learn.architectures import ARCHITECTURES, build_model
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.models import architecture, flat, parameter_count
from secure_clove.learn.normalisation import ReplacedLayerWarning
from secure_clove.learn.sgd import TrainingSpec
from secure_clove.learn.tasks import Loss, TorchTask

BATCH_NORM = "deep-cnn"


def conv(before: int, after: int, *kernel: int) -> int:
    return before * after * int(np.prod(kernel)) + after


def dense(*widths: int) -> int:
    return sum((before + 1) * after for before, after in pairwise(widths))


DEEP = (
    conv(3, 64, 3, 3)
    + conv(64, 128, 3, 3)
    + conv(128, 256, 3, 3)
    + conv(256, 512, 3, 3)
    + 2 * (64 + 128 + 256 + 512)  # scale and shift of the normalisation
    + dense(2048, 1024, 512, 10)
)

COUNTS = {
    "paper-cnn": 5142,
    "femnist-cnn": conv(1, 6, 5, 5) + conv(6, 16, 5, 5) + dense(256, 62),
    "deep-cnn": DEEP + 2 * (64 + 128 + 256 + 512),  # running mean and variance
    "deep-cnn-groupnorm": DEEP,
    "text-cnn": 32_000 * 100 + sum(conv(100, 100, k) for k in (3, 4, 5)) + dense(300, 4),
    "amazon-mlp": dense(5000, 1000, 500, 100, 2),
    "autoencoder": dense(784, 784, 392, 196, 392, 784, 784),
    "conv-autoencoder": (
        conv(3, 32, 3, 3)
        + conv(32, 64, 3, 3)
        + conv(64, 128, 3, 3)
        + dense(2048, 128, 2048)
        + conv(128, 64, 3, 3)
        + conv(64, 32, 3, 3)
        + conv(32, 3, 3, 3)
    ),
    "linear-regression": 20,
}


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_an_architecture_has_as_many_numbers_as_counted_by_hand(name: str, count: int) -> None:
    with torch.device("meta"):
        assert parameter_count(build_model(name)) == count


def test_the_sizes_follow_the_name() -> None:
    assert parameter_count(build_model("linear", 64, 10)) == 650
    assert parameter_count(build_model("paper-cnn", classes=62)) == COUNTS["femnist-cnn"]


def test_every_architecture_is_tested_here() -> None:
    assert set(COUNTS) | {"linear"} == set(ARCHITECTURES) == set(SHAPES)


# ---- shapes of examples; the widest layers are narrowed, so that a test takes little time

SHAPES: dict[str, tuple[tuple[int, ...], dict[str, int]]] = {
    "linear": ((6,), {"features": 6, "classes": 3}),
    "paper-cnn": ((1, 28, 28), {}),
    "femnist-cnn": ((28, 28), {}),
    "deep-cnn": ((3, 32, 32), {}),
    "deep-cnn-groupnorm": ((3, 32, 32), {}),
    "text-cnn": ((200,), {"words": 300}),
    "amazon-mlp": ((30,), {"features": 30}),
    "autoencoder": ((1, 28, 28), {}),
    "conv-autoencoder": ((3, 32, 32), {}),
    "linear-regression": ((20,), {}),
}


def inputs(name: str, count: int) -> Tensor:
    shape, sizes = SHAPES[name]
    rng = np.random.default_rng(0)
    if name == "text-cnn":
        return torch.from_numpy(rng.integers(sizes["words"], size=(count, *shape)))
    return torch.from_numpy(rng.random((count, *shape), dtype=np.float32))


def task(name: str) -> TorchTask:
    x = inputs(name, 3)
    loss: Loss = "mse"
    if name.endswith("autoencoder"):
        y = x
    elif name == "linear-regression":
        y = x[:, :1]
    else:
        loss, y = "cross_entropy", torch.arange(3) % 2
    return TorchTask(
        model=partial(build_model, name, **SHAPES[name][1]), train=(x, y), test=(x, y), loss=loss
    )


@pytest.fixture(autouse=True)
def _same_generator() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_answers_in_the_shape_of_its_targets(name: str) -> None:
    made = task(name)
    output = made.model()(made.training.x)
    expected = (3, output.shape[1]) if made.loss == "cross_entropy" else made.training.y.shape
    assert output.shape == expected


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_parameter_of_an_architecture_learns(name: str) -> None:
    made = task(name)
    model = made.model().train()
    torch.autograd.backward(model(made.training.x).square().sum())
    still = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name != BATCH_NORM])
def test_an_architecture_without_batch_norm_trains_privately(name: str) -> None:
    made = task(name)
    learner = TorchLearner(made, TrainingSpec(learning_rate=0.1, clip=1.0, noise_multiplier=1.0))
    start = flat(made.model())
    trained = learner.train(start, SimulatedEntropy(0))
    assert np.mean(trained != start) > 0.99


def test_batch_norm_in_private_becomes_the_twin_with_groupnorm() -> None:
    with pytest.warns(ReplacedLayerWarning, match="4 in the model became GroupNorm"):
        made = TorchLearner(task(BATCH_NORM), TrainingSpec(learning_rate=0.1, clip=1.0))
    assert made.architecture == architecture(build_model("deep-cnn-groupnorm"))


# ---- what an architecture promises of its inputs


def test_grey_images_may_come_in_any_layout() -> None:
    model, x = build_model("paper-cnn"), inputs("paper-cnn", 2)
    for shape in ((2, 784), (2, 28, 28)):
        assert torch.equal(model(x.reshape(shape)), model(x))


def test_padding_neither_has_an_embedding_nor_learns_one() -> None:
    model = build_model("text-cnn", words=9)
    tokens = torch.zeros((2, 12), dtype=torch.int64)
    torch.autograd.backward(model(tokens).sum())
    (embedding,) = (p for name, p in model.named_parameters() if name.startswith("embedding"))
    assert embedding.grad is not None
    assert not embedding[0].any()
    assert not embedding.grad.any()


def test_the_place_of_a_phrase_in_a_text_does_not_matter() -> None:
    model = build_model("text-cnn", words=50).eval()
    phrase = [7, 3, 9, 11, 5]
    early, late = ([0] * k + phrase + [0] * (20 - k) for k in (6, 13))
    scores = model(torch.tensor([early, late]))
    torch.testing.assert_close(scores[0], scores[1])


@pytest.mark.parametrize(
    ("name", "low", "high"), [("autoencoder", 0.0, 1.0), ("conv-autoencoder", -1.0, 1.0)]
)
def test_a_reconstruction_stays_within_its_range(name: str, low: float, high: float) -> None:
    output = build_model(name)(100 * inputs(name, 2)).detach()
    assert low <= float(output.min()) <= float(output.max()) <= high


def test_a_regression_without_features_predicts_zero() -> None:
    assert not build_model("linear-regression")(torch.zeros(2, 20)).any()


# ---- what is refused


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: build_model("resnet"), "choose one of linear, paper-cnn"),
        (lambda: build_model("linear", 64), "takes features, classes: missing"),
        (lambda: build_model("paper-cnn", 10, 3), "takes classes: too many"),
        (lambda: build_model("paper-cnn", width=3), "takes classes: got an unexpected"),
        (lambda: build_model("autoencoder", 3), "takes no sizes: too many"),
        (lambda: build_model("paper-cnn", 0), "count from 1"),
        (lambda: build_model("paper-cnn", classes=-1), "count from 1"),
    ],
)
def test_a_model_that_cannot_be_built_is_refused(make: Callable[[], nn.Module], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()
