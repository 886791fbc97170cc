"""A cell on a few small images, and the sets it is cut from."""

import numpy as np

from secure_clove.data.dataset import Dataset, Part, Provenance
from secure_clove.data.federation import Federation
from secure_clove.data.partition import partition
from secure_clove.foundation.seeds import stream
from secure_clove.studies.paper.cells import Cell

CLUSTERS = 2


def images(per_class: int) -> Dataset:
    """Return grey images of ten classes, each a bright row of its own in noise."""
    rng = stream(0, "images")
    y = np.arange(10 * per_class) % 10
    x = rng.integers(0, 60, size=(len(y), 1, 28, 28)).astype(np.uint8)
    x[np.arange(len(y)), 0, 2 * y + 4] = 250
    provenance = Provenance(
        dataset="mnist", distribution="made up", home="none", files=(), verified=True
    )
    return Dataset(
        train=Part(x=x, y=y.astype(np.int64)),
        test=None,
        classes=tuple("0123456789"),
        unit=255.0,
        provenance=provenance,
    )


def federation() -> Federation:
    """Return six clients in two clusters."""
    return partition(
        images(40),
        kind="label-skew-1",
        clusters=CLUSTERS,
        clients_per_cluster=3,
        examples=16,
        test_examples=6,
        seed=0,
    )


def cell(*, algorithm: str = "clove", rounds: int = 3, seed: int = 0) -> Cell:
    """Return a cell of the MNIST column."""
    return Cell(
        dataset="mnist",
        kind="label-skew-1",
        algorithm=algorithm,
        seed=seed,
        rounds=rounds,
        preset="authors",
    )
