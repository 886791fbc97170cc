"""A study's files: every round kept, nothing run twice, an interrupted cell continued."""

from dataclasses import replace
from pathlib import Path

import pytest

from secure_clove.data.dataset import Dataset
from secure_clove.errors import ConfigError, StoreError
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.studies.paper.cells import Cell, options
from secure_clove.studies.paper.study import (
    RESULTS,
    Result,
    RoundLine,
    cells,
    read_results,
    read_rounds,
    run_cell,
    run_study,
    summed_up,
    write_results,
)
from tests.studies.paper.builders import CLUSTERS, cell, federation, images


def silent(which: Cell, done: int) -> None:
    """Watch nothing."""


def run(which: Cell, folder: Path) -> list[RoundLine]:
    return run_cell(
        which, federation(), folder, clusters=CLUSTERS, entropy=SimulatedEntropy(0), watch=silent
    )


def timeless(lines: list[RoundLine]) -> list[RoundLine]:
    return [replace(line, seconds=0.0) for line in lines]


def refusing(name: str) -> Dataset:
    raise ConfigError(f"no {name} here")


class Interrupted(Exception):
    """Stands for a closed terminal."""


def interrupted(which: Cell, folder: Path, *, after: int) -> None:
    def stop(_: Cell, done: int) -> None:
        if done == after:
            raise Interrupted

    with pytest.raises(Interrupted):
        run_cell(
            which, federation(), folder, clusters=CLUSTERS, entropy=SimulatedEntropy(0), watch=stop
        )


def test_every_round_is_a_line_of_the_file(tmp_path: Path) -> None:
    lines = run(cell(), tmp_path)
    assert read_rounds(tmp_path / f"{cell().name}.jsonl") == lines
    assert [line.round for line in lines] == [1, 2, 3]
    assert list(tmp_path.iterdir()) == [tmp_path / f"{cell().name}.jsonl"]


@pytest.mark.parametrize("algorithm", ["clove", "ifca", "fedavg", "local"])
def test_an_interrupted_cell_ends_as_if_it_had_not_been(algorithm: str, tmp_path: Path) -> None:
    which = cell(algorithm=algorithm, rounds=2)
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    interrupted(which, tmp_path / "cut", after=1)
    assert timeless(run(which, tmp_path / "cut")) == timeless(run(which, tmp_path / "whole"))


def test_a_line_without_its_state_is_played_again(tmp_path: Path) -> None:
    whole = run(cell(), tmp_path)
    interrupted(cell(seed=1), tmp_path, after=1)
    path = tmp_path / f"{cell(seed=1).name}.jsonl"
    path.write_bytes(path.read_bytes() * 2 + b'{"round":')
    assert [line.round for line in run(cell(seed=1), tmp_path)] == [1, 2, 3]
    assert len(read_rounds(path)) == len(whole)


def test_a_state_without_its_lines_is_not_used(tmp_path: Path) -> None:
    interrupted(cell(), tmp_path, after=2)
    (tmp_path / f"{cell().name}.jsonl").unlink()
    assert [line.round for line in run(cell(), tmp_path)] == [1, 2, 3]


def test_a_finished_cell_is_not_run_again(tmp_path: Path) -> None:
    lines = run(cell(), tmp_path)
    (found,) = run_study(
        [cell()], tmp_path, load=refusing, entropy=SimulatedEntropy(0), watch=silent
    )
    assert found == summed_up(cell(), lines)


def test_a_cell_that_the_data_cannot_serve_says_why(tmp_path: Path) -> None:
    (found,) = run_study(
        [cell()], tmp_path, load=lambda name: images(40), entropy=SimulatedEntropy(0), watch=silent
    )
    assert found.accuracy is None
    assert found.reason is not None
    assert "500" in found.reason or "examples" in found.reason


def test_results_of_other_cells_are_kept(tmp_path: Path) -> None:
    other = Result(cell=cell(seed=7), accuracy=0.5, training_accuracy=0.5)
    write_results(tmp_path / RESULTS, [other])
    run_study([cell()], tmp_path, load=refusing, entropy=SimulatedEntropy(0), watch=silent)
    assert [r.cell.seed for r in read_results(tmp_path / RESULTS)] == [0, 7]


def test_a_damaged_result_is_refused(tmp_path: Path) -> None:
    (tmp_path / RESULTS).write_bytes(b'{"cell": 3}\n')
    with pytest.raises(StoreError, match="damaged"):
        read_results(tmp_path / RESULTS)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        run_study(
            [cell()],
            tmp_path / "file" / "deeper",
            load=refusing,
            entropy=SimulatedEntropy(0),
            watch=silent,
        )


def test_clove_assigns_at_random_first_and_never_stops_clustering(tmp_path: Path) -> None:
    found = options(cell(rounds=5))
    assert (found["first_assignment"], found["centred"], found["probes"]) == ("random", False, 0)
    assert (found["clustering_rounds"], found["stable_rounds"]) == (5, 6)


def test_a_table_narrows_to_what_is_named() -> None:
    found = cells(2, datasets=["mnist"], kinds=["label-skew-1"], rounds=1, seeds=2, preset="paper")
    assert [(c.algorithm, c.seed) for c in found] == [
        ("ifca", 0),
        ("ifca", 1),
        ("clove", 0),
        ("clove", 1),
    ]


@pytest.mark.parametrize(
    "named", [{"datasets": ["nothing"]}, {"kinds": ["writers"]}, {"algorithms": ["fedavg"]}]
)
def test_what_no_table_has_is_refused(named: dict[str, list[str]]) -> None:
    with pytest.raises(ConfigError):
        cells(
            2,
            datasets=named.get("datasets", ()),
            kinds=named.get("kinds", ()),
            algorithms=named.get("algorithms", ()),
            rounds=1,
            seeds=1,
            preset="paper",
        )
