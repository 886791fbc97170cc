"""Settings as a person writes them, checked at the edge and turned into an engine `Config`."""

from collections.abc import Mapping
from itertools import groupby
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from torch.nn import Module

from secure_clove.algorithms.base import Algorithm, Use
from secure_clove.algorithms.registry import build
from secure_clove.clustering.embedding import Embedding
from secure_clove.engine.pipeline import pack
from secure_clove.engine.plan import Config, allowances
from secure_clove.engine.terms import NoiseMode, Optimizer, PrivacyPlan, TrainingPlan
from secure_clove.errors import ConfigError
from secure_clove.foundation.ids import FederationId, digest
from secure_clove.learn.models import MakeModel, architecture, initial, parameter_count
from secure_clove.learn.normalisation import private_model
from secure_clove.privacy.calibration import multiplier_for, remaining_multiplier
from secure_clove.privacy.events import Release, Unit

Option = bool | int | float | str
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1, lt=2**31)]


class Strict(BaseModel):
    """Immutable; an unknown field is an error, so a typing mistake cannot pass unnoticed."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TrainingSettings(Strict):
    """How clients train in a round; see `TrainingPlan`."""

    learning_rate: Positive = 4.0
    optimizer: Optimizer = "sgd"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    steps: Count = 1
    rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    epochs: Count | None = None
    batch_size: Count | None = None


class PrivacySettings(Strict):
    """Budgets of one example over the whole federation; noise is calibrated to them.

    Attributes:
        delta: At which every ε is stated.
        unit: What is hidden: one ``example`` of a client, or the ``client`` as a whole; then there
            is one model (``fedavg``), the noise is ``distributed`` and `epsilon_total` is all.
        epsilon_total: Of clustering and training together.
        epsilon_embedding: The clustering's share of it.
        epsilon_metrics: Of the held-out counts, which other examples pay for.
        embedding_kind: What a loss embedding is: ``directional``, ``relative`` or ``clipped``.
        embedding_clip: Public constant at which the last two cut, in units of the loss.
        clip: L2 norm at which the gradient of an example is clipped, or a client's whole update in
            the first round.
        noise: Of updates. ``local``: every client adds all of it; ``distributed``: the shares of
            the clients of a sum make it up, against less than a third of them colluding.
    """

    delta: Annotated[float, Field(gt=0, lt=1)] = 1e-5
    unit: Unit = "example"
    epsilon_total: Positive = 3.95
    epsilon_embedding: Positive = 0.98
    epsilon_metrics: Positive = 3.5
    embedding_kind: Embedding = Embedding.DIRECTIONAL
    embedding_clip: Positive | None = None
    clip: Positive = 1.0
    noise: NoiseMode = "local"


class Settings(Strict):
    """A federation to be founded.

    Attributes:
        name: Its name.
        algorithm: ``clove``, ``ifca``, ``fedavg`` or ``local``.
        visibility: Of CLoVE's loss vectors. ``noised``: the coordinator sees each of them, with its
            noise; ``sealed``: it sees sums alone and recovers the clusters from those.
        membership: Of a sealed clustering. ``visible``: the coordinator learns who is in which
            cluster; ``hidden``: only how many are, at K times the bytes of an update.
        options: Settings of that algorithm, such as ``clustering_rounds`` of CLoVE.
        clusters: Number K of models.
        rounds: Until it closes.
        participation: Share of the present clients drawn for each round.
        seed: Of every public random choice; noise and keys never come from it.
        min_cohort: Fewest clients a sum may hold.
        stage_seconds: How long a protocol stage waits for clients.
        max_examples: Most examples of one client.
        update_bound: Range of one coordinate of an update.
        initial_models: ``different``: each model is drawn on its own; ``same``: the K models start
            as one. CLoVE's first clustering then has nothing to go by but probes; its option
            ``first_assignment`` ``random`` saves that embedding.
        shared_layers: How many of the model's first layers the models of CLoVE have in common, so
            that they are sent once instead of K times; 0 shares none.
        training: How clients train.
        privacy: Budgets; None runs without differential privacy.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] = "demo"
    algorithm: Literal["clove", "ifca", "fedavg", "local"] = "clove"
    visibility: Literal["noised", "sealed"] = "noised"
    membership: Literal["visible", "hidden"] = "visible"
    options: dict[str, Option] = Field(default_factory=dict)
    clusters: Count = 5
    rounds: Count = 12
    participation: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    min_cohort: Annotated[int, Field(ge=3)] = 4
    stage_seconds: Positive = 20.0
    max_examples: Count = 128
    update_bound: Positive = 8.0
    initial_models: Literal["different", "same"] = "different"
    shared_layers: Annotated[int, Field(ge=0)] = 0
    training: TrainingSettings = TrainingSettings()
    privacy: PrivacySettings | None = PrivacySettings()


UPDATE_STEP = 2.0**-16
"""Grid of example-weighted updates: far below the noise, and 32-bit sums still hold 25 clients."""


def plan(settings: Settings, model: MakeModel) -> tuple[Config, bytes]:
    """Return the configuration to sign and the initial models it names.

    Args:
        settings: What was asked for.
        model: Makes one model; its architecture becomes part of the configuration. Where
            examples are private its BatchNorm becomes GroupNorm, as it does at every client.

    Raises:
        ConfigError: the budgets cannot be met, or the algorithm refuses its settings.
    """
    if settings.privacy is not None and settings.privacy.unit == "example":
        model = private_model(model)
    made = model()
    name, options = _algorithm(settings), _options(settings, made)
    algorithm = build(
        name,
        parameters=parameter_count(made),
        clusters=settings.clusters,
        seed=settings.seed,
        smallest=settings.min_cohort,
        options=options,
    )
    count = algorithm.initial_models
    alike = min(settings.clusters, count) if settings.initial_models == "same" else 1
    models = initial(model, count, seed=settings.seed, alike=alike)
    packed = pack({"models": models})
    config = Config(
        federation=FederationId(settings.name),
        algorithm=name,
        options=options,
        architecture=architecture(made),
        parameters=models.shape[1],
        clusters=settings.clusters,
        rounds=settings.rounds,
        participation=settings.participation,
        seed=settings.seed,
        initial=digest(packed),
        min_cohort=settings.min_cohort,
        stage_ms=round(settings.stage_seconds * 1000),
        max_examples=settings.max_examples,
        update_bound=settings.update_bound,
        update_step=UPDATE_STEP,
        training=TrainingPlan(**settings.training.model_dump()),
        privacy=_noise(settings, algorithm),
    )
    return config, packed


def _algorithm(settings: Settings) -> str:
    """Return the registry's name of what was asked for."""
    if settings.privacy is not None and settings.privacy.unit == "client":
        if settings.algorithm != "fedavg":
            raise ConfigError(
                f"{settings.algorithm} cannot hide whole clients: a cluster that is known, or a "
                "loss vector that is seen, tells of its client. Set algorithm to fedavg, or "
                "privacy's unit to example; clusters of hidden clients take a sealed sketch over "
                "about 500 of them (secure-clove study sealed)"
            )
        return "dp-fedavg"
    if settings.visibility == "noised":
        if settings.membership == "hidden":
            raise ConfigError("membership can be hidden where visibility is sealed; set both")
        return settings.algorithm
    if settings.algorithm != "clove":
        raise ConfigError(
            f"visibility is about the loss vectors of clove; {settings.algorithm} shows none"
        )
    return "sealed-clove"


def _options(settings: Settings, model: Module) -> Mapping[str, Option]:
    """Return the algorithm's options, with the membership and the shared layers in numbers.

    A layer is a module with parameters of its own, in the order in which the model names them.
    """
    asked, named = settings.shared_layers, model.named_parameters()
    hidden = {"membership": "hidden"} if settings.membership == "hidden" else {}
    if settings.privacy is not None and settings.privacy.unit == "client":
        noise = _client_noise(settings.privacy, settings.rounds)
        return {"norm": settings.privacy.clip, **settings.options, "client_noise": noise}
    if not asked:
        return {**settings.options, **hidden}
    if "shared_parameters" in settings.options:
        raise ConfigError("shared_layers and the option shared_parameters say the same; set one")
    by_layer = groupby(named, key=lambda parameter: parameter[0].rpartition(".")[0])
    layers = [sum(tensor.numel() for _, tensor in tensors) for _, tensors in by_layer]
    if asked >= len(layers):
        raise ConfigError(
            f"shared_layers is {asked} and the model has {len(layers)} layers with parameters, of "
            "which one must be its cluster's own; share fewer"
        )
    return {**settings.options, **hidden, "shared_parameters": sum(layers[:asked])}


def _noise(settings: Settings, algorithm: Algorithm[Any, Any]) -> PrivacyPlan | None:
    """Calibrate every noise multiplier to its budget over the whole federation."""
    asked = settings.privacy
    if asked is None:
        return None
    if asked.unit == "client":
        return _client_plan(asked, settings.rounds)
    held = _embeddings(algorithm, settings.rounds)
    embedding = multiplier_for(asked.epsilon_embedding, asked.delta, max(held, 1))
    spent = [Release(name="embedding", multiplier=embedding, steps=held)] if held else []
    steps = settings.rounds * settings.training.steps
    return PrivacyPlan(
        delta=asked.delta,
        noise=asked.noise,
        embedding=embedding,
        embedding_kind=asked.embedding_kind,
        embedding_clip=asked.embedding_clip,
        update=remaining_multiplier(
            asked.epsilon_total, asked.delta, spent, steps, rate=settings.training.rate
        ),
        clip=asked.clip,
        metrics=multiplier_for(asked.epsilon_metrics, asked.delta, settings.rounds),
    )


def _client_noise(asked: PrivacySettings, rounds: int) -> float:
    return multiplier_for(asked.epsilon_total, asked.delta, rounds)


def _client_plan(asked: PrivacySettings, rounds: int) -> PrivacyPlan:
    noise = _client_noise(asked, rounds)
    return PrivacyPlan(
        delta=asked.delta,
        unit="client",
        noise=asked.noise,
        embedding=noise,
        update=noise,
        clip=asked.clip,
        metrics=noise,
    )


def _embeddings(algorithm: Algorithm[Any, Any], rounds: int) -> int:
    """Count the embeddings that one client releases at most."""
    asked = allowances(algorithm, rounds)
    return sum(times for exchange, times in asked if Use.EMBEDDING in exchange.uses)
