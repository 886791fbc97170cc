"""One finished run for all tests that only read it."""

from pathlib import Path

import pytest

from tests.threat_models.builders import finished_run, settings


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_run(tmp_path_factory.mktemp("private"), settings())


@pytest.fixture(scope="session")
def bare_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_run(tmp_path_factory.mktemp("bare"), settings(privacy=None, rounds=2))
