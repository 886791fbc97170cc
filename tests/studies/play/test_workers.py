"""Several workers play what one plays, and say so when one of them is gone."""

import os
from collections.abc import Iterator
from multiprocessing import active_children
from pathlib import Path
from signal import SIGKILL

import pytest

from secure_clove.errors import ConfigError, DataError, LocalProtocolError, TransportError
from secure_clove.studies.play.crew import Alone, Crew
from secure_clove.studies.play.processes import processes
from secure_clove.studies.play.record import run_study
from secure_clove.studies.play.table import Table
from tests.studies.play.builders import (
    ALGORITHMS,
    Steady,
    alone,
    lines,
    pictures,
    regression,
    silent,
)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    with processes(2, data_dir=tmp_path_factory.mktemp("empty")) as crew:
        yield Steady(crew=crew)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_two_processes_play_what_one_plays(algorithm: str, two: Crew, tmp_path: Path) -> None:
    cell = regression(algorithm=algorithm)
    assert lines(cell, tmp_path / "two", two) == lines(cell, tmp_path / "one", alone())


def test_so_they_do_when_half_of_the_clients_take_part(two: Crew, tmp_path: Path) -> None:
    cell = regression(participation=0.4)
    assert lines(cell, tmp_path / "two", two) == lines(cell, tmp_path / "one", alone())


def test_a_worker_without_clients_does_no_harm(two: Crew, tmp_path: Path) -> None:
    cell = regression(algorithm="fedavg", clients=1, clusters=1)
    assert lines(cell, tmp_path / "two", two) == lines(cell, tmp_path / "one", alone())


def test_two_processes_continue_what_one_began(two: Crew) -> None:
    cell = regression()
    at = Table(cell, alone())
    list(at.rounds(1, evaluate_every=1))
    again = Table(cell, two, saved=at.save())
    assert [m.held_out for m in again.rounds(3, evaluate_every=1)] == [
        m.held_out for m in at.rounds(3, evaluate_every=1)
    ]


def test_what_a_process_refuses_comes_back_as_itself(two: Crew) -> None:
    with pytest.raises(DataError, match="missing"):
        two.open(pictures())
    with pytest.raises(ConfigError, match="separation"):
        two.open(regression(kind="3"))


def test_a_process_says_who_diverged(two: Crew, tmp_path: Path) -> None:
    cell = regression(algorithm="local", training="gradient", rounds=3000)
    (found,) = run_study([cell], tmp_path, two, evaluate_every=3000, watch=silent)
    assert found.reason is not None
    assert found.reason.startswith("client-")


def test_a_sum_of_two_workers_that_is_too_large_names_its_round(two: Crew, tmp_path: Path) -> None:
    cell = regression(algorithm="fedavg", training="gradient", rounds=3000)
    (found,) = run_study([cell], tmp_path, two, evaluate_every=3000, watch=silent)
    assert found.reason is not None
    assert found.reason.startswith("round ")


def test_a_process_that_died_is_reported() -> None:
    others = set(active_children())
    with processes(1, data_dir=None) as crew:
        crew.open(regression())
        (child,) = set(active_children()) - others
        assert child.pid is not None
        os.kill(child.pid, SIGKILL)
        for _ in range(2):  # the one that was waiting, and whoever asks later
            with pytest.raises(TransportError, match="fewer workers"):
                crew.open(regression())


def test_a_crew_of_nobody_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1"), processes(0, data_dir=None):
        pass


def test_nothing_is_played_before_a_cell_is_open() -> None:
    with pytest.raises(LocalProtocolError, match="open a cell"):
        Alone(lambda name: pytest.fail(name)).score({}, training=True)
