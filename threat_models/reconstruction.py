"""A10: reconstruction of the clients' vectors from what a clustering publishes.

A sealed clustering is rehearsed with the run's own clients, models and noise level and with fresh
noise. The attacker gets the sums, the coin and the sizes of clusters and inverts the sketch; its
guesses are held against the vectors, with and without their noise, and against what one would guess
who knew no more than the true means of the clusters.

The same vectors clustered by Lloyd's iterations under the mask are the leak that this avoids.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import Entropy, Rng, stream
from secure_clove.sdk.entropy import SystemEntropy
from threat_models import inversion, lloyd
from threat_models import statistics as stats
from threat_models.base import Case, Extra, NotApplicable, Outcome, Tick, Verdict
from threat_models.evidence import clear_vector, models_of
from threat_models.game import Replayed
from threat_models.inversion import Published, distance
from threat_models.rehearsal import Rehearsal, rehearse
from threat_models.views import MaskedSum

LEVEL = 0.95
"""Confidence of the intervals."""

BOUND = 0.75
"""Least error of the noised vectors, in units of what cluster means alone leave (audit.md, A10)."""

CLEAR_BOUND = 0.95
"""The same for vectors without noise: no better than cluster means alone, within 5 %."""

TRIALS_A_GAME = 1000
"""A rehearsed clustering counts for so many games of a cheaper attack."""

FEWEST_GAMES, MOST_GAMES = 4, 8
"""Rehearsals of each clustering."""

Rows = NDArray[np.float64]
"""(M, D): one vector a client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Root mean square errors of one rehearsal.

    Attributes:
        noised: Of the guesses from the vectors.
        along: The same along the directions of the sketch, where it tells most.
        clear: Of the best guesses from the vectors without noise.
        by_means: What cluster means alone leave of each of these, in the same order.
        lloyd: Share of the vectors that masked Lloyd iterations determine.
    """

    noised: float
    along: float
    clear: float
    by_means: tuple[float, float, float]
    lloyd: float

    @property
    def ratios(self) -> tuple[float, float, float]:
        """The three errors in units of what cluster means leave."""
        found = zip((self.noised, self.along, self.clear), self.by_means, strict=True)
        noised, along, clear = (error / max(mean, 1e-12) for error, mean in found)
        return noised, along, clear


def games(trials: int) -> int:
    """Return how often each clustering is rehearsed."""
    return min(max(trials // TRIALS_A_GAME, FEWEST_GAMES), MOST_GAMES)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stage:
    """One clustering round of a run, ready to be rehearsed.

    Attributes:
        sums: Its sketches, each over some of the clients.
        models: (K + P, d) asked about.
        trainers: By client.
        clear: Vectors (K + P - 1,) without noise, by client.
    """

    sums: tuple[MaskedSum, ...]
    models: Rows = field(repr=False)
    trainers: Mapping[ClientId, Replayed] = field(repr=False)
    clear: Mapping[ClientId, Rows] = field(repr=False)


def stages(case: Case) -> list[Stage]:
    """Return every clustering round of a sealed run."""
    config, found = case.view.config, []
    asked = {seen.round: models_of(seen.ask) for seen in case.view.summed("moments")}
    trainers = {one: Replayed(case.world.learner(one, config)) for one in case.world.tasks}
    for number, models in asked.items():
        sums = tuple(seen for seen in case.view.summed("sketch") if seen.round == number)
        clear = {one: clear_vector(trainers[one], models) for seen in sums for one in seen.members}
        found.append(Stage(sums=sums, models=models, trainers=trainers, clear=clear))
    return [stage for stage in found if stage.sums]


def rehearsed(case: Case, stage: Stage, noise: Entropy, rng: Rng) -> Errors:
    """Return the attacker's errors in one rehearsal of one clustering round."""
    plan, config = case.view.config.privacy, case.view.config
    held = []
    for number, seen in enumerate(stage.sums):
        own = {client: stage.trainers[client] for client in seen.members}
        held.append(rehearse(config, own, stage.models, noise.fork(number)))
    clients = [client for seen in stage.sums for client in sorted(seen.members)]
    vectors = np.concatenate([each.vectors for each in held])
    guessed = [inversion.guess(each.published, rng) for each in held]
    labels = np.array([case.world.federation.truth[client] for client in clients])
    sigma = 0.0 if plan is None else plan.embedding / _typical_size(case)
    shrunk = [_shrunk(g, each.published, sigma) for g, each in zip(guessed, held, strict=True)]
    clear = np.array([stage.clear[client] for client in clients])
    means, along = _means(vectors, labels), held[0].published.along
    return Errors(
        noised=distance(_in_place(guessed, held), vectors),
        along=distance(along(_in_place(guessed, held)), along(vectors)),
        clear=distance(_in_place(shrunk, held), clear),
        by_means=(
            distance(means, vectors),
            distance(along(means), along(vectors)),
            distance(means, clear),
        ),
        lloyd=lloyd.determined(vectors, config.clusters, rng),
    )


def _in_place(guessed: list[Rows], held: list[Rehearsal]) -> Rows:
    """Return the guesses of every sum, each set matched to the vectors of that sum."""
    pairs = zip(guessed, held, strict=True)
    return np.concatenate([inversion.matched(rows, each.vectors) for rows, each in pairs])


def _shrunk(rows: Rows, published: Published, sigma: float) -> Rows:
    """Return guesses of the vectors without noise: nearer to the centroids by the noise's share."""
    signal = max(0.0, 1 - (sigma / max(published.spread, 1e-12)) ** 2)
    centroids = inversion.matched(published.centroids, rows)
    shrunk: Rows = centroids + signal * (rows - centroids)
    return shrunk


def _means(vectors: Rows, labels: NDArray[np.int64]) -> Rows:
    means = {label: vectors[labels == label].mean(axis=0) for label in np.unique(labels)}
    return np.array([means[label] for label in labels])


def _typical_size(case: Case) -> float:
    sizes = [len(data.train_y) for data in case.world.federation.clients.values()]
    return float(np.median(sizes))


# ---- on a finished run


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """The attack on a run; see the module.

    Attributes:
        noise: Where the clients' noise comes from: the operating system, as in production.
    """

    noise: Entropy = field(default_factory=SystemEntropy, repr=False)
    code: str = "A10"
    title: str = "Rebuilding vectors from the sums of a clustering"
    adversary: str = (
        "a curious server that fits vectors to all sums of a clustering; it knows the level of the "
        "noise and how many clients each cluster has"
    )

    def work(self, case: Case, trials: int) -> int:
        """Return how many units of work `run` will tell about."""
        rounds = {seen.round for seen in case.view.summed("sketch")}
        return max(1, games(trials) * len(rounds))

    def run(self, case: Case, trials: int, tick: Tick) -> Outcome:
        """Rehearse every clustering of the run; vectors in the clear need no rebuilding."""
        if case.view.embeddings:
            tick(1)
            return _in_the_clear(sum(case.view.releases.values()))
        found = stages(case)
        if not found:
            tick(1)
            return NotApplicable(reason="no client released a loss embedding in this run")
        case.world.check(case.view.config)
        rng, errors = stream(0, "inversion"), []
        for number, stage in enumerate(found):
            for game in range(games(trials)):
                errors.append(rehearsed(case, stage, self.noise.fork(number, game), rng))
                tick(1)
        return _verdict(errors, clients=len(found[-1].clear))


def _in_the_clear(vectors: int) -> Verdict:
    nothing = stats.share_interval(0, vectors, LEVEL)
    return Verdict(
        metric="RMS against cluster means",
        with_defence=0.0,
        without_defence=0.0,
        bound=None,
        interval_with=nothing,
        interval_without=nothing,
        level=LEVEL,
        trials=vectors,
        passed=True,
        verdict="no promise: the coordinator is sent every vector, noise included",
        note="Every client's noised vector travels on its own, so there is nothing to rebuild.",
    )


def _verdict(errors: list[Errors], *, clients: int) -> Verdict:
    noised, along, clear = np.array([each.ratios for each in errors]).T
    low, high = stats.mean_interval(noised, LEVEL)
    clear_low, clear_high = stats.mean_interval(clear, LEVEL)
    by_lloyd = np.array([each.lloyd for each in errors])
    passed = high >= BOUND and clear_high >= CLEAR_BOUND
    extras: dict[str, Extra] = {
        "clients": clients,
        "clear_vectors": float(clear.mean()),
        "clear_vectors_low": clear_low,
        "clear_vectors_high": clear_high,
        "clear_vectors_bound": CLEAR_BOUND,
        **_mean("along_the_sketch", along),
        **_mean("lloyd_determines", by_lloyd),
    }
    return Verdict(
        metric="RMS against cluster means",
        with_defence=float(noised.mean()),
        without_defence=0.0,
        bound=BOUND,
        interval_with=(min(max(low, 0.0), 1.0), min(max(high, 0.0), 1.0)),
        interval_without=(0.0, 0.0),
        level=LEVEL,
        trials=len(errors),
        passed=passed,
        verdict="holds" if passed else "LEAK: the claim is refuted",
        note=(
            f"Errors in units of what the true cluster means leave; 0 is the vector itself. "
            f"Along the directions of the sketch alone {along.mean():.2f}; from the vectors "
            f"without noise {clear.mean():.2f}. Lloyd's iterations under the mask would determine "
            f"{by_lloyd.mean():.0%} of the vectors exactly."
        ),
        extras=extras,
    )


def _mean(name: str, values: NDArray[np.float64]) -> dict[str, Extra]:
    low, high = stats.mean_interval(values, LEVEL)
    return {name: float(values.mean()), f"{name}_low": low, f"{name}_high": high}
