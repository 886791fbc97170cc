"""Error rates of an attacker, their confidence intervals, and what Gaussian privacy allows.

Notation of audit.md: mu = sqrt(T)/m for T releases at noise multiplier m. An attacker's scores are
higher where it believes the target to be inside.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import beta, norm, rankdata, t

from secure_clove.errors import ConfigError

Scores = NDArray[np.float64]
Interval = tuple[float, float]

CUTS = 400
"""Thresholds tried on the half of the scores that chooses one."""


# ---- what is allowed


def mu_of(releases: int, multiplier: float) -> float:
    """Return the privacy loss mu of ``releases`` Gaussian releases together.

    Source: Dong, Roth and Su 2022, corollary 3.3: mu composes as a root of squares.
    """
    if releases < 1 or not multiplier > 0:
        raise ConfigError("at least one release and a positive noise multiplier expected")
    return math.sqrt(releases) / multiplier


def auc_bound(mu: float) -> float:
    """Return the largest AUC against mu-Gaussian privacy: Phi(mu / sqrt 2)."""
    return float(norm.cdf(mu / math.sqrt(2)))


def tpr_bound(mu: float, fpr: float) -> float:
    """Return the largest true-positive rate at false-positive rate ``fpr``."""
    return float(norm.cdf(norm.ppf(fpr) + mu))


def epsilon_of(mu: float, delta: float) -> float:
    """Return the epsilon at which mu-Gaussian privacy is (epsilon, delta)-private.

    Written out here so that the audit does not lean on the accountant it audits.

    Source: Balle and Wang 2018, theorem 8; Dong, Roth and Su 2022, corollary 2.13.
    """
    if mu <= 0 or _delta_of(mu, 0.0) <= delta:
        return 0.0
    return float(brentq(lambda e: _delta_of(mu, e) - delta, 0.0, mu * (mu / 2 + 40)))


def _delta_of(mu: float, epsilon: float) -> float:
    second = math.exp(min(0.0, epsilon + float(norm.logcdf(-epsilon / mu - mu / 2))))
    return float(norm.cdf(-epsilon / mu + mu / 2)) - second


# ---- what is measured


def auc(inside: Scores, outside: Scores) -> float:
    """Return the chance that an inside score beats an outside one; ties count half."""
    above, _ = _placements(inside, outside)
    return float(above.mean())


def auc_interval(inside: Scores, outside: Scores, level: float) -> Interval:
    """Return a confidence interval of the AUC.

    Where all placements are equal DeLong's variance is zero and says nothing; then the AUC of
    separated scores is bounded by its disjoint pairs, each an independent win.

    Source: DeLong, DeLong and Clarke-Pearson 1988.
    """
    above, below = _placements(inside, outside)
    found = float(above.mean())
    variance = _variance(above) / len(above) + _variance(below) / len(below)
    if variance <= 1e-18:
        pairs = min(len(inside), len(outside))
        low, _ = share_interval(math.floor(found * pairs + 1e-9), pairs, level)
        _, high = share_interval(math.ceil(found * pairs - 1e-9), pairs, level)
        return low, high
    reach = float(norm.ppf((1 + level) / 2)) * math.sqrt(variance)
    return max(0.0, found - reach), min(1.0, found + reach)


def share_interval(hits: int, trials: int, level: float) -> Interval:
    """Return the Clopper-Pearson interval of a share."""
    tail = (1 - level) / 2
    return _share_at_least(hits, trials, tail), _share_at_most(hits, trials, tail)


def mean_interval(values: Scores, level: float) -> Interval:
    """Return Student's confidence interval of the mean of at least two values."""
    if len(values) < 2:
        raise ConfigError("at least two values expected")
    reach = float(t.ppf((1 + level) / 2, len(values) - 1)) * float(values.std(ddof=1))
    reach /= math.sqrt(len(values))
    return float(values.mean()) - reach, float(values.mean()) + reach


def hits_at(inside: Scores, outside: Scores, fpr: float) -> int:
    """Return how many inside scores lie above the threshold that ``fpr`` of the outside pass."""
    ranked = np.sort(outside)
    place = len(ranked) - 1 - math.floor(fpr * len(ranked))
    return int((inside > ranked[place]).sum())


def mu_lower_bound(inside: Scores, outside: Scores, level: float) -> float:
    """Return a mu that the mechanism exceeds with confidence ``level``, or 0.

    The better of two bounds, each with half of the error: one threshold, chosen on the first half
    of the scores and tested on the second by Clopper-Pearson; and the whole AUC.
    """
    error = (1 - level) / 2
    low, _ = auc_interval(inside, outside, 1 - 2 * error)
    by_auc = math.sqrt(2) * float(norm.ppf(low)) if low > 0 else 0.0
    return max(0.0, by_auc, _mu_by_threshold(inside, outside, error))


def epsilon_lower_bound(inside: Scores, outside: Scores, *, delta: float, level: float) -> float:
    """Return the epsilon lower bound that assumes nothing about the mechanism.

    Two Clopper-Pearson rates at one threshold, chosen on the first half, tested on the second.
    """
    first, second = _halves(inside, outside)
    chosen = max(_cuts(*first), key=lambda cut: _epsilon_at(*first, cut, delta, 1 - level))
    return _epsilon_at(*second, chosen, delta, 1 - level)


def _placements(inside: Scores, outside: Scores) -> tuple[Scores, Scores]:
    """Return for each inside score the share of outside ones below, and the other way round."""
    if not len(inside) or not len(outside):
        raise ConfigError("scores of both worlds expected")
    m, n = len(inside), len(outside)
    ranks = rankdata(np.concatenate([inside, outside]))
    above = (ranks[:m] - rankdata(inside)) / n
    below = 1 - (ranks[m:] - rankdata(outside)) / m
    return above, below


def _variance(values: Scores) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0


def _share_at_least(hits: int, trials: int, tail: float) -> float:
    return 0.0 if hits == 0 else float(beta.ppf(tail, hits, trials - hits + 1))


def _share_at_most(hits: int, trials: int, tail: float) -> float:
    return 1.0 if hits == trials else float(beta.ppf(1 - tail, hits + 1, trials - hits))


def _halves(inside: Scores, outside: Scores) -> tuple[tuple[Scores, Scores], ...]:
    i, o = len(inside) // 2, len(outside) // 2
    if not i or not o:
        raise ConfigError("at least two scores of each world expected")
    return (inside[:i], outside[:o]), (inside[i:], outside[o:])


def _cuts(inside: Scores, outside: Scores) -> list[float]:
    both = np.concatenate([inside, outside])
    return [float(cut) for cut in np.unique(np.quantile(both, np.linspace(0, 1, CUTS)))]


def _rates(inside: Scores, outside: Scores, cut: float, error: float) -> tuple[float, float]:
    """Return the least true-positive and largest false-positive rate, each at half ``error``."""
    hits, alarms = int((inside >= cut).sum()), int((outside >= cut).sum())
    least = _share_at_least(hits, len(inside), error / 2)
    return least, _share_at_most(alarms, len(outside), error / 2)


def _mu_at(inside: Scores, outside: Scores, cut: float, error: float) -> float:
    least, most = _rates(inside, outside, cut, error)
    if least <= 0 or most >= 1:
        return 0.0
    return float(norm.ppf(least) - norm.ppf(most))


def _mu_by_threshold(inside: Scores, outside: Scores, error: float) -> float:
    first, second = _halves(inside, outside)
    chosen = max(_cuts(*first), key=lambda cut: _mu_at(*first, cut, error))
    return _mu_at(*second, chosen, error)


def _epsilon_at(inside: Scores, outside: Scores, cut: float, delta: float, error: float) -> float:
    least, most = _rates(inside, outside, cut, error)
    forward = math.log((least - delta) / most) if least > delta else 0.0
    backward = math.log((1 - most - delta) / (1 - least)) if 1 - most > delta else 0.0
    return max(0.0, forward, backward)
