"""The membership game and its attackers."""

from pathlib import Path

import numpy as np
import pytest

from secure_clove.foundation.seeds import SimulatedEntropy, stream
from tests.threat_models.builders import best_target
from threat_models import statistics as stats
from threat_models.game import Game, Replayed, guarded, learned, matched_filter
from threat_models.statistics import Scores
from threat_models.targets import Target


@pytest.fixture(scope="module")
def target(run_folder: Path) -> Target:
    return best_target(run_folder)


@pytest.fixture(scope="module")
def game(target: Target) -> Game:
    return target.game("spike", guarded(None))


def test_zeroing_out_clears_one_row_and_keeps_the_count(target: Target) -> None:
    models = target.models["spike"][0]
    whole, less = Replayed(target.trainer), Replayed(target.trainer, without=target.index)
    kept = np.arange(target.trainer.examples) != target.index
    assert less.examples == whole.examples
    assert np.array_equal(less.losses(models)[kept], whole.losses(models)[kept])
    assert not less.losses(models)[target.index].any()


def test_a_replayed_trainer_answers_as_the_real_one(target: Target) -> None:
    models = target.models["scattered"][1]
    replayed = Replayed(target.trainer)
    assert np.array_equal(replayed.losses(models), target.trainer.losses(models))
    assert replayed.held_out == target.trainer.held_out
    assert replayed.architecture == target.trainer.architecture
    assert replayed.correct(models[0]) == target.trainer.correct(models[0])


def test_a_replayed_trainer_trains_as_the_real_one(target: Target) -> None:
    model, replayed = target.models["spike"][0][0], Replayed(target.trainer)
    for train, real in (
        (replayed.train, target.trainer.train),
        (replayed.train_locally, target.trainer.train_locally),
    ):
        ours, theirs = train(model, SimulatedEntropy(1)), real(model, SimulatedEntropy(1))
        assert np.array_equal(ours, theirs)


def test_remembered_losses_cannot_be_changed(target: Target) -> None:
    rows = Replayed(target.trainer).losses(target.models["spike"][0])
    with pytest.raises(ValueError, match="read-only"):
        rows[0] = 0.0


def test_the_target_moves_a_reply_by_the_whole_sensitivity(game: Game) -> None:
    moved = np.linalg.norm(game.shift.reshape(len(game.models), -1), axis=1)
    assert moved * game.inside.examples == pytest.approx(1, abs=1e-8)


def cancelling(count: int) -> tuple[Scores, Scores]:
    """Noise that is the same on all of 4 coordinates; the target moves each by a little more."""
    rng = stream(0, "cancelling")
    noise = rng.normal(0, 1, (2, count, 1)) + rng.normal(0, 1e-3, (2, count, 4))
    return noise[0] + np.array([0.02, 0.04, 0.06, 0.08]), noise[1]


def test_a_learned_attacker_sees_through_noise_that_coordinates_share(game: Game) -> None:
    inside, outside = cancelling(2000)
    weights = learned(game, inside[:500], outside[:500])
    assert stats.auc(inside[500:].sum(axis=1), outside[500:].sum(axis=1)) < 0.56
    assert stats.auc(inside[500:] @ weights, outside[500:] @ weights) > 0.999


def test_a_learned_attacker_stands_constant_replies(game: Game) -> None:
    inside, outside = np.ones((20, 3)), np.zeros((20, 3))
    weights = learned(game, inside, outside)
    assert np.isfinite(weights).all()
    assert (weights > 0).all()


def test_the_matched_filter_weighs_by_the_shift(game: Game) -> None:
    assert np.array_equal(matched_filter(game, np.ones((1, 1)), np.ones((1, 1))), game.shift)
