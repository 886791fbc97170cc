"""What a cell of the tables is: its data, model, training and algorithm, as the paper sets them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial

from secure_clove.algorithms.registry import build
from secure_clove.data.dataset import Dataset
from secure_clove.data.federation import ClientData, Federation
from secure_clove.data.paper import PAPER_SIZES, PaperSize
from secure_clove.data.partition import partition
from secure_clove.errors import ConfigError
from secure_clove.foundation.seeds import Entropy
from secure_clove.learn.architectures import build_model
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.models import MakeModel, initial, parameter_count
from secure_clove.learn.presets import PRESETS, training_preset
from secure_clove.learn.sgd import TrainingSpec
from secure_clove.learn.tasks import TorchTask
from secure_clove.studies.paper.direct import Player, Saved, Table
from secure_clove.studies.paper.published import DATASETS

KINDS = ("label-skew-1", "label-skew-2", "concept-shift", "feature-skew")
"""The data mixings of Tables 1 and 2."""

ALGORITHMS: Mapping[int, tuple[str, ...]] = {
    1: ("fedavg", "local", "ifca", "clove"),
    2: ("ifca", "clove"),
}
"""Rows of a table; an index of clusters needs clusters."""

MODELS = {"mnist": "paper-cnn", "cifar10": "deep-cnn", "fashion-mnist": "paper-cnn"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One run behind a cell of a table.

    Attributes:
        dataset: One of the columns.
        kind: One of `KINDS`.
        algorithm: A name of the registry.
        seed: Of partition, initial models and the algorithm's own choices; never of batches.
        rounds: How many are played; the paper plays 100.
        preset: How clients train: ``authors`` or ``paper``.
    """

    dataset: str
    kind: str
    algorithm: str
    seed: int
    rounds: int
    preset: str

    def __post_init__(self) -> None:
        """Refuse a cell that no table has."""
        for value, known in (
            (self.dataset, DATASETS),
            (self.kind, KINDS),
            (self.algorithm, ALGORITHMS[1]),
            (self.preset, PRESETS),
        ):
            if value not in known:
                raise ConfigError(f"'{value}' is none of {', '.join(known)}")
        if self.rounds < 1 or self.seed < 0:
            raise ConfigError("rounds count from 1 and seeds from 0")

    @property
    def name(self) -> str:
        """Every setting, as the stem of its files."""
        place = f"{self.dataset}-{self.kind}-{self.algorithm}"
        return f"{place}-{self.preset}-rounds-{self.rounds}-seed-{self.seed}"

    @property
    def size(self) -> PaperSize:
        """Clients, clusters and examples. Source: clove.txt, Table 6."""
        return next(s for s in PAPER_SIZES if s.dataset == self.dataset and s.kind == self.kind)


def divide(cell: Cell, dataset: Dataset, size: PaperSize) -> Federation:
    """Return the clients of a cell.

    Raises:
        ConfigError: the data at hand are too few, with the numbers.
    """
    return partition(
        dataset,
        kind=cell.kind,
        clusters=size.clusters,
        clients_per_cluster=size.clients // size.clusters,
        examples=size.examples,
        seed=cell.seed,
    )


def table(
    cell: Cell,
    federation: Federation,
    *,
    clusters: int,
    entropy: Entropy,
    saved: Saved | None = None,
) -> Table:
    """Return a cell's table, before round 1 or where ``saved`` left off.

    Args:
        cell: What to run.
        federation: Its clients.
        clusters: Count K of models.
        entropy: Source of batches.
        saved: Of an interrupted run of the same cell.
    """
    make = partial(build_model, MODELS[cell.dataset])
    algorithm = build(
        cell.algorithm,
        parameters=parameter_count(make()),
        clusters=clusters,
        seed=cell.seed,
        smallest=1,
        options=options(cell),
    )
    spec = TrainingSpec(**asdict(training_preset(cell.preset, MODELS[cell.dataset])))
    return Table(
        algorithm,
        {client: player(data, make, spec) for client, data in federation.clients.items()},
        initial=initial(make, algorithm.initial_models, seed=cell.seed),
        entropy=entropy.fork(cell.name),
        federation=f"{cell.dataset}-{cell.kind}",
        saved=saved,
    )


def options(cell: Cell) -> Mapping[str, bool | int | str]:
    """Return CLoVE's options in these tables: raw losses, clustered in all rounds but the first.

    The first assignment is random, as in the authors' supervised runs, and no declared stability
    ends the clustering ("no early stopping").

    Source: clove.txt, section 5.1, "Result reporting"; Algorithm 1; the authors' public code.
    """
    if cell.algorithm != "clove":
        return {}
    return {
        "probes": 0,
        "centred": False,
        "first_assignment": "random",
        "clustering_rounds": cell.rounds,
        "stable_rounds": cell.rounds + 1,
    }


def player(data: ClientData, make: MakeModel, spec: TrainingSpec) -> Player:
    """Return a client at the table, with its training examples counted apart."""
    train, test = (data.train_x, data.train_y), (data.test_x, data.test_y)
    return Player(
        trainer=TorchLearner(TorchTask(model=make, train=train, test=test), spec),
        mirror=TorchLearner(TorchTask(model=make, train=train, test=train), spec),
    )
