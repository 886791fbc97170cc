"""Measures the theory over seeds and separations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import TypeVar

from secure_clove.data.synthetic import DIMENSION
from secure_clove.errors import ConfigError
from secure_clove.studies.theory.measures import (
    MODELS,
    WAYS,
    Course,
    collection,
    contraction,
    course,
    noise_floor,
    one_shot,
    problem,
    separation_ratio,
)
from secure_clove.studies.theory.results import (
    Convergence,
    OneShot,
    Separation,
    TheoryResult,
    write_theory,
)

SEPARATIONS = (1.0, 0.3, 0.1, 0.01, 0.001, 0.0003)
"""Smallest distances of two optima, Delta. Source: CLoVE, Figure 3(a), from 0.0003 to 1."""

ONE_SHOT = (1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.03)
"""The same for a single clustering, dense where it stops to work."""

COUNTS = (30, 100, 300, 1000)
"""Examples of a client for a single clustering; the paper has 1000."""

DRAWS = 50
"""Draws of optima and models for a seed: the lemmas need no examples, and fail rarely if at all."""

RESULTS = "theory.json"

T = TypeVar("T")
Watch = Callable[[int, int], None]
"""Called with the draws measured so far and their count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draw:
    """One seed at one separation: the ratios of each collection, the course of each way."""

    ratios: Mapping[str, Sequence[float]]
    courses: Mapping[str, Course]


def run_theory(
    *,
    seeds: int,
    folder: Path,
    watch: Watch,
    separations: Sequence[float] = SEPARATIONS,
    one_shot_separations: Sequence[float] = ONE_SHOT,
    counts: Sequence[int] = COUNTS,
) -> TheoryResult:
    """Measure the lemmas and theorems, keep the result in ``folder`` and return it.

    The same arguments give the same result. With 20 seeds it takes under two minutes of one core.

    Args:
        seeds: Draws of every problem, at least 1.
        folder: Takes ``theory.json``; made if it does not exist.
        watch: Called after every draw.
        separations: Delta of the lemmas and of the convergence, each in (0, 2).
        one_shot_separations: Delta of the single clustering.
        counts: Examples of a client in the single clustering.

    Raises:
        ConfigError: no seeds, nothing to measure, or a separation or count that no draw can have.
        StoreError: the folder cannot be written.
    """
    pairs = [(separation, count) for separation in one_shot_separations for count in counts]
    if seeds < 1 or not (separations and pairs):
        raise ConfigError("at least 1 seed, 1 separation and 1 count of examples are needed")
    total, done = seeds * (len(separations) + len(pairs)), 0

    def over_seeds(measure: Callable[[int], T]) -> list[T]:
        nonlocal done
        found = []
        for seed in range(seeds):
            found.append(measure(seed))
            done += 1
            watch(done, total)
        return found

    draws = {delta: over_seeds(partial(_draw, separation=delta)) for delta in separations}
    shots = {(d, n): over_seeds(partial(_shots, separation=d, examples=n)) for d, n in pairs}
    result = TheoryResult(
        seeds=seeds,
        separations=tuple(_separation(name, d, draws[d]) for name in MODELS for d in draws),
        one_shots=tuple(
            _one_shot(d, n, square_root=kind, scores=[score[kind] for score in scores])
            for kind in (True, False)
            for (d, n), scores in shots.items()
        ),
        convergences=tuple(_convergence(name, d, draws[d]) for name in WAYS for d in draws),
    )
    write_theory(folder / RESULTS, result)
    return result


def _draw(seed: int, *, separation: float) -> _Draw:
    data = problem(seed, separation=separation)
    return _Draw(
        ratios=_ratios(seed, separation=separation),
        courses={
            name: course(data, way, separation=separation, seed=seed) for name, way in WAYS.items()
        },
    )


def _ratios(seed: int, *, separation: float) -> Mapping[str, Sequence[float]]:
    found: dict[str, list[float]] = {name: [] for name in MODELS}
    for draw in range(DRAWS * seed, DRAWS * (seed + 1)):
        optima = problem(draw, separation=separation, examples=1).optima
        for name, ratios in found.items():
            ratios.append(separation_ratio(collection(name, optima, draw), optima))
    return found


def _shots(seed: int, *, separation: float, examples: int) -> Mapping[bool, float]:
    data = problem(seed, separation=separation, examples=examples)
    models = collection("random", data.optima, seed)
    return {kind: one_shot(data, models, square_root=kind, seed=seed) for kind in (True, False)}


def _separation(models: str, separation: float, draws: Sequence[_Draw]) -> Separation:
    ratios = [ratio for draw in draws for ratio in draw.ratios[models]]
    return Separation(
        models=models,
        separation=separation,
        draws=len(ratios),
        least=_short(min(ratios)),
        middle=_short(median(ratios)),
        held=fmean(ratio >= 0.5 for ratio in ratios),
    )


def _one_shot(
    separation: float, examples: int, *, square_root: bool, scores: Sequence[float]
) -> OneShot:
    return OneShot(
        separation=separation,
        examples=examples,
        square_root=square_root,
        share=fmean(score == 1.0 for score in scores),
        ari=_short(fmean(scores)),
    )


def _convergence(way: str, separation: float, draws: Sequence[_Draw]) -> Convergence:
    courses = [draw.courses[way] for draw in draws]
    floor = noise_floor(DIMENSION)
    fitted = [contraction(found.distance, floor) for found in courses]
    factors = [factor for factor in fitted if factor is not None]
    middle = median(_first_round(found) for found in courses)
    return Convergence(
        way=way,
        separation=separation,
        distance=tuple(_short(median(d)) for d in zip(*(c.distance for c in courses), strict=True)),
        ari=tuple(_short(fmean(a)) for a in zip(*(c.ari for c in courses), strict=True)),
        factor=_short(median(factors)) if factors else None,
        least_factor=_short(min(factors)) if factors else None,
        proximal=fmean(found.distance[0] <= separation / 4 for found in courses),
        recovered=fmean(found.ari[-1] == 1.0 for found in courses),
        first_round=middle if middle < float("inf") else None,
    )


def _first_round(found: Course) -> float:
    return next((round_ for round_, ari in enumerate(found.ari, 1) if ari == 1.0), float("inf"))


def _short(value: float) -> float:
    """Return four significant digits: what is kept and shown."""
    return float(f"{value:.4g}")
