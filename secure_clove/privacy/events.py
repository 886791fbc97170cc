"""What leaves a client and how well it is noised: the unit in which privacy is accounted.

The unit is one example of one client, neighbouring by zero-out: its loss row and gradient become
zero and the count of examples stays public (privacy.md, "Unit").
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

from secure_clove.errors import ConfigError

Name = Literal["embedding", "update", "metrics"]

Unit = Literal["example", "client"]
"""What a release hides, by zero-out: one example of a client, or the client as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release of a client, as Gaussian noise on a statistic that one unit moves by 1.

    Attributes:
        name: What was released. Embeddings and updates are computed on training examples, metrics
            on held-out ones.
        multiplier: Noise standard deviation over L2 sensitivity; 0 is no noise, hence no privacy.
        rate: Probability with which the client itself picks each example for a step, unseen by
            the server (Poisson sampling); 1 uses all of them.
        steps: How many times, independently; a round of DP-SGD has many.
        is_shared: Whether the noise is only in a sum of several clients, made up of their shares.
        unit: What moves the statistic by 1.
    """

    name: Name
    multiplier: float
    rate: float = 1.0
    steps: int = 1
    is_shared: bool = False
    unit: Unit = "example"

    def __post_init__(self) -> None:
        """Refuse what no mechanism can be; keep numbers as floats for one canonical encoding."""
        object.__setattr__(self, "multiplier", float(self.multiplier))
        object.__setattr__(self, "rate", float(self.rate))
        if self.name not in ("embedding", "update", "metrics"):
            raise ConfigError(f"a release is an embedding, an update or metrics, not {self.name!r}")
        if not 0 <= self.multiplier < math.inf:
            raise ConfigError(
                f"noise multiplier {self.multiplier} is not a finite number >= 0; 0 is no noise, "
                "and more of it protects better"
            )
        if self.unit not in ("example", "client"):
            raise ConfigError(f"a release hides an example or a client, not a {self.unit!r}")
        _check_training(self.rate, self.steps)

    def of_example(self) -> "Release":
        """Return what the release is to one example.

        A statistic that a whole client moves by at most 1 lies in a ball; one example of the client
        may move it from one side to the other, by 2.
        """
        if self.unit == "example":
            return self
        return replace(self, multiplier=self.multiplier / 2, unit="example")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What one client releases in a number of rounds, before any of it is made.

    Attributes:
        rounds: Number of rounds.
        embeddings: Loss embeddings in all of them. They come one a round, from the first, or as
            many a round as it takes.
        steps: Training steps of a round.
        rate: Share of the training examples in a step, Poisson sampled; 1 takes all of them.
        embedding: Noise multiplier of each embedding; None releases none.
        update: Noise multiplier of each training step; None trains nothing.
        metrics: Noise multiplier of the one count of a round; None counts nothing.
        unit: What is hidden. The whole client is hidden by one release a round: `update` is its
            noise multiplier, and there is nothing else.
        is_shared: Whether the noise of updates is only in sums, made up of the clients' shares, as
            it always is where clients are hidden.
    """

    rounds: int = 1
    embeddings: int = 0
    steps: int = 1
    rate: float = 1.0
    embedding: float | None = None
    update: float | None = None
    metrics: float | None = None
    unit: Unit = "example"
    is_shared: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be played, and noise without a release to carry it."""
        if self.rounds < 1 or self.embeddings < 0:
            raise ConfigError(
                f"{self.rounds} rounds with {self.embeddings} embeddings cannot be played; set "
                "rounds to 1 or more, embeddings to 0 or more"
            )
        if self.embedding is not None and not self.embeddings:
            raise ConfigError("there is noise for embeddings and no embedding; set how many")
        _check_training(self.rate, self.steps)
        others = (self.embeddings, self.metrics, self.steps, self.rate)
        if self.unit == "client" and others != (0, None, 1, 1.0):
            raise ConfigError(
                "a whole client is hidden by one release a round, of everything it sends; leave "
                "embeddings, metrics, steps and rate out, or set the unit to example"
            )
        self.releases()

    def releases(self, rounds: int | None = None) -> tuple[Release, ...]:
        """Return what has left after ``rounds`` of the rounds, or after all."""
        played = self.rounds if rounds is None else rounds
        held = min(self.embeddings, played * math.ceil(self.embeddings / self.rounds))
        found = []
        if self.embedding is not None:
            found.append(Release(name="embedding", multiplier=self.embedding, steps=held))
        if self.update is not None:
            steps = played * self.steps
            found.append(
                Release(
                    name="update",
                    multiplier=self.update,
                    rate=self.rate,
                    steps=steps,
                    is_shared=self.is_shared or self.unit == "client",
                    unit=self.unit,
                )
            )
        if self.metrics is not None:
            found.append(Release(name="metrics", multiplier=self.metrics, steps=played))
        return tuple(found)


def _check_training(rate: float, steps: int) -> None:
    if not 0 < rate <= 1:
        raise ConfigError(
            f"rate {rate} is no share of the examples; it lies above 0 and at most at 1, which "
            "takes all of them"
        )
    if steps < 1:
        raise ConfigError(f"steps is {steps}; a release is made at least once, so set 1 or more")
