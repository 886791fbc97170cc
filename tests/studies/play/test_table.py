"""The table plays what a federation plays."""

from dataclasses import asdict, replace
from functools import cache
from math import ceil
from typing import Any

import numpy as np
import pytest

from secure_clove.engine.terms import NoiseMode
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.learn.executions import Execution, Executions
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.sgd import TrainingSpec
from secure_clove.sdk.config import PrivacySettings, Settings, TrainingSettings, plan
from secure_clove.sdk.simulate import simulate
from secure_clove.studies.play.cell import Cell, UpdateNoise, training_plan
from secure_clove.studies.play.clients import clients_of
from secure_clove.studies.play.crew import Alone
from secure_clove.studies.play.table import Measured, Table
from tests.studies.play.builders import ALGORITHMS, alone, images, pictures, regression, table

AT_ONCE = Executions(losses=Execution.VMAP, training=Execution.VMAP)


def played(cell: Cell, *, evaluate_every: int = 10) -> list[Measured]:
    return list(table(cell).rounds(cell.rounds, evaluate_every=evaluate_every))


def settings_of(cell: Cell, privacy: PrivacySettings | None = None) -> Settings:
    """Return the federation that is as ``cell``."""
    setting = cell.setting
    fields: dict[str, Any] = {"algorithm": setting.algorithm, "options": {**setting.options}}
    return Settings(
        **fields,
        name=f"{setting.dataset}-{setting.kind}",
        clusters=setting.clusters,
        rounds=cell.rounds,
        seed=cell.seed,
        min_cohort=3,
        initial_models=setting.starts,
        privacy=privacy,
        training=TrainingSettings(**asdict(training_plan(cell))),
    )


def check_alike(cell: Cell, privacy: PrivacySettings | None = None) -> None:
    """Hold the table against a federation with keys, masks and signatures.

    Alike are each client's loss, hits and model number.
    """
    tasks, noise = clients_of(cell, images).tasks, SimulatedEntropy(cell.seed)
    last, whole = played(cell)[-1], simulate(settings_of(cell, privacy), tasks, noise=noise)
    spec = TrainingSpec(**asdict(training_plan(cell)))
    for client, task in clients_of(cell, images).tasks.items():
        model = whole.clients[client].model
        assert model is not None
        score = TorchLearner(task, spec).score(model, training=False)
        assert last.held_out[client].loss == pytest.approx(score.loss, rel=2e-3)
        assert last.held_out[client].hits == score.hits
    if cell.setting.algorithm == "clove":
        assert last.assignment == whole.assignment


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_table_plays_what_a_federation_with_masks_plays(algorithm: str) -> None:
    check_alike(regression(algorithm=algorithm))


def test_so_it_does_on_images() -> None:
    check_alike(pictures(algorithm="fedavg"))


def test_so_it_does_from_equal_initial_models() -> None:
    options = {"first_assignment": "random"}
    check_alike(regression(algorithm="clove", starts="same", options=options))


@pytest.mark.parametrize("mode", ["local", "distributed"])
@pytest.mark.parametrize("algorithm", ["clove", "fedavg"])
def test_so_it_does_with_noised_gradients(algorithm: str, mode: NoiseMode) -> None:
    cell = regression(algorithm=algorithm, training="gradient", learning_rate=0.1)
    asked = PrivacySettings(epsilon_total=8, epsilon_embedding=7, clip=2.0, noise=mode)
    found = plan(settings_of(cell, asked), clients_of(cell, images).model)[0].privacy
    assert found is not None
    updates = UpdateNoise(multiplier=found.update, clip=found.clip, mode=mode)
    check_alike(private(cell, noise=found.embedding, updates=updates), asked)


def private(cell: Cell, **changes: Any) -> Cell:
    return replace(cell, setting=replace(cell.setting, **changes))


@cache
def last(algorithm: str) -> Measured:
    return played(regression(algorithm=algorithm))[-1]


def test_clove_finds_the_planted_clusters() -> None:
    cell = regression(examples=200)
    truth, found = table(cell).truth, played(cell)[-1].assignment
    assert len({(truth[c], found[c]) for c in truth}) == 2


def test_the_picks_of_ifca_are_seen() -> None:
    assert set(last("ifca").assignment) == set(table(regression()).truth)


def test_fedavg_is_one_cluster() -> None:
    assert set(last("fedavg").assignment.values()) == {0}


def test_clients_that_train_alone_have_no_assignment() -> None:
    assert last("local").assignment == {}


def test_training_examples_are_scored_when_asked_and_at_the_end() -> None:
    found = played(regression(), evaluate_every=2)
    assert [measured.training is not None for measured in found] == [False, True, True]


def test_rounds_that_were_played_are_not_played_again() -> None:
    at = table(regression())
    assert [m.round for m in at.rounds(2, evaluate_every=1)] == [1, 2]
    assert [m.round for m in at.rounds(3, evaluate_every=1)] == [3]
    assert (at.round, list(at.rounds(3, evaluate_every=1))) == (3, [])


def test_one_gradient_step_is_a_way_to_train() -> None:
    assert training_plan(regression(training="gradient")).steps == 1
    assert len(played(regression(training="gradient", algorithm="fedavg"))) == 3


# ---- participation


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.51, 1.0])
def test_the_cohort_is_its_share_of_the_clients_rounded_up(share: float) -> None:
    for measured in played(regression(algorithm="fedavg", participation=share)):
        assert len(set(measured.cohort)) == ceil(8 * share)


def cohorts(**changes: Any) -> list[tuple[str, ...]]:
    return [m.cohort for m in played(regression(participation=0.5, **changes))]


def test_the_cohort_is_the_same_for_the_same_seed_and_another_in_another_round() -> None:
    found = cohorts(algorithm="fedavg")
    assert found == cohorts(algorithm="fedavg") == cohorts(algorithm="local")
    assert len(set(found)) > 1


def test_another_seed_draws_another_cohort() -> None:
    assert cohorts(algorithm="fedavg") != cohorts(algorithm="fedavg", seed=1)


def test_a_client_of_clove_that_was_never_drawn_has_no_score() -> None:
    (first,) = played(regression(participation=0.5, rounds=1))
    assert set(first.held_out) == set(first.assignment) == set(first.cohort)


# ---- heat


def test_a_model_loses_less_on_its_own_cluster_than_on_another() -> None:
    at = table(regression(examples=200))
    list(at.rounds(6, evaluate_every=6))
    heat = at.heat()
    assert heat.shape == (2, 2)
    assert (np.diag(heat) < heat[[0, 1], [1, 0]]).all()


def test_the_heat_of_a_model_that_all_share_is_one_column() -> None:
    at = table(regression(algorithm="fedavg"))
    list(at.rounds(1, evaluate_every=1))
    heat = at.heat()
    assert np.array_equal(heat[:, 0], heat[:, 1])


def test_a_cluster_in_which_nobody_has_a_model_is_left_out_of_the_heat() -> None:
    at = table(regression(participation=0.125, rounds=1, options={"first_assignment": "random"}))
    list(at.rounds(1, evaluate_every=1))
    assert at.heat().shape == (1, 1)


# ---- saving


def test_a_table_goes_on_where_it_was_saved() -> None:
    cell = regression()
    at = table(cell)
    list(at.rounds(1, evaluate_every=1))
    again = Table(cell, alone(), saved=at.save())
    rest = [m.held_out for m in at.rounds(3, evaluate_every=1)]
    assert [m.held_out for m in again.rounds(3, evaluate_every=1)] == rest


def test_a_crew_finds_out_which_execution_is_faster() -> None:
    found = Table(regression(), Alone(images)).save().executions
    assert {found.losses, found.training} <= set(Execution)


def test_what_the_probe_found_is_kept() -> None:
    first = Table(regression(), alone(AT_ONCE)).save()
    assert Table(regression(), alone(), saved=first).save().executions == AT_ONCE


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_all_clients_at_once_come_to_the_same_up_to_rounding(algorithm: str) -> None:
    cell = regression(algorithm=algorithm)
    one = played(cell)[-1]
    *_, other = Table(cell, alone(AT_ONCE)).rounds(cell.rounds, evaluate_every=10)
    assert other.assignment == one.assignment
    for client, score in one.held_out.items():
        assert other.held_out[client].loss == pytest.approx(score.loss, rel=1e-4)
