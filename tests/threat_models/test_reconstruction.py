"""Rebuilding vectors from sums: inversion of a sketch, and what masked Lloyd would give away."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from secure_clove.clustering.sketch import (
    Moments,
    axes_of,
    features,
    frequencies,
    scale_of,
)
from secure_clove.foundation.seeds import SimulatedEntropy, stream
from tests.threat_models.builders import cohort, one_by_one
from threat_models import lloyd
from threat_models.base import Case, NotApplicable, Verdict
from threat_models.inversion import Problem, Published, distance, guess, matched
from threat_models.reconstruction import BOUND, FEWEST_GAMES, Reconstruction, games
from threat_models.suite import case_of
from threat_models.views import CoordinatorView

ATTACK = Reconstruction(noise=SimulatedEntropy(7))


def published(vectors: np.ndarray, count: int) -> Published:
    """What a cohort with these vectors publishes, all of it one cluster."""
    moments = Moments(mean=vectors.mean(axis=0), covariance=np.cov(vectors.T, bias=True))
    axes = axes_of(moments, clusters=vectors.shape[1] + 1)
    scale = scale_of(moments)
    drawn = frequencies(
        count, vectors.shape[1], scale=scale, rng=stream(0, "frequencies"), axes=axes
    )
    return Published(
        features=features(vectors, drawn).mean(axis=0),
        frequencies=drawn,
        moments=moments,
        axes=axes,
        scale=scale,
        centroids=np.tile(moments.mean, (len(vectors), 1)),
        spread=scale,
    )


def vectors(count: int, dimension: int = 2) -> np.ndarray:
    return stream(1, "vectors").normal(size=(count, dimension))


# ---- the inversion


def test_order_does_not_count_in_a_distance() -> None:
    rows = vectors(6)
    assert distance(rows[::-1], rows) == 0
    assert matched(rows[::-1], rows) == pytest.approx(rows)


def test_a_distance_is_a_root_mean_square() -> None:
    assert distance(np.zeros((2, 2)), np.array([[3.0, 4.0], [0.0, 0.0]])) == pytest.approx(
        np.sqrt(12.5)
    )


def test_slopes_are_those_of_the_misfit() -> None:
    problem, point = Problem.of(published(vectors(5), 6), 5), stream(2, "point").normal(size=10)
    slopes, step = problem.slopes(point), 1e-6
    for place in range(10):
        moved = np.zeros(10)
        moved[place] = step
        up, down = (problem.off(point + sign * moved) for sign in (1, -1))
        assert slopes[:, place] == pytest.approx((up - down) / (2 * step), abs=1e-7)


def test_the_true_vectors_fit() -> None:
    rows = vectors(5)
    held = published(rows, 6)
    assert Problem.of(held, 5).off(held.along(rows).ravel()) == pytest.approx(0, abs=1e-12)


def test_many_features_of_few_clients_give_the_vectors_away() -> None:
    rows = vectors(4)
    assert distance(guess(published(rows, 20), stream(3, "")), rows) < 0.05


def test_few_features_of_many_clients_do_not() -> None:
    rows = vectors(40)
    assert distance(guess(published(rows, 2), stream(3, "")), rows) > 0.2


def test_directions_without_features_follow_from_the_moments_as_far_as_they_do() -> None:
    rows = vectors(4)
    bent = np.column_stack([rows, rows @ [1.0, -2.0]])  # a third coordinate that the others fix
    held = published(bent, 20)
    axes = axes_of(held.moments, clusters=3)
    drawn = frequencies(20, 3, scale=held.scale, rng=stream(0, "two"), axes=axes)
    seen = replace(held, axes=axes, frequencies=drawn, features=features(bent, drawn).mean(axis=0))
    assert distance(guess(seen, stream(3, "")), bent) < 0.1


# ---- masked Lloyd iterations


def test_a_single_cluster_determines_nobody() -> None:
    assert lloyd.determined(vectors(10), 1, stream(0, "lloyd")) == 0


def test_restarts_determine_most_of_a_cohort() -> None:
    spread = vectors(25, 4)
    assert lloyd.determined(spread, 5, stream(0, "lloyd")) > 0.5


# ---- on a run


def attacked(case: Case) -> Verdict:
    found = ATTACK.run(case, 100, lambda _: None)
    assert isinstance(found, Verdict)
    return found


def test_a_sketch_of_the_demos_cohort_keeps_its_vectors() -> None:
    found = attacked(cohort(probes=15))
    assert found.passed
    assert found.interval_with[1] >= BOUND
    assert float(str(found.extras["clear_vectors"])) > 0.95
    assert float(str(found.extras["lloyd_determines"])) > 0.5


def test_a_sketch_with_more_numbers_than_its_vectors_is_found_out() -> None:
    found = attacked(cohort(probes=0, clients_per_cluster=3, features=60))
    assert not found.passed
    assert found.with_defence < 0.1


def test_features_of_single_clients_are_found_out() -> None:
    found = attacked(one_by_one(cohort(probes=15), "sketch"))
    assert not found.passed
    assert found.with_defence < 0.05


def test_vectors_in_the_clear_need_no_rebuilding(run_folder: Path) -> None:
    found = attacked(case_of(run_folder))
    assert found.with_defence == 0
    assert found.bound is None
    assert "no promise" in found.verdict


def test_a_run_without_embeddings_has_no_vectors_to_rebuild(hidden_folder: Path) -> None:
    case = case_of(hidden_folder)
    silent = CoordinatorView(config=case.view.config, singles=())
    found = ATTACK.run(Case(view=silent, world=case.world), 100, lambda _: None)
    assert isinstance(found, NotApplicable)


def test_progress_adds_up_to_the_announced_work() -> None:
    told: list[int] = []
    case = cohort(probes=0, clients_per_cluster=2)
    ATTACK.run(case, 100, told.append)
    assert sum(told) == ATTACK.work(case, 100) == FEWEST_GAMES


def test_there_are_few_games_however_many_trials() -> None:
    assert games(1) == FEWEST_GAMES
    assert games(10**6) <= 8
