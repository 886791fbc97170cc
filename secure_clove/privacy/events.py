"""What left a client and how well it was noised: the unit in which privacy is accounted.

The unit is one example of one client, neighbouring by zero-out: its loss row and gradient become
zero and the count of examples stays public (privacy.md, "Unit").
"""

import math
from dataclasses import dataclass
from typing import Literal

from secure_clove.errors import ConfigError

Name = Literal["embedding", "update", "metrics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release of a client, as Gaussian noise on a statistic that one example moves by 1.

    Attributes:
        name: What was released. Embeddings and updates are computed on training examples, metrics
            on held-out ones.
        multiplier: Noise standard deviation over L2 sensitivity; 0 is no noise, hence no privacy.
        rate: Probability with which the client itself picks each example for a step, unseen by
            the server (Poisson sampling); 1 uses all of them.
        steps: How many times, independently; a round of DP-SGD has many.
    """

    name: Name
    multiplier: float
    rate: float = 1.0
    steps: int = 1

    def __post_init__(self) -> None:
        """Refuse what no mechanism can be; keep numbers as floats for one canonical encoding."""
        object.__setattr__(self, "multiplier", float(self.multiplier))
        object.__setattr__(self, "rate", float(self.rate))
        if self.name not in ("embedding", "update", "metrics"):
            raise ConfigError(f"a release is an embedding, an update or metrics, not {self.name!r}")
        if not 0 <= self.multiplier < math.inf:
            raise ConfigError(f"noise multiplier {self.multiplier} is not a finite number >= 0")
        if not 0 < self.rate <= 1 or self.steps < 1:
            raise ConfigError(f"rate in (0, 1] and steps >= 1 expected: {self.rate}, {self.steps}")
