"""The ε that releases cost together, by privacy loss distributions.

Neighbours are by zero-out (`NeighboringRelation.REPLACE_SPECIAL`), under which dp_accounting
supports Gaussian and Poisson-sampled Gaussian events in both of its accountants; sampled events
have the numbers of add-or-remove-one. Replacing an example by another is two zero-outs.

Unsampled Gaussians are composed exactly before anything else: those of multipliers m_i are one of
multiplier m with 1/m^2 = sum of 1/m_i^2 (Dong, Roth and Su 2022), whose ε is known
in closed form (Balle and Wang 2018, theorem 8). Only sampled releases need a numeric distribution.

Noise on a grid is accounted as continuous. The discrete Gaussian has the same concentrated-DP bound
as the continuous one (Canonne, Kamath and Steinke 2020, theorem 4). At equal δ its ε is larger by
at most about 1/(2 m s) for a multiplier m and a standard deviation of s grid steps: half a grid
step of privacy loss, 1e-4 at m = 10 and s = 500. That and what a sampler's total variation adds to
δ (`slack`) are below the digits that are printed.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from dp_accounting import (
    DpEvent,
    GaussianDpEvent,
    NeighboringRelation,
    PoissonSampledDpEvent,
    SelfComposedDpEvent,
    get_epsilon_gaussian,
)
from dp_accounting.pld import privacy_loss_distribution as pld
from dp_accounting.rdp import RdpAccountant

from secure_clove.errors import ConfigError
from secure_clove.privacy.events import Release

NEIGHBOURS = NeighboringRelation.REPLACE_SPECIAL

INTERVAL = 1e-4
"""Width of a cell of the privacy loss, in nats; rounding is towards more loss."""

MEANINGLESS = 100.0
"""Above this ε by RDP, the RDP bound is the answer: no policy distinguishes such values, and a
distribution of that width takes gigabytes."""

ORDERS = (*range(2, 65), *range(72, 257, 8), 384, 512, 1024)
"""Rényi orders of the cross-check; whole numbers, for which the sum always converges."""

Group = tuple[float, float, int]
"""Sampled releases of one kind: multiplier, rate, steps in total."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The ε of a client's releases at one δ.

    Attributes:
        embedding: Of the loss embeddings.
        update: Of the model updates.
        metrics: Of the metrics.
        total: Of everything, for any one example.
    """

    embedding: float
    update: float
    metrics: float
    total: float


def epsilon(releases: Iterable[Release], delta: float, *, slack: float = 0.0) -> float:
    """Return the ε at which all ``releases`` together are (ε, δ)-differentially private.

    Args:
        releases: In any order; none cost 0, and one without noise costs infinity.
        delta: δ in (0, 1).
        slack: The part of ``delta`` kept for imperfect samplers, see `slack`.

    Raises:
        ConfigError: δ is outside (0, 1), or no δ is left beside the slack.
    """
    _check_delta(delta)
    if not 0 <= slack < delta:
        raise ConfigError(f"slack {slack:g} must be at least 0 and below delta {delta:g}")
    multiplier, groups = _canonical(releases)
    return _epsilon(multiplier, groups, delta - slack)


def epsilon_rdp(releases: Iterable[Release], delta: float) -> float:
    """Return an upper bound of `epsilon` by Rényi accounting: the cross-check.

    Source: Mironov 2017; Mironov, Talwar and Zhang 2019 for sampled releases.
    """
    _check_delta(delta)
    return _epsilon_rdp(*_canonical(releases), delta)


def slack(epsilon: float, total_variation: float) -> float:
    """Return what to add to δ when noise is drawn from a slightly wrong law.

    Args:
        epsilon: ε of the ideal mechanism, or an upper bound of it.
        total_variation: Distance between the laws, of all draws together.

    Source: protocol.md, "Quantisation, ring, weights, noise".
    """
    return (1 + math.exp(epsilon)) * total_variation


def totals(releases: Iterable[Release], delta: float) -> Totals:
    """Return the ε of each kind of release and of all.

    An example is either in the training set, touched by embeddings and updates, or in the held-out
    set, touched by metrics: releases on disjoint sets compose in parallel, so the total is the
    larger of the two (McSherry 2009, theorem 4). This holds for metrics of models that are
    themselves made of releases; a model that never left the client would carry its training
    examples into the metrics.

    Raises:
        ConfigError: δ is outside (0, 1).
    """
    every = tuple(releases)
    by_name = {
        name: epsilon((r for r in every if r.name == name), delta)
        for name in ("embedding", "update", "metrics")
    }
    training = epsilon((r for r in every if r.name != "metrics"), delta)
    return Totals(**by_name, total=max(training, by_name["metrics"]))


def _check_delta(delta: float) -> None:
    if not 0 < delta < 1:
        raise ConfigError(f"delta must lie between 0 and 1, found {delta}")


def _canonical(releases: Iterable[Release]) -> tuple[float, tuple[Group, ...]]:
    """Return one equivalent unsampled multiplier (inf: none) and the sampled groups, sorted."""
    steps: Counter[tuple[float, float]] = Counter()
    for release in releases:
        steps[release.multiplier, release.rate] += release.steps
    if any(multiplier == 0 for multiplier, _ in steps):
        return 0.0, ()
    kinds = sorted(steps.items())
    precision = math.hypot(*(math.sqrt(n) / m for (m, rate), n in kinds if rate == 1))
    groups = tuple((m, rate, n) for (m, rate), n in kinds if rate < 1)
    return (1 / precision if precision else math.inf), groups


@lru_cache(maxsize=4096)
def _epsilon(multiplier: float, groups: tuple[Group, ...], delta: float) -> float:
    if not groups or multiplier == 0:
        return float(get_epsilon_gaussian(multiplier, delta))
    bound = _epsilon_rdp(multiplier, groups, delta)
    if bound > MEANINGLESS:
        return bound
    loss = _sampled(groups)
    if multiplier < math.inf:
        loss = loss.compose(_gaussian(multiplier, 1.0))
    # below δ = 1e-15 the distribution's cut-off tails dominate; both values are upper bounds
    return min(bound, float(loss.get_epsilon_for_delta(delta)))


@lru_cache(maxsize=8)
def _sampled(groups: tuple[Group, ...]) -> pld.PrivacyLossDistribution:
    loss = pld.identity(value_discretization_interval=INTERVAL)
    for multiplier, rate, steps in groups:
        loss = loss.compose(_gaussian(multiplier, rate).self_compose(steps))
    return loss


@lru_cache(maxsize=32)
def _gaussian(multiplier: float, rate: float) -> pld.PrivacyLossDistribution:
    return pld.from_gaussian_mechanism(
        multiplier,
        sampling_prob=rate,
        value_discretization_interval=INTERVAL,
        neighboring_relation=NEIGHBOURS,
    )


@lru_cache(maxsize=4096)
def _epsilon_rdp(multiplier: float, groups: tuple[Group, ...], delta: float) -> float:
    if multiplier == 0:
        return math.inf
    events: list[DpEvent] = [
        SelfComposedDpEvent(PoissonSampledDpEvent(rate, GaussianDpEvent(m)), steps)
        for m, rate, steps in groups
    ]
    if multiplier < math.inf:
        events.append(GaussianDpEvent(multiplier))
    accountant = RdpAccountant(ORDERS, NEIGHBOURS)
    for event in events:
        accountant.compose(event)
    return float(accountant.get_epsilon(delta))
