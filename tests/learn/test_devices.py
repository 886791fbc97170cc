"""A device is chosen by its name; asking for a GPU that is not there says what to do."""

import pytest
import torch

from secure_clove.errors import ConfigError
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.learn.devices import choose_device, seeded
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.resident import Resident
from secure_clove.learn.sgd import TrainingSpec
from tests.learn.builders import make_dropout, task, weights

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
needs_none = pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")


def test_the_cpu_is_always_there() -> None:
    assert choose_device("cpu") == torch.device("cpu")


def test_a_choice_by_itself_takes_a_gpu_if_there_is_one() -> None:
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@needs_none
@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there_is_refused_with_the_cure(name: str) -> None:
    with pytest.raises(ConfigError, match=r"finds no GPU here; set device to cpu or auto"):
        choose_device(name)


@needs_gpu
def test_a_gpu_beyond_the_last_is_refused() -> None:
    with pytest.raises(ConfigError, match="choose cuda:0 to"):
        choose_device("cuda:4096")


@pytest.mark.parametrize("name", ["", "gpu", "cuda:x", "meta", "mps"])
def test_a_name_that_is_no_device_for_training_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="choose auto, cpu, cuda"):
        choose_device(name)


def test_what_is_drawn_inside_comes_from_the_entropy_and_leaves_no_trace() -> None:
    before = torch.get_rng_state()
    drawn = []
    for seed in (1, 1, 2):
        with seeded(torch.device("cpu"), SimulatedEntropy(seed)):
            drawn.append(float(torch.rand(())))
    assert drawn[0] == drawn[1] != drawn[2]
    assert torch.equal(before, torch.get_rng_state())


@needs_gpu
def test_dropout_on_a_gpu_is_drawn_from_the_entropy() -> None:
    spec = TrainingSpec(learning_rate=0.3, steps=2)
    resident = Resident(make_dropout, spec, device="cuda")
    learner = TorchLearner(task(model=make_dropout), spec, resident=resident)
    first, again, other = (
        learner.train(weights(make_dropout), SimulatedEntropy(seed)) for seed in (1, 1, 2)
    )
    assert abs(first - again).max() < 1e-5 < abs(first - other).max()


@needs_gpu
def test_a_gpu_trains_privately_as_a_cpu_does() -> None:
    spec = TrainingSpec(learning_rate=0.3, steps=3, clip=1.0, noise_multiplier=1.0)
    on_cpu, on_gpu = (
        TorchLearner(
            made := task(), spec, resident=Resident(made.model, spec, device=device)
        ).train(weights(), SimulatedEntropy(0))
        for device in ("cpu", "cuda")
    )
    assert abs(on_cpu - on_gpu).max() < 0.01
