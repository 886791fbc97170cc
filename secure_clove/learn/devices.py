"""Where torch computes: on the CPU, or on a GPU by CUDA."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from secure_clove.errors import ConfigError
from secure_clove.foundation.seeds import Entropy

KINDS = ("cpu", "cuda")
"""Kinds of devices; others lack the float64 that clipping and losses need."""


def choose_device(name: str) -> torch.device:
    """Return the device called ``name``.

    Args:
        name: ``cpu``, ``cuda``, ``cuda:1`` and so on, or ``auto``: a GPU if there is one.

    Raises:
        ConfigError: no such device, here or anywhere.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"'{name}' is no device; choose auto, cpu, cuda or cuda:0") from error
    if device.type not in KINDS:
        raise ConfigError(f"device '{name}' is not supported; choose auto, cpu, cuda or cuda:0")
    return torch.device("cpu") if device.type == "cpu" else _gpu(device)


def _gpu(device: torch.device) -> torch.device:
    if not torch.cuda.is_available():
        raise ConfigError(
            f"device '{device}' was asked for, but torch {torch.__version__} finds no GPU here; "
            "set device to cpu or auto, or install a driver and a torch built for CUDA"
        )
    count, index = torch.cuda.device_count(), device.index
    if index is not None and index >= count:
        raise ConfigError(f"device '{device}' is not here; choose cuda:0 to cuda:{count - 1}")
    return torch.device("cuda", torch.cuda.current_device() if index is None else index)


@contextmanager
def seeded(device: torch.device, entropy: Entropy) -> Iterator[None]:
    """Draw dropout masks on ``device`` from ``entropy``; give torch's generators back as they were.

    The masks of a CPU and of a GPU differ.
    """
    seed = int.from_bytes(entropy.draw(8), "little")
    indices = [] if device.type == "cpu" else [device.index]
    with torch.random.fork_rng(devices=indices):
        torch.default_generator.manual_seed(seed)
        for index in indices:
            torch.cuda.default_generators[index].manual_seed(seed)
        yield
