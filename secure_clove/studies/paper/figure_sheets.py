"""The paper's figures of experiments, as sheets.

Where the paper is silent, our reading stands in the title.

Source: clove.txt, section 5 and appendix D.
"""

from collections.abc import Iterator
from dataclasses import replace

from secure_clove.studies.paper.settings import (
    CLUSTERED,
    STOPPING,
    crowded,
    regression,
    unsupervised,
)
from secure_clove.studies.paper.sheet import Row, Sheet


def _initialisations() -> Iterator[Row]:
    for algorithm in CLUSTERED:
        for starts in ("different", "same"):
            for first in ("evaluated", "random"):
                name = f"{algorithm} init:{starts[0]} first:{first[0]}"
                setting = unsupervised(
                    "mnist",
                    algorithm,
                    examples=500,
                    label=f"start-{starts}-first-{first}",
                    first_assignment=first,
                )
                yield Row(name=name, setting=replace(setting, starts=starts))


def _regressions() -> Iterator[Row]:
    for separation in ("1.0", "0.1", "0.01", "0.001", "0.0003"):
        yield Row(name=f"least distance {separation}", setting=regression(separation))


def _very_few() -> Iterator[Row]:
    base = replace(crowded("mnist", "clove", 20, label=""), participation=0.4)
    for name, options in (("with early stopping", STOPPING), ("without early stopping", {})):
        label = "-".join(("few", *name.split()))
        yield Row(
            name=name, setting=replace(base, options={**base.options, **options}, label=label)
        )


def _averagings() -> Iterator[Row]:
    models = unsupervised("mnist", "clove", examples=100, label="average-models")
    yield Row(name="model averaging", setting=models)
    yield Row(
        name="gradient averaging",
        setting=replace(models, training="gradient", label="average-gradients"),
    )


FIGURES: tuple[Sheet, ...] = (
    Sheet(
        name="figure 2",
        title="Initial models and first assignments, MNIST without classes",
        measures=("curve",),
        rows=tuple(_initialisations()),
    ),
    Sheet(
        name="figure 3",
        title="Mixed linear regression (a); k-FED (b) is not in the library yet",
        measures=("curve",),
        rows=tuple(_regressions()),
    ),
    Sheet(
        name="figure 4",
        title="8 of 20 clients take part, fewer than the 10 clusters, MNIST",
        measures=("curve",),
        rows=tuple(_very_few()),
    ),
    Sheet(
        name="figure 5",
        title="Loss of each digit under each model, MNIST without classes",
        measures=("heat",),
        rows=tuple(
            Row(
                name=algorithm, setting=unsupervised("mnist", algorithm, examples=250, label="heat")
            )
            for algorithm in ("clove", "ifca", "fedavg", "local")
        ),
    ),
    Sheet(
        name="figure 6",
        title="Averaging of models and of gradients, MNIST without classes",
        measures=("curve",),
        rows=tuple(_averagings()),
    ),
    Sheet(
        name="figure 7",
        title="Numbers of clients, MNIST without classes",
        measures=("curve",),
        rows=tuple(
            Row(
                name=f"{clients} clients",
                setting=unsupervised(
                    "mnist", "clove", clients=clients, examples=100, label=f"clients-{clients}"
                ),
            )
            for clients in (50, 100, 150, 200)
        ),
    ),
)
