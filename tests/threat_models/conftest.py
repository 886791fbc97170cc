"""One finished run for all tests that only read it."""

from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_limits

from tests.threat_models.builders import finished_run, grouped, settings

torch.set_num_threads(1)  # for models this small, threads wait longer than they work
threadpool_limits(limits=1)  # nor for matrices


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


@pytest.fixture(scope="session")
def noised_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that finds its groups, with every vector on its own."""
    return finished_run(tmp_path_factory.mktemp("noised"), grouped("noised"))


@pytest.fixture(scope="session")
def visible_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run with sealed vectors."""
    return finished_run(tmp_path_factory.mktemp("visible"), grouped("visible"))


@pytest.fixture(scope="session")
def hidden_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run with hidden membership too."""
    return finished_run(tmp_path_factory.mktemp("hidden"), grouped("hidden"))
