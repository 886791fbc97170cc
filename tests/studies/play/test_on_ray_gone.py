"""Where there is no Ray, and where a worker on it is gone."""

import importlib
import os
from importlib.util import find_spec
from signal import SIGKILL
from typing import Any

import pytest

from secure_clove.errors import ConfigError, TransportError
from secure_clove.studies.play.crew import Alone
from secure_clove.studies.play.on_ray import on_ray
from tests.studies.play.builders import regression

needs_ray = pytest.mark.skipif(
    find_spec("ray") is None, reason="Ray is not installed: pip install 'secure-clove[ray]'"
)


@needs_ray
def test_a_worker_on_ray_that_died_is_reported_and_ray_ends() -> None:
    ray: Any = importlib.import_module("ray")

    def die(there: Alone) -> None:
        os.kill(os.getpid(), SIGKILL)

    with on_ray(1, data_dir=None) as crew:
        (worker,) = crew._workers
        for _ in range(2):  # whoever was waiting, and whoever asks later
            with pytest.raises(TransportError, match="fewer workers"):
                worker.start(die)()
        with pytest.raises(TransportError, match="fewer workers"):
            crew.open(regression())
    assert not ray.is_initialized()


@needs_ray
def test_no_ray_at_an_address_is_reported_at_once() -> None:
    with (
        pytest.raises(TransportError, match="ray start --head"),
        on_ray(1, data_dir=None, address="127.0.0.1:1"),
    ):
        pass


def test_without_ray_its_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("secure_clove.studies.play.on_ray.import_module", missing)
    with pytest.raises(ConfigError, match="secure-clove"), on_ray(1, data_dir=None):
        pass


def test_no_worker_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1"), on_ray(0, data_dir=None):
        pass
