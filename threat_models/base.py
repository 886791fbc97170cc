"""What an attack is: it takes a run, plays its adversary and returns a verdict."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from secure_clove.errors import ConfigError
from threat_models.views import CoordinatorView
from threat_models.world import World

Interval = tuple[float, float]
Tick = Callable[[int], None]
"""Told how many units of work were just done."""

Extra = float | int | str | bool | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One finished run under audit.

    Attributes:
        view: What the adversary sees.
        world: The data the run had: the auditor's, to set up the game.
    """

    view: CoordinatorView
    world: World


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How far one attack got, beside what theory allows.

    Attributes:
        metric: What is measured.
        with_defence: Its value against the run as it was.
        without_defence: Its value against the same run without privacy.
        bound: What theory allows; None where nothing is promised.
        interval_with: Confidence interval of ``with_defence``.
        interval_without: Confidence interval of ``without_defence``.
        level: Of both intervals, in (0, 1).
        trials: How often the game was played for ``with_defence``.
        passed: False when the measurement refutes a claim.
        verdict: The outcome in a few words.
        note: One sentence for people.
        extras: Further numbers by name.
    """

    metric: str
    with_defence: float
    without_defence: float
    bound: float | None
    interval_with: Interval
    interval_without: Interval
    level: float
    trials: int
    passed: bool
    verdict: str
    note: str
    extras: Mapping[str, Extra] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse intervals that are upside down and shares that are none."""
        for low, high in (self.interval_with, self.interval_without):
            if not 0 <= low <= high <= 1:
                raise ConfigError("an interval is (lower end, upper end) within [0, 1]")
        if not 0 < self.level < 1 or self.trials < 1:
            raise ConfigError("0 < level < 1 and at least one trial expected")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotApplicable:
    """Why an attack has nothing to attack in this run."""

    reason: str


Outcome = Verdict | NotApplicable


class Attack(Protocol):
    """One adversary with one aim."""

    @property
    def code(self) -> str:
        """Its number in the design, such as ``A1``."""

    @property
    def title(self) -> str:
        """A few words."""

    @property
    def adversary(self) -> str:
        """Who it is and what it knows and does, in one sentence."""

    def work(self, case: Case, trials: int) -> int:
        """Return how many units of work `run` will tell about."""

    def run(self, case: Case, trials: int, tick: Tick) -> Outcome:
        """Play the attack.

        Args:
            case: The run.
            trials: How often to play each world of a game.
            tick: Told about progress.
        """
