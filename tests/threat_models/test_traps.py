"""Trap models react to their target and to nothing else."""

from pathlib import Path

import numpy as np
import pytest

from secure_clove.foundation.seeds import stream
from tests.threat_models.builders import best_target
from threat_models import traps
from threat_models.suite import case_of
from threat_models.targets import Target, targets, tripped
from threat_models.traps import LOUD


@pytest.fixture(scope="module")
def target(run_folder: Path) -> Target:
    return best_target(run_folder)


@pytest.mark.parametrize("pattern", traps.PATTERNS)
def test_the_models_disagree_about_the_target_only(target: Target, pattern: str) -> None:
    for models in target.models[pattern]:
        spread = np.ptp(target.trainer.losses(models), axis=1)
        assert spread[target.index] > 1
        assert np.delete(spread, target.index).max() == 0


def test_a_trap_is_loud_on_the_target(target: Target) -> None:
    losses = target.trainer.losses(target.models["spike"][0])[target.index]
    assert losses[0] == pytest.approx(LOUD, abs=0.1)
    assert losses[1:] == pytest.approx(np.log(9), abs=1e-3)  # nine classes are left to guess


def test_no_other_example_of_the_client_reacts(target: Target) -> None:
    assert tripped(target) == 0


def test_every_example_of_a_client_is_a_target(run_folder: Path) -> None:
    case = case_of(run_folder)
    client = min(case.view.releases)
    found = targets(case, client, 2)
    assert [each.index for each in found] == list(range(found[0].trainer.examples))


@pytest.mark.parametrize("pattern", traps.PATTERNS)
@pytest.mark.parametrize(("releases", "count"), [(1, 2), (3, 5), (4, 7)])
def test_every_release_tells_models_apart(pattern: str, releases: int, count: int) -> None:
    heights = traps.PATTERNS[pattern](releases, count)
    assert heights.shape == (releases, count)
    assert (np.ptp(heights, axis=1) > 1).all()


@pytest.mark.parametrize("pattern", traps.PATTERNS)
def test_no_pattern_repeats_itself_in_the_next_release(pattern: str) -> None:
    heights = traps.PATTERNS[pattern](3, 5)
    assert not np.array_equal(heights[0], heights[1])


def test_the_trap_class_is_neither_the_targets_nor_held_by_the_client(run_folder: Path) -> None:
    federation = case_of(run_folder).world.federation
    own = next(iter(federation.clients.values()))
    chosen = traps.trap_class(own, 0, federation.classes)
    assert chosen not in own.train_y


def test_a_point_inside_a_crowd_does_not_stand_out() -> None:
    crowd = stream(0, "crowd").normal(size=(200, 3)).astype(np.float32)
    assert traps.direction(crowd.mean(axis=0) * 0.5, crowd).gap < 0


def test_a_point_far_outside_stands_out_by_one_after_scaling() -> None:
    crowd = stream(0, "crowd").normal(size=(200, 3)).astype(np.float32)
    point = np.array([30.0, 0.0, 0.0], dtype=np.float32)
    where = traps.direction(point, crowd)
    assert where.gap > 0
    assert (where.normal @ point) - (crowd @ where.normal).max() == pytest.approx(1)
