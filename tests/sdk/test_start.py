"""Where a federation starts from: equal models, shared layers, enough clients for its models."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from secure_clove.clustering.scores import adjusted_rand_index
from secure_clove.engine.coordinator import Coordinator
from secure_clove.engine.pipeline import unpack
from secure_clove.engine.state import Phase
from secure_clove.errors import ConfigError, TransportError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.learn.models import MakeModel, parameter_count
from secure_clove.learn.tasks import TorchTask
from secure_clove.sdk.config import PrivacySettings, Settings, TrainingSettings, plan
from secure_clove.sdk.entropy import SystemEntropy
from secure_clove.sdk.founding import sign_config, sign_roster
from secure_clove.sdk.operator import Operator
from secure_clove.sdk.results import FederationResult
from secure_clove.sdk.simulate import simulate
from secure_clove.secagg.keys import Identity
from secure_clove.stores.sql import SqlStore
from tests.builders import CLASSES, names, tiny_model, tiny_tasks

KEY = Identity.from_bytes(bytes(range(32)))
TRUTH = [number // 4 for number in range(8)]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def settings(**changes: Any) -> Settings:
    fields: dict[str, Any] = {
        "clusters": 2,
        "rounds": 4,
        "privacy": None,
        "training": TrainingSettings(learning_rate=1.0),
    }
    return Settings(**(fields | changes))


def network() -> nn.Module:
    """Three layers: 4 x 6 + 6, 6 x 5 + 5, 5 x 4 + 4 numbers."""
    return nn.Sequential(
        nn.Linear(CLASSES, 6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, CLASSES)
    )


def on_a_network(task: TorchTask) -> TorchTask:
    parts = ((part.x.numpy(), part.y.numpy()) for part in (task.training, task.held_out))
    train, test = parts
    return TorchTask(model=network, train=train, test=test)


def models(changed: Settings, model: MakeModel) -> Any:
    return unpack(plan(changed, model)[1])["models"]


def scores(result: FederationResult) -> list[float]:
    """Return how well the assignment of every round agrees with the truth."""
    found = [[report.assignment[c] for c in names(8)] for report in result.rounds]
    return [adjusted_rand_index(TRUTH, labels) for labels in found]


# ---- initialisation: clove.txt, section 5.2


@pytest.mark.parametrize("first", ["random", "evaluated"])
def test_the_clusters_are_found_from_equal_models(first: str) -> None:
    options = {"first_assignment": first, "clustering_rounds": 4}
    found = scores(simulate(settings(initial_models="same", options=options), tiny_tasks()))
    assert found[0] < 1
    assert found[-1] == 1


def test_from_equal_models_under_noise_every_client_gets_a_model() -> None:
    budgets = PrivacySettings(epsilon_total=30, epsilon_embedding=10, epsilon_metrics=5)
    changed = settings(initial_models="same", privacy=budgets, rounds=2)
    result = simulate(changed, tiny_tasks(), noise=SimulatedEntropy(0))
    assert set(result.rounds[-1].assignment) == set(names(8))


def test_equal_models_are_one_and_probes_stay_different() -> None:
    found = models(settings(initial_models="same", options={"probes": 3}), tiny_model())
    assert len(np.unique(found[:2], axis=0)) == 1
    assert len(np.unique(found, axis=0)) == 4


def test_the_start_is_part_of_what_clients_agree_to() -> None:
    one, other = (plan(settings(initial_models=way), tiny_model())[0] for way in BOTH)
    assert one.hash != other.hash


BOTH = ("same", "different")


@pytest.mark.parametrize("algorithm", ["fedavg", "ifca", "local"])
def test_every_algorithm_can_start_from_equal_models(algorithm: str) -> None:
    changed = settings(algorithm=algorithm, initial_models="same", rounds=1)
    assert simulate(changed, tiny_tasks()).rounds[0].cohort == 8


# ---- shared layers: clove.txt, appendix B.1


@pytest.mark.parametrize(("layers", "numbers"), [(1, 30), (2, 65)])
def test_shared_layers_are_the_weights_and_biases_of_the_first_layers(
    layers: int, numbers: int
) -> None:
    config, packed = plan(settings(shared_layers=layers), network)
    assert config.options["shared_parameters"] == numbers
    table = config.build().start(unpack(packed)["models"]).table
    assert len(np.unique(table[:, :numbers], axis=0)) == 1
    assert len(np.unique(table[:, numbers], axis=0)) == 2
    assert parameter_count(network()) == 89


def test_a_federation_that_shares_layers_finds_its_clusters_and_ends_with_them_shared() -> None:
    tasks = {client: on_a_network(task) for client, task in tiny_tasks().items()}
    result = simulate(settings(shared_layers=1, rounds=6), tasks)
    assert scores(result)[-1] == 1
    found = [client.model for client in result.clients.values() if client.model is not None]
    assert len(np.unique([model[:30] for model in found], axis=0)) == 1
    assert len(np.unique(found, axis=0)) == 2


@pytest.mark.parametrize("layers", [3, 4])
def test_sharing_every_layer_is_refused(layers: int) -> None:
    with pytest.raises(ConfigError, match=f"shared_layers is {layers} and the model has 3 layers"):
        plan(settings(shared_layers=layers), network)


def test_sharing_layers_and_numbers_at_once_is_refused() -> None:
    with pytest.raises(ConfigError, match="set one"):
        plan(settings(shared_layers=1, options={"shared_parameters": 3}), network)


@pytest.mark.parametrize("algorithm", ["fedavg", "ifca", "local"])
def test_only_clove_shares_layers(algorithm: str) -> None:
    with pytest.raises(ConfigError, match="shared_parameters"):
        plan(settings(algorithm=algorithm, shared_layers=1), network)


# ---- more models than clients


@pytest.mark.parametrize("selection", ["known", "silhouette", "elbow"])
def test_more_clusters_than_clients_are_refused_before_anything_is_written(
    selection: str, tmp_path: Path
) -> None:
    changed = settings(clusters=9, options={"selection": selection})
    with pytest.raises(ConfigError, match=r"9 clusters .* 8 clients; set clusters to 8 or less"):
        simulate(changed, tiny_tasks(), folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_as_many_clusters_as_clients_are_allowed() -> None:
    assert simulate(settings(clusters=8, rounds=1), tiny_tasks()).rounds[0].cohort == 8


@pytest.mark.parametrize("algorithm", ["fedavg", "local"])
def test_an_algorithm_without_clusters_has_no_use_for_their_number(algorithm: str) -> None:
    changed = settings(algorithm=algorithm, clusters=9, rounds=1)
    assert simulate(changed, tiny_tasks()).rounds[0].cohort == 8


def test_a_coordinator_refuses_the_roster_and_can_be_started_with_a_larger_one() -> None:
    config, initial = plan(settings(clusters=9), tiny_model())
    coordinator = Coordinator(SqlStore(None), SystemEntropy())
    name = coordinator.create(sign_config(config, KEY), initial)

    def roster(clients: int) -> dict[ClientId, bytes]:
        return {client: bytes([number] * 32) for number, client in enumerate(names(clients))}

    with pytest.raises(ConfigError, match=r"9 clusters .* 8 clients"):
        coordinator.start(name, sign_roster(config, roster(8), KEY), 0)
    assert coordinator.state(name).phase is Phase.ENROLLING
    assert coordinator.charter(name).roster is None
    coordinator.start(name, sign_roster(config, roster(9), KEY), 0)
    assert coordinator.state(name).phase is Phase.GATHERING


def test_an_operator_that_invites_too_few_is_told_before_anything_is_sent() -> None:
    config, initial = plan(settings(clusters=9), tiny_model())
    operator = Operator("http://127.0.0.1:9", KEY, patience_s=0.0)
    with pytest.raises(ConfigError, match=r"9 clusters .* 8 clients"):
        operator.create(config, initial, names(8))
    with pytest.raises(TransportError):
        operator.create(config, initial, names(9))


def test_a_round_of_fewer_participants_than_clusters_is_held() -> None:
    changed = settings(clusters=8, participation=0.5, rounds=2)
    assert [report.cohort for report in simulate(changed, tiny_tasks()).rounds] == [4, 4]
