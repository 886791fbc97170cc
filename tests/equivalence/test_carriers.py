"""HTTP adds nothing and takes nothing away."""

import time
from pathlib import Path

import numpy as np
import pytest

from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.sdk.keys import new_identity
from secure_clove.sdk.results import FederationResult
from secure_clove.sdk.simulate import simulate
from secure_clove.studies.crowd import Crowd
from tests.equivalence.builders import SETTINGS, Process, begin, found, last_state, tasks


@pytest.fixture(scope="module")
def in_process(tmp_path_factory: pytest.TempPathFactory) -> tuple[FederationResult, str]:
    folder = tmp_path_factory.mktemp("local")
    result = simulate(SETTINGS, tasks(), noise=SimulatedEntropy(11), folder=folder)
    return result, last_state(folder)


def wait(crowd: Crowd) -> None:
    while not crowd.is_done:
        time.sleep(0.05)
    assert crowd.failures == {}


def assert_same(crowd: Crowd, folder: Path, expected: tuple[FederationResult, str]) -> None:
    result, state = expected
    assert last_state(folder) == state
    for client, mine in crowd.results.items():
        twin = result.clients[client]
        assert mine.model is not None
        assert twin.model is not None
        np.testing.assert_array_equal(mine.model, twin.model)
        assert (mine.accuracy, mine.spent) == (twin.accuracy, twin.spent)


def test_http_and_in_process_give_the_same_assignments_and_sums_to_the_last_bit(
    tmp_path: Path, in_process: tuple[FederationResult, str]
) -> None:
    key = new_identity(tmp_path / "federation.key")
    server = Process(tmp_path / "coordinator", key.public.hex())
    try:
        operator, config, crowd = found(server.url, tmp_path)
        begin(operator, config, crowd)
        wait(crowd)
        reports = operator.rounds(config.federation)
        operator.close()
    finally:
        server.kill()
    assert [r.assignment for r in reports] == [r.assignment for r in in_process[0].rounds]
    assert_same(crowd, tmp_path / "coordinator", in_process)


def test_a_coordinator_killed_in_a_round_and_restarted_finishes_with_the_same_result(
    tmp_path: Path, in_process: tuple[FederationResult, str]
) -> None:
    key = new_identity(tmp_path / "federation.key")
    server = Process(tmp_path / "coordinator", key.public.hex())
    try:
        operator, config, crowd = found(server.url, tmp_path)
        begin(operator, config, crowd)
        masked = 0
        while masked < 5:  # in the middle of the first training
            masked += sum(progress.step == "masked" for progress in crowd.news())
            time.sleep(0.005)
        server.kill()
        time.sleep(0.3)
        server.start()
        wait(crowd)
        operator.close()
    finally:
        server.kill()
    assert_same(crowd, tmp_path / "coordinator", in_process)
