"""The paper's experiments as settings: who has which data, which model, which options.

Source: clove.txt, section 5 and appendices C and D; counts of clients and examples from Table 6.
"""

from collections.abc import Mapping

from secure_clove.data.paper import PAPER_SIZES
from secure_clove.studies.play.cell import REGRESSION, Option, Setting

IMAGES = ("mnist", "cifar10", "fashion-mnist")
ALL = ("fedavg", "local", "ifca", "clove")
CLUSTERED = ("ifca", "clove")

NEVER = 1_000_000
"""Rounds that nobody plays: what ends after so many never ends."""

PLAIN: Mapping[str, Option] = {
    "probes": 0,
    "centred": False,
    "clustering_rounds": NEVER,
    "stable_rounds": NEVER,
}
"""The paper's CLoVE: raw losses, no probes, "no early stopping" (section 5.1)."""

RANDOM: Mapping[str, Option] = {"first_assignment": "random"}
"""A random first assignment, as in the authors' supervised runs."""

STOPPING: Mapping[str, Option] = {"stable_rounds": 3}
"""Early stopping: "3 rounds of no change" (D.1.5)."""

MODELS = {
    "mnist": "paper-cnn",
    "fashion-mnist": "paper-cnn",
    "cifar10": "deep-cnn",
    "femnist": "femnist-cnn",
    "amazon-reviews": "amazon-mlp",
    "ag-news": "text-cnn",
}
AUTOENCODERS = {
    "mnist": "autoencoder",
    "fashion-mnist": "autoencoder",
    "cifar10": "conv-autoencoder",
}


def supervised(
    dataset: str, kind: str, algorithm: str, *, label: str = "", **changes: Option
) -> Setting:
    """Return an experiment of Table 6 with classes.

    One example is held out for four training examples, twice the default, since the figures to
    stand beside are read to a tenth of a percent.
    """
    size = next(s for s in PAPER_SIZES if (s.dataset, s.kind) == (dataset, kind))
    return Setting(
        dataset=dataset,
        kind=kind,
        algorithm=algorithm,
        model=MODELS[dataset],
        clients=size.clients,
        clusters=size.clusters,
        examples=size.examples,
        test_examples=size.examples // 4,
        options=_options(algorithm, RANDOM, changes),
        label=label,
    )


def unsupervised(
    dataset: str,
    algorithm: str,
    *,
    clients: int = 50,
    examples: int = 1000,
    label: str = "",
    **changes: Option,
) -> Setting:
    """Return a reconstruction of images, one class a cluster, clustered from the first round on."""
    return Setting(
        dataset=dataset,
        kind="single-class",
        algorithm=algorithm,
        model=AUTOENCODERS[dataset],
        target="input",
        clients=clients,
        clusters=10,
        examples=examples,
        options=_options(algorithm, {}, changes),
        label=label,
    )


def _options(
    algorithm: str, first: Mapping[str, Option], changes: Mapping[str, Option]
) -> Mapping[str, Option]:
    return {**PLAIN, **first, **changes} if algorithm == "clove" else dict(changes)


def crowded(dataset: str, algorithm: str, clients: int, *, label: str) -> Setting:
    """Return ten clusters of two classes; 1000 clients get 50 examples, for there are no more."""
    return Setting(
        dataset=dataset,
        kind="ring-pairs",
        algorithm=algorithm,
        model=MODELS[dataset],
        clients=clients,
        clusters=10,
        examples=100 if clients < 1000 else 50,
        options=_options(algorithm, RANDOM, {}),
        label=label,
    )


def regression(separation: str) -> Setting:
    """Return the mixed linear regression of D.1.1 whose optima are at least ``separation`` apart.

    Square roots of losses are clustered, as in the theory (section 4).
    """
    return Setting(
        dataset=REGRESSION,
        kind=separation,
        algorithm="clove",
        model="linear-regression",
        target="numbers",
        clients=25,
        clusters=5,
        examples=1000,
        options={**PLAIN, "square_root": True},
    )


FEMNIST = Setting(
    dataset="femnist",
    kind="writers",
    algorithm="clove",
    model=MODELS["femnist"],
    clients=100,
    clusters=1,
    examples=None,
    models=10,
    options={**PLAIN, "selection": "silhouette", "method": "agglomerative"},
    label="unknown-k",
)
"""A hundred writers, whose groups nobody knows. Source: D.1.4."""
