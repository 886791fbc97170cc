"""The least noise that keeps a promise: from (ε, δ) to a noise multiplier."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from dp_accounting import get_sigma_gaussian
from scipy.optimize import brentq

from secure_clove.errors import ConfigError
from secure_clove.privacy.accounting import LEAST_NOISE, check_delta
from secure_clove.privacy.accounting import epsilon as epsilon_of
from secure_clove.privacy.events import Name, Release, Schedule

PRECISION = 1e-6
"""Relative width at which the search stops, and relative rest that counts as nothing."""

MOST = 2.0**30
"""A larger multiplier buries any signal: the rest of the budget counts as spent."""

LARGEST = 1e6
"""Largest ε to calibrate for; what it promises is nothing already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Most ε that one example of a client may cost, all of it at one δ.

    Attributes:
        delta: δ in (0, 1).
        total: ε of embeddings and training together; None trains nothing.
        embedding: The embeddings' share of it.
        metrics: ε of the counts over held-out examples, which other examples pay for.
    """

    delta: float
    total: float | None = None
    embedding: float | None = None
    metrics: float | None = None

    def __post_init__(self) -> None:
        """Refuse budgets that nothing can keep."""
        check_delta(self.delta)
        asked = [x for x in (self.total, self.embedding, self.metrics) if x is not None]
        if not asked:
            raise ConfigError("no budget; set an epsilon in total, for embeddings or for metrics")
        for epsilon in asked:
            _check_epsilon(epsilon)


def noise_for(budget: Budget, schedule: Schedule) -> Schedule:
    """Return ``schedule`` with the least noise that keeps to ``budget``.

    The way back, from noise to ε, is `secure_clove.privacy.accounting.totals` of its releases.

    Args:
        budget: Most ε.
        schedule: How often what is released; its multipliers are left out of account.

    Raises:
        ConfigError: there are embeddings without a budget, or a budget without embeddings, or the
            embeddings leave nothing for training.
    """
    count, rounds, delta = schedule.embeddings, schedule.rounds, budget.delta
    if budget.embedding is None and count:
        raise ConfigError(f"embeddings are planned ({count}) without an epsilon for them; set it")
    if budget.embedding is not None and not count:
        raise ConfigError("an epsilon for embeddings, and none is planned; plan at least 1")
    embedding = update = metrics = None
    if budget.embedding is not None:
        embedding = multiplier_for(budget.embedding, delta, count)
    if budget.total is not None:
        spent = replace(schedule, embedding=embedding, update=None, metrics=None).releases()
        steps = rounds * schedule.steps
        update = remaining_multiplier(budget.total, delta, spent, steps, rate=schedule.rate)
    if budget.metrics is not None:
        metrics = multiplier_for(budget.metrics, delta, rounds)
    return replace(schedule, embedding=embedding, update=update, metrics=metrics)


def noise_beside_signal(schedule: Schedule, examples: int) -> Mapping[Name, float]:
    """Return the standard deviation of the noise in one number of each release.

    An embedding is the mean of unit vectors, hence no longer than 1 (one that is clipped: in units
    of its clip). A training step's gradient is in units of the clipping norm, at which every
    example's gradient is cut, hence no longer than about 1. A count has no unit.

    Args:
        schedule: With its multipliers.
        examples: Number n of the client's training examples, at least 1.
    """
    found: dict[Name, float] = {}
    if schedule.embedding is not None:
        found["embedding"] = schedule.embedding / examples
    if schedule.update is not None:
        found["update"] = schedule.update / (schedule.rate * examples)
    if schedule.metrics is not None:
        found["metrics"] = schedule.metrics
    return found


def multiplier_for(epsilon: float, delta: float, releases: int = 1) -> float:
    """Return the noise multiplier of each of ``releases`` equal Gaussian releases.

    Args:
        epsilon: ε of all of them together, positive and at most `LARGEST`.
        delta: δ in (0, 1).
        releases: How many, at least 1.

    Raises:
        ConfigError: an argument is out of its range.

    Source: Balle and Wang 2018, algorithm 1; k equal releases need sqrt(k) times the multiplier.
    """
    _check_epsilon(epsilon)
    check_delta(delta)
    if releases < 1:
        raise ConfigError(f"at least 1 release expected, found {releases}")
    return float(get_sigma_gaussian(epsilon, delta)) * math.sqrt(releases)


def remaining_multiplier(
    total_epsilon: float,
    delta: float,
    spent: Iterable[Release],
    releases: int,
    *,
    rate: float = 1.0,
) -> float:
    """Return the multiplier of each of ``releases`` further releases on the same examples.

    Together with what was ``spent`` they cost at most ``total_epsilon``.

    Args:
        total_epsilon: ε of everything, positive and at most `LARGEST`.
        delta: δ in (0, 1).
        spent: Releases made or planned already.
        releases: How many more, at least 1.
        rate: Share of the examples in each of them, Poisson sampled; 1 takes all.

    Raises:
        ConfigError: an argument is out of its range, or nothing is left to spend.
    """
    past = tuple(spent)
    low = multiplier_for(total_epsilon, delta, releases)

    def excess(multiplier: float) -> float:
        further = Release(name="update", multiplier=multiplier, rate=rate, steps=releases)
        return epsilon_of([*past, further], delta) - total_epsilon

    if epsilon_of(past, delta) > total_epsilon * (1 - PRECISION):
        raise _exhausted(total_epsilon, delta)
    high = low
    while excess(high) > 0:
        low, high = high, 2 * high
        if high > MOST:
            raise _exhausted(total_epsilon, delta)
    while rate < 1 and excess(low) <= 0:  # a sample needs less
        if low < 2 * LEAST_NOISE:
            return low
        low, high = low / 2, low
    found = float(brentq(excess, low, high, rtol=PRECISION)) if low < high else high
    while excess(found) > 0:  # the root may lie a hair on the wrong side
        found *= 1 + PRECISION
    return found


def _check_epsilon(epsilon: float) -> None:
    if not 0 < epsilon <= LARGEST:
        raise ConfigError(
            f"epsilon must be positive and at most {LARGEST:g}, found {epsilon}; 0.1 is strong, 10 "
            "is weak, and without limit there is nothing to calibrate"
        )


def _exhausted(total_epsilon: float, delta: float) -> ConfigError:
    return ConfigError(
        f"epsilon {total_epsilon:g} at delta {delta:g} leaves nothing for further releases; "
        "raise it, or spend less before"
    )
