"""Workers on Ray play what one plays."""

import importlib
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from secure_clove.errors import ConfigError, DataError
from secure_clove.studies.play.crew import Crew
from secure_clove.studies.play.on_ray import on_ray
from tests.studies.play.builders import ALGORITHMS, Steady, alone, lines, pictures, regression

needs_ray = pytest.mark.skipif(
    find_spec("ray") is None, reason="Ray is not installed: pip install 'secure-clove[ray]'"
)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    with on_ray(2, data_dir=tmp_path_factory.mktemp("empty")) as crew:
        yield Steady(crew=crew)


@needs_ray
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_two_workers_on_ray_play_what_one_plays(algorithm: str, two: Crew, tmp_path: Path) -> None:
    cell = regression(algorithm=algorithm)
    assert lines(cell, tmp_path / "two", two) == lines(cell, tmp_path / "one", alone())


@needs_ray
def test_what_a_worker_on_ray_refuses_comes_back_as_itself(two: Crew) -> None:
    with pytest.raises(DataError, match="missing"):
        two.open(pictures())
    with pytest.raises(ConfigError, match="separation"):
        two.open(regression(kind="3"))


@needs_ray
def test_ray_reports_nothing_home(two: Crew) -> None:
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


@needs_ray
def test_a_ray_that_was_joined_before_is_left_running(two: Crew) -> None:
    ray: Any = importlib.import_module("ray")
    with pytest.raises(ConfigError, match="2 CPUs for 3 workers"), on_ray(3, data_dir=None):
        pass
    assert ray.is_initialized()


@needs_ray
def test_a_ray_that_was_joined_before_is_not_left_for_another(two: Crew) -> None:
    with (
        pytest.raises(ConfigError, match="joined a Ray already"),
        on_ray(1, data_dir=None, address="127.0.0.1:1"),
    ):
        pass
