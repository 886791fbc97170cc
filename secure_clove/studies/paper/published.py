"""Figures that the paper printed, each with the line of its text that holds it.

Source: clove.txt, Tables 1, 2, 5 and 10.
"""

from collections.abc import Mapping
from dataclasses import dataclass

DATASETS = ("mnist", "cifar10", "fashion-mnist")
"""The columns of the paper's tables, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One printed figure.

    Attributes:
        mean: Over three seeds; Table 1 counts in percent.
        deviation: Over the same.
        line: Of clove.txt, from 1.
    """

    mean: float
    deviation: float
    line: int


Figures = Mapping[tuple[str, str, str], Figure]
"""By data set, kind of partition and algorithm."""

Printed = tuple[str, str, int, tuple[tuple[float, float] | None, ...]]


def _figures(*rows: Printed) -> Figures:
    return {
        (dataset, kind, algorithm): Figure(mean=pair[0], deviation=pair[1], line=line)
        for kind, algorithm, line, pairs in rows
        for dataset, pair in zip(DATASETS, pairs, strict=True)
        if pair is not None
    }


ACCURACY: Figures = _figures(
    ("label-skew-1", "fedavg", 202, ((87.4, 0.9), (34.0, 3.6), (64.7, 1.2))),
    ("concept-shift", "fedavg", 202, ((52.4, 0.3), (63.1, 1.7), (49.1, 0.1))),
    ("label-skew-1", "local", 203, ((99.5, 0.1), (85.4, 1.6), (98.8, 0.1))),
    ("concept-shift", "local", 203, ((94.8, 0.3), (45.1, 0.4), (78.3, 0.4))),
    ("label-skew-1", "ifca", 212, ((99.1, 0.5), (85.7, 6.5), (97.8, 1.9))),
    ("concept-shift", "ifca", 212, ((80.0, 0.2), (52.7, 4.7), (67.0, 6.2))),
    ("label-skew-1", "clove", 213, ((99.8, 0.0), (90.5, 0.1), (99.1, 0.0))),
    ("concept-shift", "clove", 213, ((97.6, 0.1), (58.4, 0.6), (84.3, 0.2))),
    ("label-skew-2", "fedavg", 214, ((76.4, 0.3), (47.7, 4.0), (55.2, 1.6))),
    ("feature-skew", "fedavg", 214, ((90.0, 0.6), (52.4, 2.5), (76.5, 0.3))),
    ("label-skew-2", "local", 215, ((94.2, 0.2), (55.9, 1.8), (86.1, 0.4))),
    ("feature-skew", "local", 215, ((93.0, 0.1), (38.5, 1.6), (75.8, 0.2))),
    ("label-skew-2", "ifca", 224, ((96.8, 0.2), (63.4, 3.4), (89.4, 1.3))),
    ("feature-skew", "ifca", 224, ((95.9, 2.0), (50.8, 7.0), (83.5, 0.3))),
    ("label-skew-2", "clove", 225, ((97.1, 0.3), (66.8, 2.3), (90.1, 0.3))),
    ("feature-skew", "clove", 225, ((97.7, 0.1), (57.1, 1.8), (85.1, 0.2))),
)
"""Table 1, in percent."""

ARI: Figures = _figures(
    ("label-skew-1", "ifca", 234, ((0.83, 0.12), (0.91, 0.13), (0.92, 0.12))),
    ("concept-shift", "ifca", 234, ((0.68, 0.00), (0.76, 0.17), (0.55, 0.18))),
    ("label-skew-1", "clove", 235, ((1.00, 0.00), (1.00, 0.00), (1.00, 0.00))),
    ("concept-shift", "clove", 235, ((1.00, 0.00), (1.00, 0.00), (1.00, 0.00))),
    ("label-skew-2", "ifca", 240, ((0.83, 0.12), (0.81, 0.13), (0.92, 0.12))),
    ("feature-skew", "ifca", 240, ((0.67, 0.28), (0.71, 0.22), (0.55, 0.10))),
    ("label-skew-2", "clove", 241, ((1.00, 0.00), (1.00, 0.00), (1.00, 0.00))),
    ("feature-skew", "clove", 241, ((1.00, 0.00), (1.00, 0.00), (1.00, 0.00))),
)
"""Table 2."""

FIRST_ROUND: Figures = _figures(
    ("label-skew-1", "clove", 299, ((2.0, 0.0), (2.0, 0.0), (2.0, 0.0))),
    ("concept-shift", "clove", 305, ((2.0, 0.0), (2.3, 0.5), (2.0, 0.0))),
    ("label-skew-2", "clove", 1080, ((2.0, 0.0), (2.0, 0.0), (2.0, 0.0))),
    ("feature-skew", "clove", 1098, ((2.0, 0.0), (4.3, 0.9), (2.0, 0.0))),
)
"""Tables 5 and 10: first round with an ARI of 0.9 or more. They print a dash, never, for IFCA."""
