"""What a cluster does to its examples: turn the images, or exchange labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np

from secure_clove.data.dataset import Stored
from secure_clove.data.federation import Labels
from secure_clove.errors import ConfigError
from secure_clove.foundation.seeds import Rng

ANGLES = 4
"""Quarter turns: 0, 90, 180 and 270 degrees, anticlockwise."""

SWAPS = (
    ((0, 3), (8, 9)),
    ((1, 4), (6, 9)),
    ((1, 2), (3, 6)),
    ((3, 5), (4, 7)),
)
"""Labels that each cluster exchanges. Source: the authors' code of CLoVE, concept shift."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """The change of one cluster.

    Attributes:
        quarters: Quarter turns of every image, 0 to 3.
        labels: New label of each old one; empty: labels stay.
    """

    quarters: int = 0
    labels: tuple[int, ...] = ()

    def of_examples(self, x: Stored) -> Stored:
        """Return the examples, shape (n, ..., side, side), as the cluster sees them."""
        return np.rot90(x, self.quarters, axes=(-2, -1)) if self.quarters else x

    def of_labels(self, y: Labels) -> Labels:
        """Return the labels, shape (n,), as the cluster writes them."""
        return np.array(self.labels, dtype=np.int64)[y] if self.labels else y


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a rule of this file may look at.

    Attributes:
        clusters: Count of clusters.
        classes: Count of classes.
        shape: Shape of one example.
    """

    clusters: int
    classes: int
    shape: tuple[int, ...]


ShiftRule = Callable[[Scene, Rng], Sequence[Shift]]
"""Returns one shift per cluster."""


def unchanged(scene: Scene, rng: Rng) -> list[Shift]:
    """Return clusters that leave their examples as they are."""
    del rng  # nothing is drawn
    return [Shift()] * scene.clusters


def rotated(scene: Scene, rng: Rng) -> list[Shift]:
    """Return clusters that turn their images by k quarters.

    Raises:
        ConfigError: more than four clusters, or examples that are no square images.
    """
    del rng  # nothing is drawn
    if scene.clusters > ANGLES:
        raise ConfigError(f"there are {ANGLES} quarter turns, {scene.clusters} were asked for")
    if len(scene.shape) < 2 or scene.shape[-1] != scene.shape[-2] or scene.shape[-1] < 2:
        raise ConfigError(f"only square images can be turned, an example has shape {scene.shape}")
    return [Shift(quarters=k) for k in range(scene.clusters)]


def swapped(scene: Scene, rng: Rng) -> list[Shift]:
    """Return clusters that exchange two pairs of labels each, as `SWAPS` says.

    Raises:
        ConfigError: more clusters or fewer classes than `SWAPS` knows.
    """
    del rng  # nothing is drawn
    if scene.clusters > len(SWAPS) or scene.classes < 10:
        raise ConfigError(
            f"concept shift is defined for up to {len(SWAPS)} clusters and 10 classes or more, "
            f"{scene.clusters} and {scene.classes} were asked for"
        )
    return [Shift(labels=_exchange(pairs, scene.classes)) for pairs in SWAPS[: scene.clusters]]


def permuted(scene: Scene, rng: Rng) -> list[Shift]:
    """Return clusters that each rename the classes in another random order.

    Raises:
        ConfigError: more clusters than orders.
    """
    if scene.clusters > factorial(scene.classes):
        raise ConfigError(
            f"{scene.classes} classes have {factorial(scene.classes)} orders, "
            f"{scene.clusters} were asked for"
        )
    found: dict[tuple[int, ...], None] = {}
    while len(found) < scene.clusters:
        found[tuple(rng.permutation(scene.classes).tolist())] = None
    return [Shift(labels=labels) for labels in found]


def _exchange(pairs: Sequence[tuple[int, int]], classes: int) -> tuple[int, ...]:
    labels = list(range(classes))
    for a, b in pairs:
        labels[a], labels[b] = b, a
    return tuple(labels)
