"""One point of the trade-off: how much is spent, on what, and what the coordinator sees."""

from dataclasses import dataclass, replace
from typing import Literal

from secure_clove.clustering.embedding import Embedding
from secure_clove.engine.terms import NoiseMode
from secure_clove.errors import ConfigError
from secure_clove.privacy.calibration import Budget, noise_for
from secure_clove.privacy.events import Schedule
from secure_clove.studies.paper.settings import NEVER
from secure_clove.studies.play.cell import Option, Setting, UpdateNoise

DELTA = 1e-4
"""At which every ε of the study is stated. Source: privacy.md, "What to beat"."""

Visibility = Literal["noised", "sealed", "hidden"]
"""What the coordinator sees of the loss vectors: each of them with its noise, sums of what is
computed from them, or such sums without learning who is in which cluster."""

CLIPS = {Embedding.RELATIVE: 1.0, Embedding.CLIPPED: 4.0}
"""Public constants, in nats: about what an untrained model's losses differ by, and reach."""

MOMENTUM, SMOOTHING, CLIP = 0.7, 0.8, 1.0
"""Of the moves of the models, of the models taken home, and of the gradient of an example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Private training, one gradient step a round.

    Attributes:
        epsilon: ε of embeddings and training together.
        mode: Who adds the noise.
        learning_rate: Of a step.
        rate: Share of its examples that a client draws for a step.
    """

    epsilon: float
    mode: NoiseMode
    learning_rate: float = 0.8
    rate: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A federation and its budgets.

    Attributes:
        base: Data, clients, model and algorithm (``clove``, ``ifca`` or ``fedavg``), without noise.
        rounds: That are planned, and over which the budget is spread.
        visibility: Of the loss vectors of ``clove``.
        embedding: Kind of its loss embeddings.
        epsilon: ε of all of them together; None clusters raw losses.
        clusterings: How many there are, one a round.
        is_drawn: Whether the models of round 1 are drawn, and the clusterings begin in round 2;
            else they begin in round 1.
        probes: Untrained models that are evaluated beside the K.
        training: Private training; None trains as the paper does, without noise.
    """

    base: Setting
    rounds: int
    visibility: Visibility = "noised"
    embedding: Embedding = Embedding.DIRECTIONAL
    epsilon: float | None
    clusterings: int = 0
    is_drawn: bool = False
    probes: int = 0
    training: Training | None = None

    def __post_init__(self) -> None:
        """Refuse points that no federation is.

        Raises:
            ConfigError: which.
        """
        if (self.base.algorithm == "fedavg") != (self.clusterings == 0):
            raise ConfigError("every algorithm but fedavg takes embeddings; set how many")
        if self.base.algorithm == "ifca" and self.clusterings != self.rounds:
            raise ConfigError("ifca takes an embedding in every round")
        if self.visibility != "noised" and (self.base.algorithm != "clove" or not self.epsilon):
            raise ConfigError("only noised embeddings of clove can be sealed")
        if self.is_drawn and (self.base.algorithm != "clove" or self.visibility != "noised"):
            raise ConfigError("only clove, unsealed, starts from models that are drawn")

    @property
    def name(self) -> str:
        """How the point is told from others of its data, kind and algorithm."""
        spent = "raw" if self.epsilon is None else f"epsilon-{self.epsilon:g}"
        return "-".join(filter(None, (*self._clustered(spent), *self._trained())))

    def _clustered(self, spent: str) -> tuple[str, ...]:
        if not self.clusterings:
            return ()
        probes = f"probes-{self.probes}" if self.probes else ""
        kind = "" if self.epsilon is None else self.embedding.value
        drawn = "drawn" if self.is_drawn else ""
        return (self.visibility, kind, spent, f"in-{self.clusterings}", drawn, probes)

    def _trained(self) -> tuple[str, ...]:
        asked = self.training
        if asked is None:
            return ()
        speed, drawn = f"rate-{asked.learning_rate:g}", f"of-{asked.rate:g}"
        rounds = f"planned-{self.rounds}"
        return (f"total-{asked.epsilon:g}", asked.mode, speed, drawn, rounds)

    @property
    def setting(self) -> Setting:
        """What is played.

        Raises:
            ConfigError: the budgets leave nothing for training.
        """
        return replace(self._trains(), options=self._options(), label=self.name)

    def _options(self) -> dict[str, Option]:
        options: dict[str, Option] = {}
        if self.base.algorithm == "clove":
            options |= {"clustering_rounds": self.clusterings, "stable_rounds": NEVER}
            options |= {"first_assignment": "random"} if self.is_drawn else {}
            options |= {"probes": self.probes} if self.probes else {}
            options |= {"centred": False} if self.epsilon is None else {}  # as in the paper
            options |= {"membership": "hidden"} if self.visibility == "hidden" else {}
        if self.training is not None and self.base.algorithm != "ifca":
            options |= {"server_momentum": MOMENTUM, "server_smoothing": SMOOTHING}
        return options

    def _trains(self) -> Setting:
        algorithm = "sealed-clove" if self.visibility != "noised" else self.base.algorithm
        setting, asked = replace(self.base, algorithm=algorithm), self.training
        found = self._noise()
        if found.embedding is not None:
            clip = CLIPS.get(self.embedding)
            setting = replace(
                setting, noise=found.embedding, embedding=self.embedding, embedding_clip=clip
            )
        if asked is None or found.update is None:
            return setting
        return replace(
            setting,
            noise=setting.noise or 1.0,  # of embeddings that fedavg never takes
            training="gradient",
            learning_rate=asked.learning_rate,
            updates=UpdateNoise(
                multiplier=found.update, clip=CLIP, mode=asked.mode, rate=asked.rate
            ),
        )

    def _noise(self) -> Schedule:
        """Return the least noise that keeps to the budgets."""
        asked, embeds = self.training, self.epsilon is not None and self.clusterings > 0
        schedule = Schedule(
            rounds=self.rounds,
            embeddings=self.clusterings if embeds else 0,
            rate=asked.rate if asked else 1.0,
        )
        if not embeds and asked is None:
            return schedule
        budget = Budget(
            delta=DELTA,
            embedding=self.epsilon if embeds else None,
            total=asked.epsilon if asked else None,
        )
        return noise_for(budget, schedule)
