"""The immutable configuration of a federation, and what follows from it alone.

The federation key signs it; every client holds it against its own policy before it takes part.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from secure_clove.algorithms import registry
from secure_clove.algorithms.base import Algorithm, Content, Exchange, Part, Reveal, Use
from secure_clove.algorithms.client_level import multiplier_of
from secure_clove.clustering.embedding import Embedding
from secure_clove.engine.terms import PrivacyPlan, TrainingPlan
from secure_clove.errors import ConfigError
from secure_clove.foundation.codec import encode
from secure_clove.foundation.ids import Digest, FederationId, digest
from secure_clove.privacy.clipping import gradient_grid
from secure_clove.privacy.events import Release
from secure_clove.secagg.quantise import Grid, Quantiser, ring_bits_for

EMBEDDING_STEP = 2.0**-20
"""Grid of released loss embeddings, in units of their clip: public, far below any noise."""

RAW_LOSS_BOUND = 1024.0
"""Nats at which a loss is cut when a federation runs without privacy."""

RAW_LOSS_STEP = 2.0**-40
"""Grid of losses without privacy. Groups whose optima are 3e-4 apart differ by losses of 1e-7."""

MOMENT_STEP = 2.0**-20
"""Grid of summed embeddings and of their products."""

FEATURE_STEP = 2.0**-16
"""Grid of numbers in [-1, 1] that are computed from a noised embedding."""

TAIL = 12.0
"""Standard deviations of noise that a range leaves room for; beyond lies 1e-32."""

MOST_CLIENTS = 2**16
"""Cohort for which every sum must fit the larger ring."""

SMALLEST_SUM = 3
"""Fewest clients in a masked session: below, the threshold floor(2n/3)+1 needs everybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that the clients of a federation agree to.

    Attributes:
        federation: Its name.
        algorithm: A name of `secure_clove.algorithms.registry`.
        options: Settings of that algorithm.
        architecture: Identifier of the model architecture (names and shapes of its parameters).
        parameters: Length d of a flat model.
        clusters: Number K of models.
        rounds: Rounds until the federation closes.
        participation: Share of the present clients that the coordinator draws for a round. No
            privacy amplification is claimed for it: the coordinator knows whom it drew.
        seed: Of every public random choice.
        initial: Hash of the initial models.
        min_cohort: Fewest clients a sum may hold.
        stage_ms: Milliseconds a protocol stage stays open at most.
        max_examples: Most examples of one client.
        update_bound: Range of one coordinate of a client's update; larger ones are cut.
        update_step: Grid of the example-weighted updates.
        training: How clients train.
        privacy: Noise of every release; None runs without differential privacy.
    """

    federation: FederationId
    algorithm: str
    options: Mapping[str, bool | int | float | str] = field(default_factory=dict)
    architecture: str
    parameters: int
    clusters: int
    rounds: int
    participation: float = 1.0
    seed: int
    initial: Digest
    min_cohort: int
    stage_ms: int
    max_examples: int
    update_bound: float
    update_step: float
    training: TrainingPlan
    privacy: PrivacyPlan | None

    def __post_init__(self) -> None:
        """Refuse a configuration that can never run."""
        if self.rounds < 1 or self.parameters < 1 or self.max_examples < 1 or self.stage_ms < 1:
            raise ConfigError("rounds, parameters, max_examples and stage_ms count from 1")
        if self.min_cohort < SMALLEST_SUM:
            raise ConfigError(
                f"min_cohort is {self.min_cohort}: a sum needs at least {SMALLEST_SUM} clients"
            )
        if not (0 < self.update_step <= self.update_bound):
            raise ConfigError("0 < update_step <= update_bound expected")
        if self.clusters < 1 or not 0 < self.participation <= 1:
            raise ConfigError("clusters count from 1, and 0 < participation <= 1")
        if self.privacy is not None and self.training.epochs and not self.hides_clients:
            raise ConfigError(
                "private training needs Poisson batches, because shuffled ones have no accountant "
                "here; set steps and rate instead of epochs and batch_size"
            )
        if self.hides_clients:
            self._check_clients()
        elif self.shares_noise:
            self._check_gradients()
        for exchange in self.build().exchanges:
            check_embedding(exchange, self.privacy)
            if any(part.client_sigma for part in exchange.parts) and not self.hides_clients:
                raise ConfigError(
                    "client_noise hides whole clients only where all of their replies have it, and "
                    "is accounted for where the unit of privacy is client; set the unit, or leave "
                    "client_noise at 0"
                )
            ring_bits(self, exchange, MOST_CLIENTS if exchange.reveal is Reveal.SUM else 1)

    @property
    def shares_noise(self) -> bool:
        """Whether the noise of updates is only in their sums."""
        return self.privacy is not None and self.privacy.noise == "distributed"

    @property
    def hides_clients(self) -> bool:
        """Whether the unit of privacy is the whole client."""
        return self.privacy is not None and self.privacy.unit == "client"

    def _check_clients(self) -> None:
        for exchange in self.build().exchanges:
            noise = multiplier_of(exchange.parts)
            if exchange.reveal is not Reveal.SUM or not noise:
                raise ConfigError(
                    f"'{exchange.name}' of {self.algorithm} tells of whole clients: a vector that "
                    "is seen, a cluster that is known or a sum without client_noise. Set privacy's "
                    "unit to example, or train one model by fedavg; clusters of hidden clients "
                    "take a sealed sketch over about 500 of them (secure-clove study sealed)"
                )
            if self.privacy is None or not math.isclose(noise, self.privacy.update, rel_tol=1e-9):
                raise ConfigError(
                    f"the noise of '{exchange.name}' is {noise:g} of what a client moves its sum "
                    "by, and the privacy plan names another; give both the same"
                )

    def _check_gradients(self) -> None:
        plan = self.training
        if (plan.optimizer, plan.momentum, plan.steps) != ("sgd", 0.0, 1):
            raise ConfigError(
                "distributed noise is that of a sum of gradients; set optimizer to sgd, momentum "
                "to 0 and steps to 1 (server_momentum of the algorithm is free), or noise to local"
            )
        for exchange in self.build().exchanges:
            check_shared_noise(exchange)

    @property
    def hash(self) -> Digest:
        """Content hash, which every session names."""
        return digest(encode(self))

    def build(self) -> Algorithm[Any, Any]:
        """Return the algorithm this configuration names."""
        return registry.build(
            self.algorithm,
            parameters=self.parameters,
            clusters=self.clusters,
            seed=self.seed,
            smallest=self.min_cohort,
            options=self.options,
        )

    def exchange(self, name: str) -> Exchange[Any, Any]:
        """Return the exchange called ``name``.

        Raises:
            ConfigError: the algorithm has no such exchange.
        """
        for exchange in self.build().exchanges:
            if exchange.name == name:
                return exchange
        raise ConfigError(f"algorithm '{self.algorithm}' has no exchange called '{name}'")


def check_roster(config: Config, clients: int) -> None:
    """Hold the number of clients against the configuration, before anything is founded on it.

    Fewer clients may take part in a round; only more models than clients can never be used.

    Raises:
        ConfigError: too few clients for a sum, or for the models that are clustered.
    """
    if clients < config.min_cohort:
        raise ConfigError(
            f"the roster has {clients} clients; sums over at least {config.min_cohort} are promised"
        )
    if config.clusters > clients and config.build().initial_models > 1:
        raise ConfigError(
            f"{config.clusters} clusters are asked for among {clients} clients; "
            f"set clusters to {clients} or less, or enrol more clients"
        )


def embedding_kind(plan: PrivacyPlan | None) -> Embedding:
    """Return which embedding clients send; without a plan it is raw."""
    return plan.embedding_kind if plan else Embedding.RAW


def check_shared_noise(exchange: Exchange[Any, Any]) -> None:
    """Refuse to share the noise of updates that are not summed client by client.

    Raises:
        ConfigError: nobody knows how many clients' noise would be in the sum.
    """
    updates = [part for part in exchange.parts if part.content is Content.UPDATE]
    slots = any(len(part.shape) > 1 for part in updates)
    if Use.UPDATE in exchange.uses and (exchange.reveal is not Reveal.SUM or slots):
        raise ConfigError(
            f"'{exchange.name}' does not sum the gradients of known clients, so their shares do "
            "not make up the noise; set noise to local"
        )


def check_embedding(exchange: Exchange[Any, Any], plan: PrivacyPlan | None) -> None:
    """Hold what an exchange takes embeddings for against what they are.

    Raises:
        ConfigError: they are read as losses and hold differences.
    """
    kind = embedding_kind(plan)
    if exchange.reads_losses and not kind.holds_losses:
        raise ConfigError(
            f"a {kind.value} embedding holds differences of either sign, which have no roots; "
            "set square_root to false, or embedding_kind to clipped"
        )


def releases(config: Config, exchange: Exchange[Any, Any]) -> tuple[Release, ...]:
    """Return what one answer to ``exchange`` releases about one client's examples, or about it.

    Without a privacy plan the multiplier is 0: an unbounded release.
    """
    if config.hides_clients:
        noise = multiplier_of(exchange.parts)
        return (Release(name="update", multiplier=noise, is_shared=True, unit="client"),)
    plan, training = config.privacy, config.training
    found = []
    for use in sorted(exchange.uses, key=lambda use: use.value):
        if use is Use.EMBEDDING:
            found.append(Release(name="embedding", multiplier=plan.embedding if plan else 0.0))
        elif use is Use.HELD_OUT:
            found.append(Release(name="metrics", multiplier=plan.metrics if plan else 0.0))
        elif use is Use.UPDATE:
            noise = plan.update if plan else 0.0
            found.append(
                Release(
                    name="update",
                    multiplier=noise,
                    rate=training.rate,
                    steps=training.steps,
                    is_shared=config.shares_noise,
                )
            )
    return tuple(found)


def planned(config: Config) -> tuple[Release, ...]:
    """Return everything one client releases at most until the federation closes."""
    return tuple(
        replace(release, steps=release.steps * times)
        for exchange, times in allowances(config.build(), config.rounds)
        for release in releases(config, exchange)
    )


def allowances(
    algorithm: Algorithm[Any, Any], rounds: int
) -> tuple[tuple[Exchange[Any, Any], int], ...]:
    """Return how often one client answers each exchange, at most, in a number of rounds.

    Of the exchanges of one allowance, which must release the same, only the first is listed.
    """
    first: dict[str, Exchange[Any, Any]] = {}
    for exchange in algorithm.exchanges:
        first.setdefault(exchange.allowance or exchange.name, exchange)
    return tuple(
        (x, rounds if x.at_most is None else min(x.at_most, rounds)) for x in first.values()
    )


def grid(config: Config, content: Content) -> Grid:
    """Return the public grid of one kind of number."""
    plan = config.privacy
    match content:
        case Content.EMBEDDING:
            if plan is None:
                return Grid(step=RAW_LOSS_STEP, bound=RAW_LOSS_BOUND)
            # without noise numbers reach 1, and so do a vector's coordinates in the sum-zero plane
            noise = plan.embedding * plan.embedding_kind.radius(config.build().initial_models)
            return Grid(step=EMBEDDING_STEP, bound=1.0 + TAIL * noise)
        case Content.MOMENT:
            return Grid(step=MOMENT_STEP, bound=grid(config, Content.EMBEDDING).bound ** 2)
        case Content.FEATURE:
            return Grid(step=FEATURE_STEP, bound=1.0)
        case Content.UPDATE if plan is not None and config.shares_noise:
            return _gradient_grid(config, plan)
        case Content.UPDATE:
            return Grid(step=config.update_step, bound=config.update_bound * config.max_examples)
        case Content.COUNT:
            return Grid(step=1.0, bound=float(config.max_examples))
        case Content.HELD_OUT:
            reach = math.ceil(TAIL * plan.metrics) if plan else 0
            return Grid(step=1.0, bound=float(config.max_examples + reach))


def _gradient_grid(config: Config, plan: PrivacyPlan) -> Grid:
    """Return the grid of clipped gradients, with room for all of one client's and all noise."""
    training = config.training
    clip = plan.clip * training.learning_rate / training.rate
    found = gradient_grid(clip, config.parameters)
    noise = TAIL * plan.update * found.sensitivity * found.step
    return Grid(step=found.step, bound=config.max_examples * (clip + found.step) + noise)


def quantiser(config: Config, exchange: Exchange[Any, Any]) -> Quantiser:
    """Return the quantiser of a reply."""
    parts = [(math.prod(part.shape), part_grid(config, part)) for part in exchange.parts]
    return Quantiser(parts=tuple(parts))


def part_grid(config: Config, part: Part) -> Grid:
    """Return the public grid of a part, with room for the noise that hides a client."""
    found = grid(config, part.content)
    return replace(found, bound=found.bound + TAIL * part.client_sigma)


def ring_bits(config: Config, exchange: Exchange[Any, Any], clients: int) -> int:
    """Return the smallest ring, 32 or 64 bits, that no sum over ``clients`` can overflow.

    Raises:
        ConfigError: even 64 bits could overflow.
    """
    return ring_bits_for(quantiser(config, exchange).largest_sum(clients))
