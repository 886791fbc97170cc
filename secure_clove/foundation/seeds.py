"""Two kinds of randomness that cannot be confused: reproducible streams and entropy.

A simulation's choices (partition, initial models, k-means starts) come from `stream`: a numpy
generator named by a seed and a path of labels. Released noise and keys come from an `Entropy`:
bytes that an adversary cannot predict. `SimulatedEntropy` exists so that a test can replay a run;
whoever uses it has no privacy, and every report says so.
"""

from hashlib import sha256, shake_256
from typing import Protocol

import numpy as np

Rng = np.random.Generator


def stream(seed: int, *labels: str | int) -> Rng:
    """Return the generator that belongs to ``seed`` and ``labels``.

    The same arguments give the same stream on every machine; other labels an independent one.
    """
    path = "\x1f".join([str(seed), *map(str, labels)]).encode()
    return np.random.default_rng(np.frombuffer(sha256(path).digest(), dtype=np.uint32))


class Entropy(Protocol):
    """A source of bytes for released noise and keys."""

    @property
    def is_simulated(self) -> bool:
        """Whether the bytes can be predicted, so that nothing is private."""

    def draw(self, count: int) -> bytes:
        """Return ``count`` fresh bytes."""

    def fork(self, *labels: str | int) -> "Entropy":
        """Return the source for one named purpose."""


class SimulatedEntropy:
    """Reproducible bytes from SHAKE-256, for simulations and tests only."""

    is_simulated = True

    def __init__(self, seed: int, *labels: str | int) -> None:
        self._path = "\x1f".join(["simulated", str(seed), *map(str, labels)])
        self._drawn = 0

    def draw(self, count: int) -> bytes:
        """Return the next ``count`` bytes of the stream."""
        self._drawn += 1
        return shake_256(f"{self._path}\x1e{self._drawn}".encode()).digest(count)

    def fork(self, *labels: str | int) -> "SimulatedEntropy":
        """Return a fresh stream that depends only on the seed and the labels."""
        child = SimulatedEntropy(0)
        child._path = "\x1f".join([self._path, *map(str, labels)])
        return child
