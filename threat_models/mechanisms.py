"""A1 on every mechanism by itself: the epsilon its noise was made for, and what can be proved."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import get_args

from secure_clove.clustering.embedding import Embedding
from secure_clove.engine.terms import NoiseMode, PrivacyPlan
from secure_clove.foundation.seeds import Entropy
from secure_clove.privacy.accounting import epsilon
from secure_clove.privacy.calibration import multiplier_for
from secure_clove.privacy.events import Name, Release
from threat_models import statistics as stats
from threat_models.base import Tick
from threat_models.canaries import Games, counted, embedded, moved
from threat_models.trap_models import LEVEL, contest

TRIALS = 100_000
"""Games in each world: correct noise is then proved to cost some 0.95 of its claim."""

EPSILON, DELTA = 1.0, 1e-5
"""What each release is calibrated to."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """One mechanism.

    Attributes:
        name: For people.
        release: What a ledger enters for it.
        delta: At which epsilon is stated.
        games: With and without the canary.
    """

    name: str
    release: Release
    delta: float
    games: Games = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the games say of one mechanism.

    Attributes:
        name: Of the mechanism.
        claimed: The epsilon that a ledger states.
        proved: The epsilon that it exceeds with confidence `LEVEL` if its noise is Gaussian: by a
            threshold chosen on one half of the games and tested on the other, or by the AUC.
        proved_plainly: The same by two Clopper-Pearson rates, which assume nothing.
        delta: At which all three are stated.
        trials: Games in each world.
        attacker: Who did best, and with which models.
    """

    name: str
    claimed: float
    proved: float
    proved_plainly: float
    delta: float
    trials: int
    attacker: str

    @property
    def ratio(self) -> float:
        """How much of the claim is proved: above 1 it is refuted, near 1 the audit is tight."""
        return self.proved / self.claimed

    @property
    def is_refuted(self) -> bool:
        """Whether more is proved than was claimed."""
        return self.proved > self.claimed


def prove(subject: Subject, trials: int, *, entropy: Entropy, tick: Tick) -> Proof:
    """Return what fresh games prove about ``subject``.

    Args:
        subject: The mechanism.
        trials: Games in each world.
        entropy: Of its noise.
        tick: Told about progress, `trap_models.units` in all.
    """
    played = contest(subject.games, trials, entropy=entropy, tick=tick)
    scores, delta = (played.inside, played.outside), subject.delta
    return Proof(
        name=subject.name,
        claimed=epsilon([subject.release], delta),
        proved=stats.epsilon_of(stats.mu_lower_bound(*scores, LEVEL), delta),
        proved_plainly=stats.epsilon_lower_bound(*scores, delta=delta, level=LEVEL),
        delta=delta,
        trials=trials,
        attacker=f"{played.attacker}, {played.pattern}",
    )


def subjects(budget: float = EPSILON, delta: float = DELTA) -> tuple[Subject, ...]:
    """Return every mechanism by which a client releases, each with the noise of ``budget``.

    Args:
        budget: Epsilon of one release.
        delta: At which.

    Raises:
        ConfigError: no noise has this epsilon.
    """
    multiplier = multiplier_for(budget, delta)
    plan = PrivacyPlan(
        delta=delta, embedding=multiplier, update=multiplier, clip=1.0, metrics=multiplier
    )
    return tuple(
        Subject(
            name=name,
            release=Release(name=release, multiplier=multiplier),
            delta=delta,
            games=games,
        )
        for name, release, games in _every(plan)
    )


def _every(plan: PrivacyPlan) -> Iterator[tuple[str, Name, Games]]:
    for kind in Embedding:
        if kind is not Embedding.RAW:
            yield f"{kind.value} embedding", "embedding", embedded(kind, plan)
    for mode in get_args(NoiseMode):
        yield f"gradient step, {mode} noise", "update", moved(mode, plan)
    yield "held-out count", "metrics", counted(plan)
