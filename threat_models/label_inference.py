"""A3, passive: what a curious coordinator can say of a client's labels.

The attacker makes shadow clients, computes their vectors on the very models that the run asked
about, with the run's noise, and fits a ridge regression from vectors to label shares. Then it puts
in the best guess of each client's vector that the transcript allows (`threat_models.evidence`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV

from secure_clove.foundation.seeds import stream
from threat_models import shadows
from threat_models import statistics as stats
from threat_models.base import Case, Extra, NotApplicable, Outcome, Tick, Verdict
from threat_models.evidence import Clustering, clear_vectors, clusterings
from threat_models.shadows import Shadows

LEVEL = 0.95
"""Confidence of the intervals."""

PENALTIES = np.logspace(-6, 3, 10)
"""Of the regression; it chooses one by leave-one-out."""

SLACK = 0.05
"""How far beyond the prior an inference may get where clustering is sealed (audit.md, A3)."""

WITHIN = 1
"""A label counts as dominant when so many examples more would make it the commonest: a client with
as many of one label as of another has two."""

Rows = NDArray[np.float64]
"""One row a client."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """The labels of the clients under attack.

    Attributes:
        labels: (M, classes) share of each label.
        is_dominant: (M, classes) whether a label is a client's commonest.
    """

    labels: Rows = field(repr=False)
    is_dominant: NDArray[np.bool_] = field(repr=False)

    def hits(self, guessed: Rows) -> int:
        """Return for how many clients the guessed commonest label is one."""
        return int(self.is_dominant[np.arange(len(guessed)), guessed.argmax(axis=1)].sum())

    def distances(self, guessed: Rows) -> NDArray[np.float64]:
        """Return the L1 distance of the guessed label shares, in [0, 2]."""
        apart: NDArray[np.float64] = np.abs(guessed - self.labels).sum(axis=1)
        return apart

    def prior(self, groups: NDArray[np.int64]) -> float:
        """Return how often the best constant guess within each group hits."""
        best = [self.is_dominant[groups == group].sum(axis=0).max() for group in np.unique(groups)]
        return float(sum(best) / len(groups))


def truth_of(case: Case, found: tuple[Clustering, ...]) -> Truth:
    """Return the true labels of the clients in ``found``."""
    clients = found[0].clients
    sizes = np.array([len(case.world.federation.clients[one].train_y) for one in clients])
    counts = shadows.histograms(case, clients) * sizes[:, None]
    near = counts > counts.max(axis=1, keepdims=True) - WITHIN - 0.5
    return Truth(labels=counts / sizes[:, None], is_dominant=near)


def common(found: tuple[Clustering, ...]) -> tuple[Clustering, ...]:
    """Return the clusterings that have the same clients as the last one."""
    return tuple(each for each in found if each.clients == found[-1].clients)


def inferred(
    crowd: Shadows,
    found: tuple[Clustering, ...],
    vectors: list[Rows],
    sigma: Callable[[Clustering], float],
) -> Rows:
    """Return the label shares (M, classes) that a regression on shadow clients reads off vectors.

    Args:
        crowd: The shadow clients.
        found: The clusterings.
        vectors: For each of them (M, K + P - 1).
        sigma: From a clustering to the noise on its vectors.
    """
    rng = stream(0, "shadows", "noise")
    known = [crowd.vectors(each.models, sigma=sigma(each), rng=rng) for each in found]
    x, asked = np.concatenate(known, axis=1), np.concatenate(vectors, axis=1)
    centre, scale = x.mean(axis=0), x.std(axis=0) + 1e-12
    ridge = RidgeCV(PENALTIES).fit((x - centre) / scale, crowd.labels)
    guessed = np.maximum(ridge.predict((asked - centre) / scale), 0.0)
    shares: Rows = guessed / np.maximum(guessed.sum(axis=1, keepdims=True), 1e-12)
    return shares


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelInference:
    """The attack on a run; see the module."""

    code: str = "A3"
    title: str = "Labels of a client, read off its vectors"
    adversary: str = (
        "a curious server that makes clients of its own from public examples, knows how labels are "
        "distributed over clients, and holds what the run left it of each client's vectors"
    )

    def work(self, case: Case, trials: int) -> int:
        """Return how many units of work `run` will tell about."""
        return 1

    def run(self, case: Case, trials: int, tick: Tick) -> Outcome:
        """Infer the labels of the run's own clients, and do so from vectors without noise."""
        tick(1)
        every = clusterings(case.view)
        if not every:
            return NotApplicable(reason="no client released a loss embedding in this run")
        case.world.check(case.view.config)
        found = common(every)
        crowd = shadows.draw(case, stream(0, "shadows"))
        seen = inferred(
            crowd,
            found,
            [each.vectors for each in found],
            lambda each: shadows.noise_of(case, each),
        )
        bare = inferred(
            crowd, found, [clear_vectors(case, each) for each in found], lambda each: 0.0
        )
        return _verdict(found[-1], truth_of(case, found), crowd, seen, bare)


def _verdict(last: Clustering, truth: Truth, crowd: Shadows, seen: Rows, bare: Rows) -> Verdict:
    count, hits, clear = len(seen), truth.hits(seen), truth.hits(bare)
    nobody = np.zeros(count, dtype=np.int64)
    prior = truth.prior(nobody)
    by_cluster = truth.prior(nobody if last.labels is None else last.labels)
    low, high = stats.share_interval(hits, count, LEVEL)
    bound = min(1.0, by_cluster + SLACK) if last.is_sealed else None
    passed = bound is None or low <= bound
    guess = np.tile(crowd.labels.mean(axis=0), (count, 1))
    extras: dict[str, Extra] = {
        "prior": prior,
        "prior_given_cluster": by_cluster,
        "clients": count,
        **_apart("", truth.distances(seen)),
        **_apart("_without_defence", truth.distances(bare)),
        **_apart("_of_the_prior", truth.distances(guess)),
    }
    return Verdict(
        metric="share of dominant labels",
        with_defence=hits / count,
        without_defence=clear / count,
        bound=bound,
        interval_with=(low, high),
        interval_without=stats.share_interval(clear, count, LEVEL),
        level=LEVEL,
        trials=count,
        passed=passed,
        verdict=_words(last, prior, low, passed=passed),
        note=_note(last, prior, by_cluster, extras),
        extras=extras,
    )


def _apart(name: str, distances: NDArray[np.float64]) -> dict[str, Extra]:
    """Return a mean L1 distance with its interval, as extras."""
    low, high = stats.mean_interval(distances, LEVEL)
    return {f"l1{name}": float(distances.mean()), f"l1{name}_low": low, f"l1{name}_high": high}


def _words(last: Clustering, prior: float, low: float, *, passed: bool) -> str:
    if not last.is_sealed:
        told = "above" if low > prior + SLACK else "not distinguishable from"
        return f"no promise: {told} the prior ({prior:.2f})"
    return "holds" if passed else "LEAK: the claim is refuted"


def _note(last: Clustering, prior: float, by_cluster: float, extras: dict[str, Extra]) -> str:
    told = (
        f"The best constant guess gets {prior:.2f}. Label shares are off by {extras['l1']:.2f} in "
        f"L1; the mean of all clients is off by {extras['l1_of_the_prior']:.2f}."
    )
    if not last.is_sealed:
        return f"{told} Privacy of single examples does not hide what is typical of a client."
    if last.labels is None:
        return f"{told} A sum over all clients says the same of each of them."
    return (
        f"{told} Where membership is visible the cluster tells its labels by design: the best "
        f"constant guess within each gets {by_cluster:.2f}, and nothing more is promised."
    )
