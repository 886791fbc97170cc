"""The paper's tables, and three of ours on what it says in words, as sheets.

Where the paper is silent, our reading stands in the title.

Source: clove.txt, section 5 and appendix D.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from secure_clove.studies.paper.settings import (
    ALL,
    CLUSTERED,
    FEMNIST,
    IMAGES,
    STOPPING,
    crowded,
    supervised,
    unsupervised,
)
from secure_clove.studies.paper.sheet import Row, Sheet
from secure_clove.studies.play.cell import Option

MAIN = ("label-skew-1", "label-skew-2", "concept-shift", "feature-skew")
MORE = ("label-skew-3", "label-skew-4")
TEXTS = (("amazon-reviews", "groups"), ("ag-news", "label-pairs"))


def _texts(algorithms: Sequence[str]) -> tuple[Row, ...]:
    return tuple(row for d, kind in TEXTS for row in _mixed((d,), (kind,), algorithms))


def _participation() -> Iterator[Row]:
    base = replace(supervised("mnist", "label-skew-1", "clove"), clients=125, examples=100)
    for share in (1.0, 0.9, 0.75, 0.5, 0.25, 0.1):
        name = f"rho-{share}"
        setting = replace(base, test_examples=25, participation=share, label=name)
        yield Row(name=name, setting=setting)


SCALES = (50, 100, 250, 500, 1000)


def _many_supervised() -> Iterator[Row]:
    for dataset in IMAGES:
        for clients in SCALES:
            for algorithm in CLUSTERED:
                name = f"clients-{clients}"
                yield Row(name=name, setting=crowded(dataset, algorithm, clients, label=name))


def _many_unsupervised() -> Iterator[Row]:
    for clients in (100, 200, 500, 1000):
        for algorithm in CLUSTERED:
            name, examples = f"clients-{clients}", 100 if clients < 1000 else 50
            setting = unsupervised(
                "mnist", algorithm, clients=clients, examples=examples, label=name
            )
            yield Row(name=name, setting=setting)


def _ablations() -> Iterator[Row]:
    changes: Mapping[str, Mapping[str, Option]] = {
        "original": {},
        "no-matching": {"matching": False},
        "agglomerative": {"method": "agglomerative"},
        "square-root": {"square_root": True},
    }
    for name, change in changes.items():
        label = "" if name == "original" else name
        setting = supervised("cifar10", "label-skew-3", "clove", label=label, **change)
        yield Row(name=name, setting=setting)


def _unknown() -> Iterator[Row]:
    for selection in ("silhouette", "elbow"):
        setting = supervised(
            "mnist",
            "label-skew-1",
            "clove",
            label=selection,
            selection=selection,
            method="agglomerative",
        )
        yield Row(name=selection, setting=replace(setting, models=10))


def _evaluated() -> Iterator[Row]:
    for dataset in ("mnist", "fashion-mnist"):
        for kind in ("label-skew-1", "label-skew-2", "label-skew-3"):
            setting = supervised(
                dataset, kind, "clove", label="evaluated", first_assignment="evaluated"
            )
            yield Row(name=kind, setting=setting)


def _mixed(
    datasets: Sequence[str], kinds: Sequence[str], algorithms: Sequence[str]
) -> tuple[Row, ...]:
    return tuple(
        Row(name=kind, setting=supervised(dataset, kind, algorithm))
        for dataset in datasets
        for kind in kinds
        for algorithm in algorithms
    )


TABLES: tuple[Sheet, ...] = (
    Sheet(
        name="table 1",
        title="Test accuracy, images",
        measures=("accuracy",),
        rows=_mixed(IMAGES, MAIN, ALL),
    ),
    Sheet(
        name="table 2", title="ARI, images", measures=("ari",), rows=_mixed(IMAGES, MAIN, CLUSTERED)
    ),
    Sheet(name="table 3", title="Test accuracy, text", measures=("accuracy",), rows=_texts(ALL)),
    Sheet(
        name="table 4",
        title="Test loss of reconstructions",
        measures=("loss",),
        rows=tuple(
            Row(name="single-class", setting=unsupervised(dataset, algorithm))
            for dataset in IMAGES
            for algorithm in ALL
        ),
    ),
    Sheet(
        name="table 5",
        title="How fast clusters are found, images",
        measures=("ari_10", "first_round"),
        rows=_mixed(IMAGES, ("label-skew-1", "concept-shift"), CLUSTERED),
    ),
    Sheet(
        name="table 8",
        title="Test accuracy, more label skews",
        measures=("accuracy",),
        rows=_mixed(IMAGES, MORE, ALL),
    ),
    Sheet(
        name="table 9",
        title="ARI, more label skews",
        measures=("ari",),
        rows=_mixed(IMAGES, MORE, CLUSTERED),
    ),
    Sheet(
        name="table 10",
        title="How fast clusters are found, other mixings",
        measures=("ari_10", "first_round"),
        rows=_mixed(
            IMAGES, ("label-skew-2", "label-skew-3", "label-skew-4", "feature-skew"), CLUSTERED
        ),
    ),
    Sheet(name="table 11", title="ARI, text", measures=("ari",), rows=_texts(CLUSTERED)),
    Sheet(
        name="table 12",
        title="How fast clusters are found, text",
        measures=("ari_10", "first_round"),
        rows=_texts(CLUSTERED),
    ),
    Sheet(
        name="table 13",
        title="Early stopping after 3 rounds without change",
        measures=("accuracy", "stable_round"),
        rows=tuple(
            Row(
                name=kind,
                setting=supervised("cifar10", kind, "clove", label="stopping", **STOPPING),
            )
            for kind in ("label-skew-1", "label-skew-2", "feature-skew", "concept-shift")
        ),
    ),
    Sheet(
        name="table 14",
        title="Partial participation",
        measures=("accuracy", "ari", "ari_10", "first_round"),
        rows=tuple(_participation()),
    ),
    Sheet(
        name="table 15",
        title="Many clients with classes: ten clusters of the classes k and k+1",
        measures=("ari", "accuracy"),
        rows=tuple(_many_supervised()),
    ),
    Sheet(
        name="table 16",
        title="Many clients without classes",
        measures=("loss", "ari"),
        rows=tuple(_many_unsupervised()),
    ),
    Sheet(
        name="table 17",
        title="Ablations",
        measures=("accuracy",),
        rows=tuple(_ablations()),
    ),
    Sheet(
        name="unknown-k",
        title="Unknown number of clusters, at most 10; five are planted",
        measures=("models", "ari", "accuracy"),
        rows=tuple(_unknown()),
    ),
    Sheet(
        name="evaluated-first",
        title="The clusters of round 1 evaluated, not drawn",
        measures=("ari", "first_round"),
        rows=tuple(_evaluated()),
    ),
    Sheet(
        name="femnist",
        title="Writers whose groups nobody knows, at most 10 models (D.1.4)",
        measures=("accuracy", "models"),
        rows=(Row(name="writers", setting=FEMNIST),),
    ),
)
