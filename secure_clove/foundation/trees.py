"""Named arrays: the shape in which asks and replies travel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from secure_clove.errors import ConfigError

Vector = NDArray[np.float64]
"""A flat float64 vector."""

Tree = Mapping[str, NDArray[np.float64]]
"""Arrays by name. The order of names never matters; a `Layout` fixes one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One named array of a layout.

    Attributes:
        name: Key in the tree.
        shape: Its shape; ``()`` is a scalar.
    """

    name: str
    shape: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """Count of numbers."""
        return prod(self.shape)


Layout = tuple[Slot, ...]


def size(layout: Layout) -> int:
    """Return how many numbers a tree of ``layout`` holds."""
    return sum(slot.size for slot in layout)


def flatten(tree: Tree, layout: Layout) -> Vector:
    """Concatenate the arrays of ``tree`` in the order of ``layout``.

    Raises:
        ConfigError: a name is missing or extra, or a shape differs.
    """
    if set(tree) != {slot.name for slot in layout}:
        raise ConfigError(f"tree has {sorted(tree)}, layout {[s.name for s in layout]}")
    for slot in layout:
        if np.shape(tree[slot.name]) != slot.shape:
            found = np.shape(tree[slot.name])
            raise ConfigError(f"'{slot.name}' has shape {found}, expected {slot.shape}")
    parts = [np.asarray(tree[slot.name], dtype=np.float64).ravel() for slot in layout]
    return np.concatenate(parts) if parts else np.zeros(0)


def unflatten(vector: Vector, layout: Layout) -> dict[str, NDArray[np.float64]]:
    """Cut ``vector`` into the arrays of ``layout``; the inverse of `flatten`.

    Raises:
        ConfigError: the length is not the layout's.
    """
    if vector.shape != (size(layout),):
        raise ConfigError(f"vector has shape {vector.shape}, layout needs ({size(layout)},)")
    cuts = np.cumsum([slot.size for slot in layout])[:-1]
    parts: Sequence[Vector] = np.split(vector, cuts) if layout else ()
    return {s.name: part.reshape(s.shape) for s, part in zip(layout, parts, strict=True)}
