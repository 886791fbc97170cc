"""What was measured at each point: indices and accuracies over seeds, and the Pareto front."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import fmean, stdev

from scipy.stats import t

from secure_clove.studies.play.result import Result
from secure_clove.studies.tradeoff.plans import axes
from secure_clove.studies.tradeoff.point import Point

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over seeds and half the width of its interval.

    Attributes:
        mean: Of all seeds.
        half: Of Student's interval at `CONFIDENCE`; 0 for a single seed, which has none.
    """

    mean: float
    half: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A point and its runs.

    Attributes:
        point: What was played.
        runs: By seed, each with the rounds that were planned; at least one.
    """

    point: Point
    runs: Mapping[int, Result]

    @property
    def first_index(self) -> Estimate | None:
        """The ARI after round 1."""
        return estimate([run.curve[0] for run in self.runs.values()])

    @property
    def index(self) -> Estimate | None:
        """The ARI after the last round."""
        return estimate([run.curve[-1] for run in self.runs.values()])

    @property
    def accuracy(self) -> Estimate | None:
        """After the last round, on held-out examples."""
        return estimate([run.accuracy for run in self.runs.values()])

    @property
    def epsilon(self) -> float:
        """ε of everything that has a budget; infinity where nothing has one."""
        spent = self.point.training.epsilon if self.point.training else self.point.epsilon
        return inf if spent is None else spent

    @property
    def score(self) -> float:
        """What its budget buys: the index where only embeddings are noised, else the accuracy."""
        found = self.accuracy if self.point.training else self.index
        return found.mean if found else -inf


def estimate(values: Iterable[float | None]) -> Estimate | None:
    """Return the mean and its interval of the values that are known, or None without any."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    if len(known) == 1:
        return Estimate(mean=known[0], half=0.0)
    reach = float(t.ppf((1 + CONFIDENCE) / 2, len(known) - 1))
    return Estimate(mean=fmean(known), half=reach * stdev(known) / sqrt(len(known)))


def measured(points: Iterable[Point], results: Iterable[Result]) -> list[Measured]:
    """Return every point that was played for all of its rounds, in the order of the points."""
    runs: dict[tuple[str, int], dict[int, Result]] = defaultdict(dict)
    for result in results:
        if result.reason is None:
            runs[result.cell.setting.name, result.cell.rounds][result.cell.seed] = result
    found = ((point, runs.get((point.setting.name, point.rounds))) for point in points)
    return [Measured(point=point, runs=kept) for point, kept in found if kept]


def beside(one: Measured, everything: Sequence[Measured]) -> Measured | None:
    """Return what a point is held against, if it was played.

    Under private training that is federated averaging with the same budget; without, the same
    clustering on raw losses.
    """
    return next((other for other in everything if _is_beside(one.point, other.point)), None)


def gain(one: Measured, other: Measured) -> Estimate | None:
    """Return by how much the accuracy of ``one`` is above, seed by seed of those of both."""
    shared = sorted(one.runs.keys() & other.runs.keys())
    pairs = [(one.runs[seed].accuracy, other.runs[seed].accuracy) for seed in shared]
    return estimate(a - b for a, b in pairs if a is not None and b is not None)


def front(everything: Sequence[Measured]) -> list[Measured]:
    """Return the points of which none of the same data costs no more and gives no less."""
    return [one for one in everything if not any(_beats(other, one) for other in everything)]


def _is_beside(point: Point, other: Point) -> bool:
    if point == other or _data(point) != _data(other):
        return False
    if point.training is not None:
        return other.base.algorithm == "fedavg" and other.training == point.training
    return other.epsilon is None


def _beats(other: Measured, one: Measured) -> bool:
    if _data(other.point) != _data(one.point):
        return False
    ours, theirs = (one.epsilon, -one.score), (other.epsilon, -other.score)
    return theirs != ours and theirs[0] <= ours[0] and theirs[1] <= ours[1]


def _data(point: Point) -> tuple[object, object]:
    found = axes(point)
    return found["dataset"], found["kind"]
