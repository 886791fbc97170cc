"""How a client trains and how its answers are noised: the terms of a federation's configuration."""

import math
from dataclasses import dataclass
from typing import Literal

from secure_clove.clustering.embedding import Embedding, check_clip
from secure_clove.errors import ConfigError
from secure_clove.privacy.events import Unit

NoiseMode = Literal["local", "distributed"]
Optimizer = Literal["sgd", "adam"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """How a client trains locally in one exchange: by steps, or by epochs of shuffled batches.

    Attributes:
        learning_rate: Of the optimizer, above 0.
        optimizer: `sgd` or `adam`, made anew in every exchange.
        momentum: Of `sgd`, in [0, 1).
        steps: Gradient steps, unless `epochs` is set.
        rate: Share of the examples in a step, Poisson sampled; 1 takes all of them.
        epochs: Passes over the shuffled examples, instead of steps; needs `batch_size` and a
            federation without privacy.
        batch_size: Examples in a step of an epoch; the last step takes what is left.
    """

    learning_rate: float
    optimizer: Optimizer = "sgd"
    momentum: float = 0.0
    steps: int = 1
    rate: float = 1.0
    epochs: int | None = None
    batch_size: int | None = None

    def __post_init__(self) -> None:
        """Refuse settings that cannot train."""
        if not 0 < self.learning_rate < math.inf or not 0 <= self.momentum < 1:
            raise ConfigError("learning_rate > 0 and 0 <= momentum < 1 expected")
        if self.optimizer not in ("sgd", "adam"):
            raise ConfigError(f"no optimizer '{self.optimizer}'; choose sgd or adam")
        if self.optimizer == "adam" and self.momentum:
            raise ConfigError("adam has moments of its own; leave momentum at 0")
        if self.steps < 1 or not 0 < self.rate <= 1:
            raise ConfigError("steps >= 1 and 0 < rate <= 1 expected")
        self._check_epochs()

    def _check_epochs(self) -> None:
        if (self.epochs is None) != (self.batch_size is None):
            raise ConfigError("epochs and batch_size go together; set both or neither")
        if self.epochs is None or self.batch_size is None:
            return
        if self.epochs < 1 or self.batch_size < 1:
            raise ConfigError("epochs and batch_size count from 1")
        if (self.steps, self.rate) != (1, 1.0):
            raise ConfigError("training goes by epochs and batch_size or by steps and rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyPlan:
    """Noise of every release, as multiples of its sensitivity.

    Attributes:
        delta: At which the federation states its ε.
        unit: What is hidden: one ``example`` of a client, or the whole ``client``. Then `update` is
            the noise multiplier of everything in a round's sum, and nothing else counts.
        noise: Of updates. ``local``: every client adds all of it; ``distributed``: shares of the
            clients add up to it in every masked sum, which takes one gradient step a round.
        embedding: Noise multiplier of one loss embedding.
        embedding_kind: What a loss embedding is: `directional`, `relative` or `clipped`.
        embedding_clip: Public constant C at which `relative` and `clipped` cut, in units of the
            loss.
        update: Noise multiplier of one DP-SGD step.
        clip: L2 norm at which a per-example gradient is clipped; with the unit ``client`` the
            algorithm names the norm of whole updates.
        metrics: Noise multiplier of one count over held-out examples.
    """

    delta: float
    unit: Unit = "example"
    noise: NoiseMode = "local"
    embedding: float
    embedding_kind: Embedding = Embedding.DIRECTIONAL
    embedding_clip: float | None = None
    update: float
    clip: float
    metrics: float

    def __post_init__(self) -> None:
        """Refuse settings under which a guarantee would be empty."""
        if self.embedding_kind is Embedding.RAW:
            raise ConfigError("raw losses move without limit: take another embedding, or no plan")
        if self.noise not in ("local", "distributed"):
            raise ConfigError(f"no noise '{self.noise}'; choose local or distributed")
        if self.unit not in ("example", "client"):
            raise ConfigError(f"no unit '{self.unit}'; choose example or client")
        if self.unit == "client" and self.noise != "distributed":
            raise ConfigError(
                "a whole client is hidden by noise that the clients of a sum share; set noise to "
                "distributed, or unit to example"
            )
        check_clip(self.embedding_kind, self.embedding_clip)
        if not 0 < self.delta < 1:
            raise ConfigError("0 < delta < 1 expected")
        numbers = (self.embedding, self.update, self.metrics, self.clip)
        if not all(0 < number < math.inf for number in numbers):
            raise ConfigError(
                "every noise multiplier and the clipping norm must be positive and finite; "
                "to run without privacy set the whole privacy plan to none"
            )
