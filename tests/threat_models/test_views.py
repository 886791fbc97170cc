"""A view holds what the coordinator has, decoded as it decodes it, and nothing else."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from secure_clove.engine.plan import EMBEDDING_STEP, Config
from secure_clove.errors import ConfigError, NotFoundError, StoreError
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.stores.sql import SqlStore
from tests.threat_models.builders import RECIPE_OF_TESTS, settings
from threat_models.game import guarded
from threat_models.suite import case_of
from threat_models.views import coordinator_view
from threat_models.world import RECIPE, SETTINGS, load_world


def test_every_client_released_one_embedding_a_clustering(run_folder: Path) -> None:
    view = coordinator_view(run_folder / "coordinator")
    assert [seen.round for seen in view.embeddings] == list(range(1, len(view.embeddings) + 1))
    assert set(view.releases.values()) == {len(view.embeddings)}
    assert len(view.releases) == 8


def test_only_exchanges_of_single_replies_are_in_the_view(run_folder: Path) -> None:
    view = coordinator_view(run_folder / "coordinator")
    assert {seen.exchange for seen in view.singles} == {"losses"}


def test_replies_are_the_clients_own_words(bare_folder: Path) -> None:
    case = case_of(bare_folder)
    seen = case.view.embeddings[0]
    for client, tree in seen.replies.items():
        learner = case.world.learner(client, case.view.config)
        models = seen.asks[client]["models"]
        said = guarded(None)(learner, models, SimulatedEntropy(0))
        assert np.array_equal(tree["losses"], said)


def test_noised_replies_lie_on_the_public_grid(run_folder: Path) -> None:
    for seen in coordinator_view(run_folder / "coordinator").embeddings:
        for tree in seen.replies.values():
            steps = tree["losses"] / EMBEDDING_STEP
            assert np.array_equal(steps, np.rint(steps))


def test_the_world_is_the_one_of_the_run(run_folder: Path) -> None:
    case = case_of(run_folder)
    case.world.check(case.view.config)
    assert case.world.settings == settings()
    assert set(case.view.releases) == set(case.world.tasks)


def test_a_folder_without_a_store_is_refused_and_stays_empty(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="finished run"):
        coordinator_view(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_store_without_a_federation_is_refused(tmp_path: Path) -> None:
    SqlStore(tmp_path).close()
    with pytest.raises(StoreError, match="one federation expected"):
        coordinator_view(tmp_path)


def test_a_store_that_lost_its_artefacts_is_refused(run_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(run_folder / "coordinator", tmp_path / "coordinator")
    shutil.rmtree(tmp_path / "coordinator" / "artefacts")
    with pytest.raises(NotFoundError):
        coordinator_view(tmp_path / "coordinator")


def test_a_run_without_settings_is_refused(run_folder: Path, tmp_path: Path) -> None:
    shutil.copy(run_folder / RECIPE, tmp_path)
    with pytest.raises(StoreError, match=SETTINGS):
        load_world(tmp_path)


def test_a_recipe_that_is_not_known_is_refused(run_folder: Path, tmp_path: Path) -> None:
    shutil.copy(run_folder / SETTINGS, tmp_path)
    other = RECIPE_OF_TESTS.model_dump_json().replace("digits", "faces")
    (tmp_path / RECIPE).write_text(other)
    with pytest.raises(StoreError, match="dataset"):
        load_world(tmp_path)


def test_a_run_of_another_architecture_is_refused(run_folder: Path) -> None:
    case = case_of(run_folder)
    other = type(case.world).of(case.world.settings, RECIPE_OF_TESTS.federation())
    with pytest.raises(ConfigError, match="architecture"):
        other.check(_with_architecture(case.view.config))


def _with_architecture(config: Config) -> Config:
    return replace(config, architecture="0" * 16)
