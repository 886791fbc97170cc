"""One finished run for all tests that only read it."""

from pathlib import Path

import pytest
import torch

from tests.threat_models.builders import finished_run, settings

torch.set_num_threads(1)  # for models this small, threads wait longer than they work


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_run(tmp_path_factory.mktemp("private"), settings())


@pytest.fixture(scope="session")
def bare_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_run(tmp_path_factory.mktemp("bare"), settings(privacy=None, rounds=2))


@pytest.fixture(scope="session")
def single_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one round: one release, and nothing to link."""
    return finished_run(tmp_path_factory.mktemp("single"), settings(rounds=1))
