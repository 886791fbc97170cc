"""A whole federation in this process, and what everybody takes home."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from secure_clove.clustering.scores import adjusted_rand_index
from secure_clove.engine.policy import Policy, check_config
from secure_clove.engine.progress import Progress
from secure_clove.errors import ConfigError, PolicyRefusedError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.models import linear
from secure_clove.learn.tasks import TorchTask
from secure_clove.privacy.ledger import ROUNDING
from secure_clove.sdk.config import PrivacySettings, Settings, TrainingSettings, plan
from secure_clove.sdk.results import FederationResult
from secure_clove.sdk.simulate import simulate
from tests.builders import names, tiny_tasks


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def settings(**changes: Any) -> Settings:
    fields: dict[str, Any] = {
        "clusters": 2,
        "rounds": 2,
        "privacy": None,
        "training": TrainingSettings(learning_rate=1.0),
    }
    return Settings(**(fields | changes))


@pytest.fixture(scope="module")
def plain() -> FederationResult:
    return simulate(settings(), tiny_tasks())


@pytest.fixture(scope="module")
def private() -> FederationResult:
    budgets = PrivacySettings(epsilon_total=30, epsilon_embedding=10, epsilon_metrics=5)
    return simulate(settings(privacy=budgets), tiny_tasks(), noise=SimulatedEntropy(0))


def test_the_clusters_are_found(plain: FederationResult) -> None:
    truth = [number // 4 for number in range(8)]
    assert adjusted_rand_index(truth, [plain.assignment[c] for c in names(8)]) == 1


def test_everybody_takes_a_good_model_home(plain: FederationResult) -> None:
    assert sorted(plain.clients) == list(names(8))
    assert min(result.accuracy or 0 for result in plain.clients.values()) >= 0.9


def test_there_is_one_report_a_round(plain: FederationResult) -> None:
    assert [report.round for report in plain.rounds] == [1, 2]


def test_members_of_a_cluster_take_the_same_model_home(plain: FederationResult) -> None:
    first, *others = (plain.clients[client].model for client in names(4))
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_without_privacy_the_cost_is_unbounded_and_the_statement_says_so(
    plain: FederationResult,
) -> None:
    result = plain.clients[names(1)[0]]
    assert result.spent.total == float("inf")
    assert "Guarantee: none" in result.privacy


def test_the_ledger_of_every_client_is_within_its_budget(private: FederationResult) -> None:
    for result in private.clients.values():
        assert 0 < result.spent.total <= 30 * (1 + ROUNDING)
        assert result.spent.embedding <= 10 * (1 + ROUNDING)
        assert result.spent.metrics <= 5 * (1 + ROUNDING)


def test_the_coordinator_and_the_clients_count_the_same_cost(private: FederationResult) -> None:
    last, result = private.rounds[-1], private.clients[names(1)[0]]
    assert last.epsilon_total == pytest.approx(result.spent.total)
    assert last.epsilon_embedding == pytest.approx(result.spent.embedding)


def test_a_client_that_allows_exactly_what_is_asked_takes_part() -> None:
    asked = PrivacySettings(epsilon_total=1.0, epsilon_embedding=0.5, epsilon_metrics=5.0)
    task = next(iter(tiny_tasks().values()))
    config, _ = plan(settings(privacy=asked), task.model)
    check_config(Policy(max_epsilon=5.0, delta=asked.delta), config, TorchLearner.of(task, config))


def test_a_client_that_allows_a_little_less_refuses() -> None:
    asked = PrivacySettings(epsilon_total=1.0, epsilon_embedding=0.5, epsilon_metrics=5.0)
    task = next(iter(tiny_tasks().values()))
    config, _ = plan(settings(privacy=asked), task.model)
    learner = TorchLearner.of(task, config)
    with pytest.raises(PolicyRefusedError, match="max_epsilon"):
        check_config(Policy(max_epsilon=4.999, delta=asked.delta), config, learner)


def test_a_result_of_simulated_noise_says_that_nothing_is_protected(
    private: FederationResult,
) -> None:
    result = private.clients[names(1)[0]]
    assert result.is_simulated
    assert result.privacy.startswith("SIMULATION")


def test_noise_of_the_operating_system_is_not_called_simulated(plain: FederationResult) -> None:
    assert not plain.clients[names(1)[0]].is_simulated


def test_a_result_does_not_print_its_model(plain: FederationResult) -> None:
    assert "model" not in repr(plain.clients[names(1)[0]])


def test_a_run_on_simulated_noise_can_be_repeated_to_the_last_bit(
    private: FederationResult,
) -> None:
    budgets = PrivacySettings(epsilon_total=30, epsilon_embedding=10, epsilon_metrics=5)
    again = simulate(settings(privacy=budgets), tiny_tasks(), noise=SimulatedEntropy(0))
    for client, result in private.clients.items():
        np.testing.assert_array_equal(again.clients[client].model, result.model)
    assert again.assignment == private.assignment


@pytest.mark.parametrize("algorithm", ["fedavg", "ifca", "local"])
def test_every_algorithm_runs(algorithm: str) -> None:
    result = simulate(settings(algorithm=algorithm), tiny_tasks(clients_per_cluster=2))
    assert all(one.model is not None for one in result.clients.values())


def test_local_training_spends_nothing_on_updates() -> None:
    made = settings(algorithm="local", privacy=PrivacySettings())
    result = simulate(made, tiny_tasks(clients_per_cluster=2))
    assert {one.spent.total for one in result.clients.values()} == {0}


def test_without_held_out_examples_there_is_no_accuracy() -> None:
    tasks = tiny_tasks(clients_per_cluster=2, held_out=0)
    result = simulate(settings(algorithm="fedavg", rounds=1), tasks)
    assert {one.accuracy for one in result.clients.values()} == {None}


def test_a_regression_has_no_accuracy() -> None:
    def regression(client: ClientId) -> TorchTask:
        x = np.random.default_rng(len(client)).normal(size=(12, 3))
        pair = (x, x[:, :2])
        return TorchTask(model=lambda: linear(3, 2), train=pair, test=pair, loss="mse")

    tasks = {client: regression(client) for client in names(4)}
    result = simulate(settings(algorithm="fedavg", rounds=1), tasks)
    assert {one.accuracy for one in result.clients.values()} == {None}


def test_the_coordinators_database_is_kept_where_asked(tmp_path: Path) -> None:
    made = settings(algorithm="local", rounds=1)
    simulate(made, tiny_tasks(clients_per_cluster=2), folder=tmp_path)
    assert (tmp_path / "coordinator.sqlite").is_file()


def test_every_step_can_be_watched() -> None:
    seen: list[Progress] = []
    made = settings(algorithm="local", rounds=1)
    simulate(made, tiny_tasks(clients_per_cluster=2), watch=seen.append)
    assert {progress.client for progress in seen} == set(names(4))
    assert {"begun", "masked", "unmask"} <= {progress.step for progress in seen}


def test_a_federation_without_clients_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs clients"):
        simulate(settings(), {})


def test_fewer_clients_than_a_sum_needs_are_refused() -> None:
    with pytest.raises(ConfigError, match="the roster has 2 clients"):
        simulate(settings(), tiny_tasks(clients_per_cluster=1))


def test_a_client_with_another_model_refuses_to_take_part() -> None:
    tasks = tiny_tasks(clients_per_cluster=2)
    x, y = np.zeros((4, 5)), np.arange(4) % 2
    tasks[names(4)[3]] = TorchTask(model=lambda: linear(5, 2), train=(x, y), test=(x, y))
    with pytest.raises(PolicyRefusedError, match="architecture"):
        simulate(settings(), tasks)


def test_whole_clients_are_hidden_in_a_federation_of_one_model() -> None:
    privacy = PrivacySettings(unit="client", noise="distributed", epsilon_total=4.0, clip=0.5)
    training = TrainingSettings(learning_rate=0.1, epochs=2, batch_size=8)  # free where all is cut
    made = settings(
        algorithm="fedavg", options={"quantile": 0.5}, privacy=privacy, training=training
    )
    result = simulate(made, tiny_tasks(), noise=SimulatedEntropy(0))
    (spent,) = {client.spent for client in result.clients.values()}
    assert spent.unit == "client"
    assert spent.total == pytest.approx(4.0, rel=1e-3)
    assert result.rounds[-1].snr_update is not None
    assert "this client as a whole" in result.clients[names(8)[0]].privacy
