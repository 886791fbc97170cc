"""A view holds what the coordinator has, decoded as it decodes it, and nothing else."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from secure_clove.engine.plan import EMBEDDING_STEP, Config
from secure_clove.errors import ConfigError, MalformedError, NotFoundError, StoreError
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.stores.sql import SqlStore
from tests.threat_models.builders import RECIPE_OF_TESTS, settings
from threat_models.game import guarded
from threat_models.suite import case_of
from threat_models.views import DATABASE, coordinator_view
from threat_models.world import RECIPE, SETTINGS, load_world


def test_every_client_released_one_embedding_a_clustering(run_folder: Path) -> None:
    view = coordinator_view(run_folder / "coordinator")
    assert [seen.round for seen in view.embeddings] == list(range(1, len(view.embeddings) + 1))
    assert set(view.releases.values()) == {len(view.embeddings)}
    assert len(view.releases) == 8


def test_only_exchanges_of_single_replies_are_in_the_view(run_folder: Path) -> None:
    view = coordinator_view(run_folder / "coordinator")
    assert {seen.exchange for seen in view.singles} == {"losses"}


def test_every_masked_sum_of_every_round_is_in_the_view(hidden_folder: Path) -> None:
    sums = coordinator_view(hidden_folder / "coordinator").sums
    held = [(number, name) for number in (1, 2) for name in ("moments", "sketch", "join", "train")]
    assert [(seen.round, seen.exchange) for seen in sums] == held


def test_a_sum_holds_what_its_members_sent(hidden_folder: Path) -> None:
    case = case_of(hidden_folder)
    examples = {one: len(data.train_y) for one, data in case.world.federation.clients.items()}
    for seen in case.view.summed("train"):
        assert seen.members == tuple(sorted(examples))
        assert seen.total["examples"].sum() == sum(examples.values())
    for seen in case.view.summed("join"):
        assert seen.total["place"].sum() == len(examples)


def test_groups_have_sums_of_their_own_where_membership_is_visible(visible_folder: Path) -> None:
    view = coordinator_view(visible_folder / "coordinator")
    last = [seen for seen in view.summed("train") if seen.round == 2]
    placed = [client for seen in last for client in seen.members]
    assert len(last) > 1
    assert len(placed) == len(set(placed))


def test_a_sum_comes_with_its_coin_and_the_sizes_of_all_messages(hidden_folder: Path) -> None:
    for seen in coordinator_view(hidden_folder / "coordinator").sums:
        assert len(seen.coin) == 32
        assert set(seen.sent) == {"advert", "shares", "masked", "consistency", "unmask"}
        assert all(set(heard) == set(seen.members) for heard in seen.sent.values())


def test_hidden_membership_leaves_no_single_reply(hidden_folder: Path) -> None:
    assert coordinator_view(hidden_folder / "coordinator").singles == ()


def test_visible_membership_leaves_the_clients_places_alone(visible_folder: Path) -> None:
    view = coordinator_view(visible_folder / "coordinator")
    assert {seen.exchange for seen in view.singles} <= {"join", "rejoin", "arrive"}
    assert view.embeddings == ()
    assert all(tree.keys() == {"place"} for seen in view.singles for tree in seen.replies.values())


def test_releases_count_in_sums_too(hidden_folder: Path) -> None:
    assert set(coordinator_view(hidden_folder / "coordinator").releases.values()) == {2}


def test_a_damaged_masked_vector_is_not_summed(hidden_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "coordinator"
    shutil.copytree(hidden_folder / "coordinator", folder)
    with closing(sqlite3.connect(folder / DATABASE)) as database:
        database.execute("UPDATE bodies SET body = x'00' WHERE step = 'unmask'")
        database.commit()
    with pytest.raises(MalformedError):
        coordinator_view(folder)


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
