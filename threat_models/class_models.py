"""A3, active: a coordinator sends models whose losses depend on the label alone.

Such a model has no weights, only a bias for each class. The classes get different patterns of
losses over the models, so a client's vector is the mean of its labels' directions, and the label
shares can be solved for. In a sealed clustering the coordinator also chooses the centroids that it
publishes: where a client then says which is nearest, it can publish one for every class.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from secure_clove.clustering.embedding import Embedding, embed
from secure_clove.clustering.plane import to_plane
from secure_clove.engine.guard import Guard
from secure_clove.engine.plan import Config
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import Entropy, stream
from secure_clove.foundation.trees import Tree, Vector
from secure_clove.sdk.entropy import SystemEntropy
from threat_models import statistics as stats
from threat_models.base import Case, Extra, NotApplicable, Outcome, Tick, Verdict
from threat_models.evidence import Clustering, clusterings
from threat_models.game import Replayed, guarded
from threat_models.label_inference import LEVEL, SLACK, Rows, Truth, truth_of

REPLAYS = 8
"""How often the whole cohort is asked, with fresh noise."""

LOUD = 8.0
"""Height of a bias: a class that a model knows nothing of has a loss so much larger."""

Trainers = Mapping[ClientId, Replayed]
Receive = Callable[[Case, "Probes", Trainers, int, Entropy], Rows]
"""From a run, the probes, its clients and a count of releases to shares or votes (M, classes)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Probes:
    """Models that tell classes apart.

    Attributes:
        models: (K + P, d), laid out as `linear`'s.
        directions: (classes, K + P - 1) the vector of an example of each class, without noise.
    """

    models: NDArray[np.float64] = field(repr=False)
    directions: Rows = field(repr=False)

    def labels(self, vector: Vector) -> Vector:
        """Return the label shares whose mean direction lies nearest to ``vector``.

        That they add up to 1 is one more equation: as many models as classes leave it open.
        """
        equations = np.vstack([self.directions.T, np.ones(len(self.directions))])
        shares, _ = nnls(equations, np.append(vector, 1.0))
        return shares


def probes(count: int, *, parameters: int, classes: int) -> Probes:
    """Return ``count`` models: one against each class, or random patterns if they are too few."""
    patterns = np.eye(classes, count)
    if count < classes:
        patterns = stream(0, "class models").choice([0.0, 1.0], (classes, count))
    biases = -LOUD * patterns.T
    models = np.zeros((count, parameters))
    models[:, parameters - classes :] = biases
    losses = np.log(np.exp(biases).sum(axis=1))[:, None] - biases  # cross entropy of each class
    rows = [embed(row[None], Embedding.DIRECTIONAL).mean for row in losses.T]
    return Probes(models=models, directions=to_plane(np.array(rows)))


# ---- what the coordinator gets, by mode: label shares or votes (M, classes)


def from_vectors(
    case: Case, asked: Probes, trainers: Trainers, releases: int, noise: Entropy
) -> Rows:
    """Every client's vectors arrive on their own."""
    release = guarded(case.view.config.privacy)
    guessed = []
    for client, trainer in trainers.items():
        draws = [noise.fork(client, number) for number in range(releases)]
        vectors = [to_plane(release(trainer, asked.models, draw)) for draw in draws]
        guessed.append(asked.labels(np.mean(vectors, axis=0)))
    return np.array(guessed)


def from_joins(
    case: Case, asked: Probes, trainers: Trainers, releases: int, noise: Entropy
) -> Rows:
    """Every client says which of the centroids, one for each class, is nearest.

    It takes as many as there are models and refuses more, so each release asks about other classes.
    """
    join, most = case.view.config.exchange("join"), case.view.config.clusters
    classes = len(asked.directions)
    votes = np.zeros((len(trainers), classes))
    for row, (client, trainer) in zip(votes, trainers.items(), strict=True):
        for number in range(releases):
            guard = _guard(case.view.config, "moments", trainer, noise.fork(client, number))
            own, _ = _moments(case.view.config, asked, guard)
            named = [(number * most + place) % classes for place in range(min(most, classes))]
            ask = {
                "centroids": asked.directions[named],
                "found": np.array(1.0),
                "owners": np.zeros(0),
            }
            _, reply = join.work(own, ask, guard)
            row[named[int(reply["place"])]] += 1
    return votes


def from_sums(case: Case, asked: Probes, trainers: Trainers, releases: int, noise: Entropy) -> Rows:
    """Only the sum over all clients arrives; it says the same of each."""
    total = np.zeros(asked.directions.shape[1])
    for client, trainer in trainers.items():
        for number in range(releases):
            guard = _guard(case.view.config, "moments", trainer, noise.fork(client, number))
            total += _moments(case.view.config, asked, guard)[1]["mean"]
    shares = asked.labels(total / (releases * len(trainers)))
    return np.tile(shares, (len(trainers), 1))


def _guard(config: Config, exchange: str, trainer: Replayed, noise: Entropy) -> Guard:
    uses = config.exchange(exchange).uses
    return Guard(trainer, uses=uses, plan=config.privacy, entropy=noise)


def _moments(config: Config, asked: Probes, guard: Guard) -> tuple[Any, Tree]:
    """Return a client's state and reply after a ``moments`` exchange about the probes."""
    ask = {"models": asked.models, "round": np.array(1.0)}
    return config.exchange("moments").work(config.build().enrol(), ask, guard)


# ---- the measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassModels:
    """The attack on a run; see the module.

    Attributes:
        noise: Where the clients' noise comes from: the operating system, as in production.
    """

    noise: Entropy = field(default_factory=SystemEntropy, repr=False)
    code: str = "A3 active"
    title: str = "Labels of a client, with class models"
    adversary: str = (
        "a server that sends every client models whose losses depend on the label alone, and "
        "centroids of its choice; it gets what the run's mode lets through"
    )

    def work(self, case: Case, trials: int) -> int:
        """Return how many units of work `run` will tell about."""
        return REPLAYS

    def run(self, case: Case, trials: int, tick: Tick) -> Outcome:
        """Ask the run's clients, as often as the run did, in place of its own models."""
        found = clusterings(case.view)
        if not found:
            tick(REPLAYS)
            return NotApplicable(reason="no client released a loss embedding in this run")
        config, last = case.view.config, found[-1]
        case.world.check(config)
        asked = probes(
            len(last.models),
            parameters=config.parameters,
            classes=case.world.federation.classes,
        )
        trainers = {one: Replayed(case.world.learner(one, config)) for one in last.clients}
        receive = _receiver(last)
        seen = []
        for number in range(REPLAYS):
            seen.append(receive(case, asked, trainers, len(found), self.noise.fork(number)))
            tick(1)
        clear = np.array(
            [asked.labels(_clear(trainer, asked.models)) for trainer in trainers.values()]
        )
        return _verdict(last, truth_of(case, (last,)), seen, clear)


def _receiver(last: Clustering) -> Receive:
    if not last.is_sealed:
        return from_vectors
    return from_sums if last.labels is None else from_joins


def _clear(trainer: Replayed, models: NDArray[np.float64]) -> Vector:
    return to_plane(embed(trainer.losses(models), Embedding.DIRECTIONAL).mean)


def _verdict(last: Clustering, truth: Truth, seen: list[Rows], clear: Rows) -> Verdict:
    clients = len(clear)
    hits, bare = sum(truth.hits(each) for each in seen), truth.hits(clear)
    prior = truth.prior(np.zeros(clients, dtype=np.int64))
    is_hidden = last.is_sealed and last.labels is None
    trials = clients if is_hidden else clients * len(seen)  # one guess for all is no trial more
    share = hits / (clients * len(seen))
    low, high = stats.share_interval(round(share * trials), trials, LEVEL)
    bound = prior + SLACK if is_hidden else None
    passed = bound is None or low <= bound
    extras: dict[str, Extra] = {
        "prior": prior,
        "clients": clients,
        "replays": len(seen),
        "can_name_every_class": len(last.models) >= clear.shape[1],
        **_l1(last, truth, seen),
    }
    return Verdict(
        metric="share of dominant labels",
        with_defence=share,
        without_defence=bare / clients,
        bound=bound,
        interval_with=(low, high),
        interval_without=stats.share_interval(bare, clients, LEVEL),
        level=LEVEL,
        trials=trials,
        passed=passed,
        verdict=_words(low, prior, is_hidden=is_hidden, passed=passed),
        note=_note(last, prior),
        extras=extras,
    )


def _l1(last: Clustering, truth: Truth, seen: list[Rows]) -> dict[str, Extra]:
    """Return the mean distance of the inferred label shares, where shares are inferred."""
    if last.labels is not None:
        return {}
    scaled = [each / np.maximum(each.sum(axis=1, keepdims=True), 1e-12) for each in seen]
    return {"l1": float(np.mean([truth.distances(each).mean() for each in scaled]))}


def _words(low: float, prior: float, *, is_hidden: bool, passed: bool) -> str:
    if is_hidden:
        return "holds" if passed else "LEAK: the claim is refuted"
    told = "above" if low > prior + SLACK else "not distinguishable from"
    return f"no promise: {told} the prior ({prior:.2f})"


def _note(last: Clustering, prior: float) -> str:
    told = f"The best constant guess gets {prior:.2f}."
    if not last.is_sealed:
        return f"{told} Privacy of single examples does not hide what is typical of a client."
    if last.labels is None:
        return f"{told} Whatever models are sent, only the sum over all clients comes back."
    return (
        f"{told} Where membership is visible a server that publishes one centroid a class, as many "
        "at a time as there are models, learns of each client's commonest label from the centroid "
        "it names; only hidden membership takes that answer away."
    )
