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

Two accountants that share no arithmetic run every time. The distribution is the answer and Rényi
accounting bounds it: a distribution above the bound is an error (`confirmed`), not an occasion to
take the smaller number, because at least one of the two is wrong then and it may be that one. The
opposite mistake, a distribution that promises too much, is not seen here; the tests hold it against
the PRV accountant of Opacus. Where a distribution cannot be resolved (`MEANINGLESS`, `LEAST_DELTA`,
`MOST_STEPS`) the bound itself is the answer.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, reduce

import numpy as np
from dp_accounting import (
    GaussianDpEvent,
    NeighboringRelation,
    PoissonSampledDpEvent,
    get_epsilon_gaussian,
)
from dp_accounting.pld import privacy_loss_distribution as pld
from dp_accounting.rdp import RdpAccountant, compute_epsilon
from numpy.typing import NDArray

from secure_clove.errors import ConfigError, PrivacyError
from secure_clove.privacy.events import Release, Unit

NEIGHBOURS = NeighboringRelation.REPLACE_SPECIAL

CELLS = 200
"""Cells in a standard deviation of one step's privacy loss. Rounding is towards more loss: cells of
width h add at most h^2 / 4 to its variance s^2, hence some 1/300000 of itself to ε at s / 200."""

FINEST = 1e-4
"""Cells of n steps are no narrower than this by sqrt(n): wider by so little they cost nothing, and
far narrower ones would hold little but rounding errors."""

MOST_CELLS = 2**17
"""Most cells in one step's privacy loss, whose upper tail is long where rate and noise are low;
half of it are the most in a standard deviation of the sum of all steps."""

DEVIATIONS = 10.0
"""Standard deviations of noise inside one step's privacy loss; beyond lies 1e-23."""

MEANINGLESS = 100.0
"""Above this ε by RDP, the RDP bound is the answer: no policy distinguishes such values, and a
distribution of that width takes gigabytes."""

LEAST_NOISE, MOST_NOISE = 1e-3, 2.0**30
"""A smaller multiplier counts as no noise (in one release it is an ε of half a million), a larger
one as this."""

LEAST_RATE = 1e-12
"""A smaller rate counts as this."""

LEAST_DELTA = 1e-10
"""Below this δ the answer is the bound by RDP: the rounding errors of a Fourier transform in double
precision, and the tails that a distribution is cut to, are no longer small against δ."""

MOST_STEPS = 10**6
"""Of more sampled steps the answer is the bound by RDP: a distribution has about 16 sqrt(steps)
standard deviations of one step, which takes seconds for a million steps."""

TOLERANCE = 0.01
"""How far a distribution may lie above the bound by RDP, relative and in nats, for its cells."""

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
        total: Of everything, for any one of them.
        unit: Whose ε it is: that of one example, or of the whole client if every release hides it.
    """

    embedding: float
    update: float
    metrics: float
    total: float
    unit: Unit = "example"


def epsilon(releases: Iterable[Release], delta: float, *, slack: float = 0.0) -> float:
    """Return the ε at which all ``releases`` together are (ε, δ)-differentially private.

    Args:
        releases: In any order; none cost 0, and one without noise costs infinity.
        delta: δ in (0, 1).
        slack: The part of ``delta`` kept for imperfect samplers, see `slack`.

    Raises:
        ConfigError: δ is outside (0, 1), or no δ is left beside the slack.
        PrivacyError: the accountants contradict each other, see `confirmed`.
    """
    check_delta(delta)
    if not 0 <= slack < delta:
        raise ConfigError(f"slack {slack:g} must be at least 0 and below delta {delta:g}")
    multiplier, groups = _canonical(releases)
    return _epsilon(multiplier, groups, delta - slack)


def epsilon_rdp(releases: Iterable[Release], delta: float) -> float:
    """Return an upper bound of `epsilon` by Rényi accounting: the cross-check.

    Source: Mironov 2017; Mironov, Talwar and Zhang 2019 for sampled releases.
    """
    check_delta(delta)
    return _epsilon_rdp(*_canonical(releases), delta)


def confirmed(by_distribution: float, by_renyi: float) -> float:
    """Return the ε of a privacy loss distribution, if Rényi accounting allows it.

    Args:
        by_distribution: ε by `epsilon`'s distribution, an upper bound but for rounding.
        by_renyi: ε by Rényi accounting, a looser upper bound of the same releases.

    Raises:
        PrivacyError: the tighter one is larger by more than `TOLERANCE`, so one of them is wrong
            and no ε can be stated.
    """
    if not by_distribution <= by_renyi * (1 + TOLERANCE) + TOLERANCE:
        raise PrivacyError(
            f"the accountants contradict each other: ε is {by_distribution:.4g} by privacy loss "
            f"distributions and at most {by_renyi:.4g} by RDP; nothing was charged or sent. "
            "Install the dp-accounting version named in constraints.txt and report this"
        )
    return by_distribution


def slack(epsilon: float, total_variation: float) -> float:
    """Return what to add to δ when noise is drawn from a slightly wrong law.

    Args:
        epsilon: ε of the ideal mechanism, or an upper bound of it.
        total_variation: Distance between the laws, of all draws together.

    Source: protocol.md, "Quantisation, ring, weights, noise".
    """
    return (1 + math.exp(epsilon)) * total_variation


def totals(
    releases: Iterable[Release],
    delta: float,
    *,
    by: Callable[[Iterable[Release], float], float] = epsilon,
) -> Totals:
    """Return the ε of each kind of release and of all.

    An example is either in the training set, touched by embeddings and updates, or in the held-out
    set, touched by metrics: releases on disjoint sets compose in parallel, so the total is the
    larger of the two (McSherry 2009, theorem 4). This holds for metrics of models that are
    themselves made of releases; a model that never left the client would carry its training
    examples into the metrics. What hides a whole client is all about that client, so everything
    composes; beside a release that hides examples alone, it counts as what it is to an example.

    Args:
        releases: In any order.
        delta: δ in (0, 1).
        by: The accountant, `epsilon` or `epsilon_rdp`.

    Raises:
        ConfigError: δ is outside (0, 1).
        PrivacyError: the accountants contradict each other, see `confirmed`.
    """
    every = tuple(releases)
    hides_clients = bool(every) and all(release.unit == "client" for release in every)
    if not hides_clients:
        every = tuple(release.of_example() for release in every)
    embedding, update, metrics = (
        by((r for r in every if r.name == name), delta)
        for name in ("embedding", "update", "metrics")
    )
    training = by((r for r in every if r.name != "metrics"), delta)
    return Totals(
        embedding=embedding,
        update=update,
        metrics=metrics,
        total=by(every, delta) if hides_clients else max(training, metrics),
        unit="client" if hides_clients else "example",
    )


def check_delta(delta: float, *, examples: int | None = None) -> None:
    """Refuse a δ that promises nothing.

    Args:
        delta: δ.
        examples: Number n of one client's training examples, where it is known. At δ = 1/n, to
            publish one example picked at random would count as private.

    Raises:
        ConfigError: δ is outside (0, 1) or not below 1/n, or there is no example.
    """
    if not 0 < delta < 1:
        raise ConfigError(f"delta must lie between 0 and 1, found {delta}; 1e-5 is usual")
    if examples is None:
        return
    if examples < 1:
        raise ConfigError(
            f"examples is {examples}; give the number of one client's training examples, from 1"
        )
    if delta * examples >= 1:
        raise ConfigError(
            f"delta is {delta:g} and must be below 1/n = {1 / examples:.3g} with n = {examples} "
            "examples: else publishing one of them at random would count as private; lower delta"
        )


def _canonical(releases: Iterable[Release]) -> tuple[float, tuple[Group, ...]]:
    """Return one equivalent unsampled multiplier (inf: none) and the sampled groups, sorted.

    The multiplier is 0 and there is no group if anything has no noise.
    """
    steps: Counter[tuple[float, float]] = Counter()
    for release in releases:
        noise = min(release.multiplier, MOST_NOISE)
        steps[noise, max(release.rate, LEAST_RATE)] += release.steps
    if any(multiplier < LEAST_NOISE for multiplier, _ in steps):
        return 0.0, ()
    kinds = sorted(steps.items())
    precision = math.hypot(*(math.sqrt(n) / m for (m, rate), n in kinds if rate == 1))
    if precision > 1 / LEAST_NOISE:
        return 0.0, ()
    groups = tuple((m, rate, n) for (m, rate), n in kinds if rate < 1)
    return (1 / precision if precision else math.inf), groups


@lru_cache(maxsize=4096)
def _epsilon(multiplier: float, groups: tuple[Group, ...], delta: float) -> float:
    bound = _epsilon_rdp(multiplier, groups, delta)
    if not groups:
        return confirmed(float(get_epsilon_gaussian(multiplier, delta)), bound)
    if bound > MEANINGLESS or delta < LEAST_DELTA or sum(n for *_, n in groups) > MOST_STEPS:
        return bound
    width = _width(multiplier, groups)
    loss = _sampled(groups, width)
    if multiplier < math.inf:
        loss = loss.compose(_gaussian(multiplier, 1.0, width))
    return confirmed(float(loss.get_epsilon_for_delta(delta)), bound)


def _width(multiplier: float, groups: tuple[Group, ...]) -> float:
    """Return the width of a cell of the privacy loss, in nats: all that is composed shares one.

    So narrow that every sampled step is resolved, unless a step or the unsampled part, beside which
    the others hardly count then, would have more than `MOST_CELLS`.
    """
    finest = min(_cell(*group) for group in groups)
    widest = max(_range(m, rate) for m, rate, _ in groups)
    return max(finest, max(widest, 2 * DEVIATIONS / multiplier) / MOST_CELLS)


def _cell(multiplier: float, rate: float, steps: int) -> float:
    """Return the width of a cell that resolves some steps of one kind."""
    root = math.sqrt(steps)
    resolved = _deviation(multiplier, rate) * max(1 / CELLS, 2 * root / MOST_CELLS)
    return max(resolved, FINEST / root)


def _deviation(multiplier: float, rate: float) -> float:
    """Return about the standard deviation of one step's privacy loss, or less.

    To first order in the rate it is rate * sqrt(exp(1/m^2) - 1). That is far too much where noise
    is low: then a loss is seldom and large, and one Gaussian in 1/rate steps makes the deviation.
    """
    first = rate * math.sqrt(math.expm1(min(multiplier**-2, 700.0)))
    return min(first, math.sqrt(rate) / multiplier)


def _range(multiplier: float, rate: float) -> float:
    """Return how far one step's privacy losses spread: ln((1 - q + q exp(l)) / (1 - q))."""
    loss = DEVIATIONS / multiplier + multiplier**-2 / 2
    return math.log1p(rate * math.expm1(min(loss, 700.0))) - math.log1p(-rate)


@lru_cache(maxsize=8)
def _sampled(groups: tuple[Group, ...], width: float) -> pld.PrivacyLossDistribution:
    """Return the distribution of all sampled steps: one self-composition a group, at any length."""
    composed = (_gaussian(m, rate, width).self_compose(steps) for m, rate, steps in groups)
    return reduce(lambda loss, other: loss.compose(other), composed)


@lru_cache(maxsize=32)
def _gaussian(multiplier: float, rate: float, width: float) -> pld.PrivacyLossDistribution:
    return pld.from_gaussian_mechanism(
        multiplier,
        sampling_prob=rate,
        value_discretization_interval=width,
        neighboring_relation=NEIGHBOURS,
    )


@lru_cache(maxsize=4096)
def _epsilon_rdp(multiplier: float, groups: tuple[Group, ...], delta: float) -> float:
    if multiplier == 0:
        return math.inf
    spent = sum((steps * _renyi(m, rate) for m, rate, steps in groups), np.zeros(len(ORDERS)))
    if multiplier < math.inf:
        spent = spent + _renyi(multiplier, 1.0)
    return float(compute_epsilon(ORDERS, spent, delta)[0])


@lru_cache(maxsize=256)
def _renyi(multiplier: float, rate: float) -> NDArray[np.float64]:
    """Return the Rényi divergence of one step at each of `ORDERS`; steps add up."""
    accountant = RdpAccountant(ORDERS, NEIGHBOURS)
    accountant.compose(PoissonSampledDpEvent(rate, GaussianDpEvent(multiplier)))
    divergence: NDArray[np.float64] = accountant.rdp
    return divergence.clip(min=0.0)  # of next to nothing, rounding makes less than nothing
