"""What a study plays: data, clients, model and algorithm, then a seed and a number of rounds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import Any, Literal

from secure_clove.algorithms.base import Algorithm
from secure_clove.algorithms.registry import build
from secure_clove.clustering.embedding import Embedding
from secure_clove.data.sources import DIGITS
from secure_clove.data.synthetic import DIMENSION
from secure_clove.engine.plan import SMALLEST_SUM
from secure_clove.engine.terms import NoiseMode, PrivacyPlan, TrainingPlan
from secure_clove.errors import ConfigError
from secure_clove.learn.architectures import build_model
from secure_clove.learn.models import MakeModel
from secure_clove.learn.normalisation import private_model
from secure_clove.learn.presets import PRESETS, training_preset

Target = Literal["classes", "input", "numbers"]
"""What a model predicts: classes, its own input (an autoencoder), or numbers (a regression)."""

Option = bool | int | float | str

GRADIENT_STEP = 1.0
"""Learning rate of one step of gradient averaging."""

REGRESSION = "regression"
"""Name of the data set that is drawn, not read."""

SIZES: Mapping[str, tuple[int, ...]] = {REGRESSION: (DIMENSION,), DIGITS: (64, 10)}
"""Numbers of features, and of classes, where a model has to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateNoise:
    """Private gradients: one step a round, clipped example by example and noised.

    Attributes:
        multiplier: Noise standard deviation over the sensitivity, above 0.
        clip: L2 norm at which the gradient of an example is clipped, above 0.
        mode: Whether every client adds all of the noise or the clients of a sum share it.
        rate: Share of its examples that a client draws for a step, Poisson sampled, in (0, 1].
    """

    multiplier: float
    clip: float
    mode: NoiseMode
    rate: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A federation, all but its seed.

    Attributes:
        dataset: A name of the catalogue, or `REGRESSION`.
        kind: A kind of partition; for `REGRESSION`, the least distance of two optima.
        algorithm: A name of the registry.
        model: A name of the architectures.
        clients: Count of clients.
        clusters: Count of planted clusters, of equal numbers of clients.
        minority: Clients of the last cluster, if it is smaller than the others.
        examples: Training examples of each client; None: what the partition finds.
        test_examples: Held-out examples of each; None: what the partition holds out.
        target: What the model predicts.
        models: Count K of models, or the largest to consider; None: `clusters`.
        options: Of the algorithm, beside its defaults.
        participation: Share of the clients drawn for a round, in (0, 1].
        starts: Whether the initial models are ``different`` or the ``same``.
        training: As the ``preset`` says, or one ``gradient`` step, so that averaging models is
            averaging gradients (Option II).
        learning_rate: Of that step.
        noise: Noise multiplier of loss embeddings; 0: raw losses.
        embedding: What is noised: a `directional`, `relative` or `clipped` embedding.
        embedding_clip: Constant at which the last two cut, in units of the loss.
        updates: How the gradients are noised, beside the embeddings; None adds no noise to them.
        label: Tells settings of one data set, kind and algorithm apart.
    """

    dataset: str
    kind: str
    algorithm: str
    model: str
    clients: int
    clusters: int
    examples: int | None
    test_examples: int | None = None
    minority: int | None = None
    target: Target = "classes"
    models: int | None = None
    options: Mapping[str, Option] = field(default_factory=dict, hash=False)
    participation: float = 1.0
    starts: Literal["different", "same"] = "different"
    training: Literal["preset", "gradient"] = "preset"
    learning_rate: float = GRADIENT_STEP
    noise: float = 0.0
    embedding: Embedding = Embedding.DIRECTIONAL
    embedding_clip: float | None = None
    updates: UpdateNoise | None = None
    label: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be played.

        Raises:
            ConfigError: which.
        """
        self._check_clusters()
        if not 0 < self.participation <= 1:
            raise ConfigError(f"participation={self.participation} is not in (0, 1]")
        if not 0 <= self.noise < inf:
            raise ConfigError(f"noise={self.noise} is not a finite number from 0")
        asked = (self.embedding, self.embedding_clip)
        if noise_plan(self) is None and asked != (Embedding.DIRECTIONAL, None):
            raise ConfigError(
                "without noise losses are raw; set noise, or no embedding and no clip"
            )
        if self.updates is not None and (self.training != "gradient" or not self.noise):
            raise ConfigError(
                "gradients are noised one step a round and beside noised embeddings; "
                "set training to gradient, and noise"
            )

    def _check_clusters(self) -> None:
        small = 0 if self.minority is None else 1
        equal, rest = self.clusters - small, self.clients - (self.minority or 0)
        if equal < 1 or rest < 1 or rest % equal:
            raise ConfigError(
                f"{self.clients} clients do not make {self.clusters} clusters of equal size"
                + (f" but for one of {self.minority}" if small else "")
            )
        if small and not 1 <= (self.minority or 0) <= self.clients_per_cluster:
            raise ConfigError(
                f"a minority of {self.minority} is none; the other clusters have "
                f"{self.clients_per_cluster} clients"
            )

    @property
    def clients_per_cluster(self) -> int:
        """Clients of every cluster but a minority."""
        if self.minority is None:
            return self.clients // self.clusters
        return (self.clients - self.minority) // (self.clusters - 1)

    @property
    def name(self) -> str:
        """Data, kind, algorithm and label, as the stem of file names."""
        return "-".join(filter(None, (self.dataset, self.kind, self.algorithm, self.label)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One run.

    Attributes:
        setting: What is played.
        seed: Of partition, initial models, the algorithm's choices, batches and participants.
        rounds: How many are played; the paper plays 100.
        preset: How clients train: ``authors`` or ``paper``.
    """

    setting: Setting
    seed: int
    rounds: int
    preset: str

    def __post_init__(self) -> None:
        """Refuse a run that cannot be.

        Raises:
            ConfigError: which value.
        """
        if self.preset not in PRESETS:
            raise ConfigError(f"no preset '{self.preset}'; choose one of {', '.join(PRESETS)}")
        if self.rounds < 1 or self.seed < 0:
            raise ConfigError("rounds count from 1 and seeds from 0")

    @property
    def name(self) -> str:
        """The setting's name with the run's, as the stem of its files."""
        return f"{self.setting.name}-{self.preset}-rounds-{self.rounds}-seed-{self.seed}"


def noise_plan(setting: Setting) -> PrivacyPlan | None:
    """Return the plan of a study's noise, which comes from the seed: no privacy is claimed.

    Returns:
        None for raw losses. Updates are noised by their training, hence only with `updates`.

    Raises:
        ConfigError: there is no such embedding, or no such clip.
    """
    if not setting.noise:
        return None
    updates = setting.updates or UpdateNoise(multiplier=1.0, clip=1.0, mode="local")
    return PrivacyPlan(
        delta=1e-5,
        noise=updates.mode,
        embedding=setting.noise,
        embedding_kind=setting.embedding,
        embedding_clip=setting.embedding_clip,
        update=updates.multiplier,
        clip=updates.clip,
        metrics=1.0,
    )


def make_model(setting: Setting) -> MakeModel:
    """Return what makes the models of a setting."""
    make = partial(build_model, setting.model, *SIZES.get(setting.dataset, ()))
    return private_model(make) if setting.updates else make


def training_plan(cell: Cell) -> TrainingPlan:
    """Return how the clients of a cell train."""
    if cell.setting.training == "gradient":
        noise = cell.setting.updates
        rate = noise.rate if noise else 1.0
        return TrainingPlan(learning_rate=cell.setting.learning_rate, rate=rate)
    return training_preset(cell.preset, cell.setting.model)


def make_algorithm(cell: Cell, parameters: int) -> Algorithm[Any, Any]:
    """Return the algorithm of a cell for models of ``parameters`` numbers."""
    setting = cell.setting
    return build(
        setting.algorithm,
        parameters=parameters,
        clusters=setting.models or setting.clusters,
        seed=cell.seed,
        smallest=SMALLEST_SUM if setting.updates else 1,
        options=setting.options,
    )
