"""Counts of clients and examples of the paper's experiments, as a table.

Source: CLoVE, Table 6 (appendix C). The counts of clusters and the kinds come from sections 5.1 and
5.2, appendices D.1.1, D.1.2 and D.2.1, and the authors' code.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperSize:
    """One cell of Table 6.

    Attributes:
        experiment: The row, in the paper's words.
        dataset: Name in this library's catalogue, or ``regression``.
        kind: Name of the partition here; None: `mixed_linear_regression`.
        clients: Count of clients.
        examples: Training examples of a client.
        clusters: Count of planted clusters.
    """

    experiment: str
    dataset: str
    kind: str | None
    clients: int
    examples: int
    clusters: int


def _images(
    experiment: str, kind: str, examples: int, *counts: tuple[int, int]
) -> tuple[PaperSize, ...]:
    names = ("mnist", "cifar10", "fashion-mnist")
    return tuple(
        PaperSize(
            experiment=experiment,
            dataset=name,
            kind=kind,
            clients=clients,
            examples=examples,
            clusters=clusters,
        )
        for name, (clients, clusters) in zip(names, counts, strict=True)
    )


PAPER_SIZES: tuple[PaperSize, ...] = (
    *_images("S: Label skew 1", "label-skew-1", 500, (25, 5), (15, 3), (25, 5)),
    *_images("S: Label skew 2", "label-skew-2", 500, (25, 5), (15, 3), (25, 5)),
    *_images("S: Label skew 3", "label-skew-3", 500, (25, 5), (25, 5), (25, 5)),
    *_images("S: Label skew 4", "label-skew-4", 500, (50, 10), (30, 6), (50, 10)),
    *_images("S: Feature skew", "feature-skew", 500, (40, 4), (20, 4), (40, 4)),
    *_images("S: Concept shift", "concept-shift", 1000, (20, 4), (12, 4), (20, 4)),
    PaperSize(
        experiment="S: Amazon Review",
        dataset="amazon-reviews",
        kind="groups",
        clients=20,
        examples=1000,
        clusters=4,
    ),
    PaperSize(
        experiment="S: AG News",
        dataset="ag-news",
        kind="label-pairs",
        clients=30,
        examples=100,
        clusters=6,
    ),
    PaperSize(
        experiment="S: Ablation (CIFAR-10)",
        dataset="cifar10",
        kind="label-skew-3",
        clients=25,
        examples=500,
        clusters=5,
    ),
    PaperSize(
        experiment="U: Initialization (MNIST)",
        dataset="mnist",
        kind="single-class",
        clients=50,
        examples=500,
        clusters=10,
    ),
    PaperSize(
        experiment="U: Linear",
        dataset="regression",
        kind=None,
        clients=25,
        examples=1000,
        clusters=5,
    ),
    *_images("U: Everything else", "single-class", 1000, (50, 10), (50, 10), (50, 10)),
)
"""Every cell of Table 6, in its order."""
