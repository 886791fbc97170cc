"""Inferring a client's labels, by watching and by sending class models."""

from pathlib import Path

import numpy as np
import pytest

from secure_clove.foundation.seeds import SimulatedEntropy, stream
from tests.threat_models.builders import one_by_one
from threat_models import shadows
from threat_models.base import Case, NotApplicable, Verdict
from threat_models.class_models import REPLAYS, ClassModels, probes
from threat_models.evidence import clear_vectors, clusterings
from threat_models.label_inference import SLACK, LabelInference, Truth
from threat_models.suite import case_of
from threat_models.views import CoordinatorView

ACTIVE = ClassModels(noise=SimulatedEntropy(3))


def attacked(attack: LabelInference | ClassModels, folder: Path) -> Verdict:
    found = attack.run(case_of(folder), 100, lambda _: None)
    assert isinstance(found, Verdict)
    return found


# ---- what counts


def test_the_prior_is_the_best_constant_guess_of_each_group() -> None:
    labels = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]])
    truth = Truth(labels=labels, is_dominant=labels > 0.5)
    assert truth.prior(np.zeros(3, dtype=np.int64)) == pytest.approx(2 / 3)
    assert truth.prior(np.array([0, 0, 1])) == 1


def test_a_right_guess_hits_and_is_not_apart() -> None:
    labels = np.array([[0.9, 0.1], [0.3, 0.7]])
    truth = Truth(labels=labels, is_dominant=labels > 0.5)
    assert truth.hits(labels) == 2
    assert truth.distances(labels) == pytest.approx([0, 0])
    assert truth.distances(1 - labels) == pytest.approx([1.6, 0.8])


def test_shadow_clients_have_the_labels_of_the_population(run_folder: Path) -> None:
    case = case_of(run_folder)
    crowd = shadows.draw(case, stream(0, "shadows"))
    population = shadows.histograms(case, tuple(case.world.tasks)).mean(axis=0)
    assert crowd.labels.mean(axis=0) == pytest.approx(population, abs=0.1)


def test_shadow_vectors_without_noise_lie_among_the_clients(run_folder: Path) -> None:
    case = case_of(run_folder)
    found = clusterings(case.view)[-1]
    crowd = shadows.draw(case, stream(0, "shadows"))
    known = crowd.vectors(found.models, sigma=0.0, rng=stream(0, ""))
    real = clear_vectors(case, found)
    nearest = np.linalg.norm(real[:, None] - known[None], axis=2).min(axis=1)
    assert nearest.max() < np.linalg.norm(real - real.mean(axis=0), axis=1).mean()


@pytest.mark.parametrize("count", [10, 20])
def test_class_models_read_label_shares_off_a_clear_vector(count: int) -> None:
    asked = probes(count, parameters=650, classes=10)
    shares = stream(0, "shares").dirichlet(np.ones(10))
    assert asked.labels(shares @ asked.directions) == pytest.approx(shares, abs=1e-6)


def test_losses_of_class_models_depend_on_the_label_alone(run_folder: Path) -> None:
    case = case_of(run_folder)
    client = min(case.world.tasks)
    asked = probes(3, parameters=650, classes=10)
    rows = case.world.learner(client, case.view.config).losses(asked.models)
    labels = case.world.federation.clients[client].train_y
    for label in np.unique(labels):
        assert np.ptp(rows[labels == label], axis=0).max() < 1e-6


# ---- by watching


def test_noised_vectors_give_labels_away(noised_folder: Path) -> None:
    found = attacked(LabelInference(), noised_folder)
    assert found.with_defence == 1
    assert found.interval_with[0] > float(str(found.extras["prior"]))
    assert found.bound is None
    assert "above the prior" in found.verdict


def test_hidden_membership_leaves_the_prior(hidden_folder: Path) -> None:
    found = attacked(LabelInference(), hidden_folder)
    assert found.passed
    assert found.bound == pytest.approx(0.5 + SLACK)
    assert found.with_defence <= 0.5


def test_visible_membership_leaves_the_prior_of_the_cluster(visible_folder: Path) -> None:
    found = attacked(LabelInference(), visible_folder)
    assert found.passed
    assert found.bound == 1.0
    assert "by design" in found.note


def test_sums_of_single_clients_are_found_out(hidden_folder: Path) -> None:
    leaking = one_by_one(case_of(hidden_folder), "moments")
    found = LabelInference().run(leaking, 100, lambda _: None)
    assert isinstance(found, Verdict)
    assert not found.passed


def test_clear_vectors_give_every_label_away(hidden_folder: Path) -> None:
    assert attacked(LabelInference(), hidden_folder).without_defence == 1


# ---- by sending class models


def test_class_models_work_where_vectors_are_noised(noised_folder: Path) -> None:
    found = attacked(ACTIVE, noised_folder)
    assert found.interval_with[0] > 0.5
    assert found.trials == 8 * REPLAYS


def test_class_models_tell_less_where_no_more_centroids_than_models_are_taken(
    visible_folder: Path, noised_folder: Path
) -> None:
    found = attacked(ACTIVE, visible_folder)
    assert found.with_defence < attacked(ACTIVE, noised_folder).with_defence
    assert found.bound is None
    assert "one centroid a class" in found.note


def test_class_models_get_the_prior_where_membership_is_hidden(hidden_folder: Path) -> None:
    found = attacked(ACTIVE, hidden_folder)
    assert found.passed
    assert found.bound == pytest.approx(0.5 + SLACK)
    assert found.with_defence <= 0.5


@pytest.mark.parametrize("attack", [LabelInference(), ACTIVE])
def test_a_run_without_embeddings_has_no_labels_to_infer(
    attack: LabelInference | ClassModels, hidden_folder: Path
) -> None:
    case = case_of(hidden_folder)
    silent = CoordinatorView(config=case.view.config, singles=())
    found = attack.run(Case(view=silent, world=case.world), 100, lambda _: None)
    assert isinstance(found, NotApplicable)
