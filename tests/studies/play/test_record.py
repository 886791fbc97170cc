"""A study's files: every round kept, nothing run twice, an interrupted cell continued."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from secure_clove.errors import ConfigError, StoreError
from secure_clove.studies.play.cell import Cell
from secure_clove.studies.play.crew import Alone
from secure_clove.studies.play.record import (
    RESULTS,
    Step,
    read_results,
    read_rounds,
    run_cell,
    run_study,
    write_results,
)
from secure_clove.studies.play.result import Result
from tests.studies.play.builders import (
    ALGORITHMS,
    alone,
    lines,
    no_files,
    pictures,
    regression,
    silent,
)


class Interrupted(Exception):
    """Stands for a closed terminal."""


def interrupted(cell: Cell, folder: Path, *, after: int) -> None:
    def stop(step: Step) -> None:
        if step.done == after:
            raise Interrupted

    folder.mkdir(exist_ok=True)
    with pytest.raises(Interrupted):
        run_cell(cell, folder, alone(), watch=stop)


def rounds(cell: Cell, folder: Path) -> Path:
    return folder / f"{cell.name}.jsonl"


def state(cell: Cell, folder: Path) -> Path:
    return folder / f"{cell.name}.state"


def heat(cell: Cell, folder: Path) -> Path:
    return folder / f"{cell.name}.heat.json"


def idle() -> Alone:
    """Return a crew that cannot play images."""
    return Alone(no_files)


def test_every_round_is_a_line_of_the_file(tmp_path: Path) -> None:
    found = lines(regression(), tmp_path, alone())
    assert [line.round for line in found] == [1, 2, 3]
    assert list(tmp_path.iterdir()) == [rounds(regression(), tmp_path)]


@pytest.mark.parametrize("after", [1, 2, 3])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_interrupted_cell_ends_as_if_it_had_not_been(
    algorithm: str, after: int, tmp_path: Path
) -> None:
    cell = regression(algorithm=algorithm)
    interrupted(cell, tmp_path / "cut", after=after)
    assert lines(cell, tmp_path / "cut", alone()) == lines(cell, tmp_path / "whole", alone())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_so_does_one_in_which_half_of_the_clients_take_part(algorithm: str, tmp_path: Path) -> None:
    cell = regression(algorithm=algorithm, participation=0.5)
    interrupted(cell, tmp_path / "cut", after=1)
    assert lines(cell, tmp_path / "cut", alone()) == lines(cell, tmp_path / "whole", alone())


def test_what_is_left_to_play_is_all_that_is_played(tmp_path: Path) -> None:
    interrupted(regression(), tmp_path, after=2)
    steps: list[int] = []
    run_cell(regression(), tmp_path, alone(), watch=lambda step: steps.append(step.done))
    assert steps == [3]


def test_a_line_without_its_state_is_played_again(tmp_path: Path) -> None:
    cell = regression()
    whole = lines(cell, tmp_path / "whole", alone())
    interrupted(cell, tmp_path, after=1)
    path = rounds(cell, tmp_path)
    path.write_bytes(path.read_bytes() * 2 + b'{"round":')
    assert lines(cell, tmp_path, alone()) == whole


def test_lines_without_a_state_are_played_again(tmp_path: Path) -> None:
    cell = regression()
    interrupted(cell, tmp_path, after=2)
    state(cell, tmp_path).unlink()
    assert lines(cell, tmp_path, alone()) == lines(cell, tmp_path / "whole", alone())


def test_a_state_without_its_lines_is_not_used(tmp_path: Path) -> None:
    cell = regression()
    interrupted(cell, tmp_path, after=2)
    rounds(cell, tmp_path).unlink()
    assert lines(cell, tmp_path, alone()) == lines(cell, tmp_path / "whole", alone())


@pytest.mark.parametrize("damage", [b"", b"no state", b"\x80"])
def test_a_damaged_state_is_refused(damage: bytes, tmp_path: Path) -> None:
    cell = regression()
    interrupted(cell, tmp_path, after=1)
    state(cell, tmp_path).write_bytes(damage)
    with pytest.raises(StoreError, match=r"state is damaged; remove the file"):
        run_study([cell], tmp_path, alone(), watch=silent)


def test_a_state_of_another_algorithm_is_refused(tmp_path: Path) -> None:
    cell, other = regression(), regression(algorithm="fedavg")
    interrupted(cell, tmp_path, after=1)
    interrupted(other, tmp_path, after=1)
    state(other, tmp_path).replace(state(cell, tmp_path))
    with pytest.raises(StoreError, match="damaged"):
        run_study([cell], tmp_path, alone(), watch=silent)


@pytest.mark.parametrize("damage", [b"{}\n", b"no line\n", b'{"round": "one"}\n'])
def test_a_damaged_line_is_refused(damage: bytes, tmp_path: Path) -> None:
    rounds(regression(), tmp_path).write_bytes(damage)
    with pytest.raises(StoreError, match="damaged line; remove the file"):
        run_study([regression()], tmp_path, alone(), watch=silent)


@pytest.mark.parametrize("damage", [b'{"cell": 3}\n', b"\n"])
def test_a_damaged_result_is_refused(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / RESULTS).write_bytes(damage)
    with pytest.raises(StoreError, match="damaged"):
        read_results(tmp_path / RESULTS)


def test_a_result_of_a_cell_that_cannot_be_is_refused(tmp_path: Path) -> None:
    path = tmp_path / RESULTS
    write_results(path, [Result(cell=regression())])
    path.write_bytes(path.read_bytes().replace(b'"clients":8', b'"clients":7'))
    with pytest.raises(StoreError, match="damaged"):
        read_results(path)


def test_a_finished_cell_is_not_run_again(tmp_path: Path) -> None:
    first = run_study([pictures()], tmp_path, alone(), watch=silent)
    assert run_study([pictures()], tmp_path, idle(), watch=silent) == first


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    cells = [regression(seed=seed, options={"stable_share": 1.0}) for seed in (1, 0)]
    found = run_study(cells, tmp_path, alone(), watch=silent)
    assert [r.cell.seed for r in found] == [1, 0]
    assert read_results(tmp_path / RESULTS) == [*reversed(found)]


def test_results_of_other_cells_are_kept(tmp_path: Path) -> None:
    write_results(tmp_path / RESULTS, [Result(cell=regression(seed=7), loss=0.5)])
    run_study([regression()], tmp_path, alone(), watch=silent)
    assert [r.cell.seed for r in read_results(tmp_path / RESULTS)] == [0, 7]


def test_a_study_is_watched_before_the_first_and_after_every_round(tmp_path: Path) -> None:
    steps: list[tuple[int, int | None]] = []

    def watch(step: Step) -> None:
        steps.append((step.done, step.line.round if step.line else None))

    run_study([regression()], tmp_path, alone(), watch=watch)
    assert steps == [(0, None), (1, 1), (2, 2), (3, 3)]


@pytest.mark.parametrize("name", ["file", "file/deeper"])
def test_a_folder_that_cannot_be_used_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        run_study([regression()], tmp_path / name, alone(), watch=silent)


# ---- what cannot be played


@pytest.mark.parametrize(
    "cell",
    [
        pictures(examples=4000),
        pictures(kind="nothing"),
        pictures(model="nothing"),
        pictures(algorithm="ifca", models=1),
        pictures(options={"nothing": 1}),
        regression(model="paper-cnn"),
    ],
    ids=["data", "kind", "model", "models", "option", "misfit"],
)
def test_a_cell_that_cannot_be_played_says_why_and_leaves_nothing(
    cell: Cell, tmp_path: Path
) -> None:
    (found,) = run_study([cell], tmp_path, alone(), watch=silent)
    assert found.reason
    assert "\n" not in found.reason
    assert (found.accuracy, found.loss, found.curve) == (None, None, ())
    assert list(tmp_path.iterdir()) == [tmp_path / RESULTS]


def test_the_cells_after_it_are_played(tmp_path: Path) -> None:
    cells = [pictures(examples=4000), regression()]
    assert [bool(r.reason) for r in run_study(cells, tmp_path, alone(), watch=silent)] == [
        True,
        False,
    ]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_training_that_diverges_ends_the_cell_and_keeps_whole_rounds(
    algorithm: str, tmp_path: Path
) -> None:
    cell = regression(algorithm=algorithm, training="gradient", rounds=3000, clients=2)
    (found,) = run_study([cell], tmp_path, alone(), evaluate_every=3000, watch=silent)
    kept = read_rounds(rounds(cell, tmp_path))
    assert found.reason is not None
    assert f" in round {len(kept) + 1}: " in found.reason
    assert found.reason.startswith("client-")
    assert [line.round for line in kept] == [*range(1, len(kept) + 1)]


def test_a_study_that_diverged_says_the_same_again(tmp_path: Path) -> None:
    cell = regression(algorithm="local", training="gradient", rounds=3000, clients=2)
    first = run_study([cell], tmp_path, alone(), evaluate_every=3000, watch=silent)
    assert run_study([cell], tmp_path, alone(), evaluate_every=3000, watch=silent) == first


# ---- what is measured


def test_a_regression_has_losses_and_no_accuracy(tmp_path: Path) -> None:
    (found,) = run_study([regression()], tmp_path, alone(), watch=silent)
    assert (found.accuracy, found.training_accuracy, found.heat) == (None, None, None)
    assert found.loss is not None
    assert all(line.accuracy is None for line in read_rounds(rounds(regression(), tmp_path)))


def test_images_have_both(tmp_path: Path) -> None:
    (found,) = run_study([pictures(algorithm="fedavg")], tmp_path, alone(), watch=silent)
    assert found.accuracy is not None
    assert found.training_accuracy is not None
    assert 0 <= found.accuracy <= 1
    assert found.loss is not None


RECONSTRUCTION = pictures(
    algorithm="fedavg", model="autoencoder", target="input", clients=2, examples=8
)


@pytest.fixture(scope="module")
def reconstructed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("reconstruction")
    (found,) = run_study([RECONSTRUCTION], folder, alone(), watch=silent)
    return folder, found


def test_a_reconstruction_has_losses_heat_and_no_accuracy(
    reconstructed: tuple[Path, Result],
) -> None:
    _, found = reconstructed
    assert (found.reason, found.accuracy, found.training_accuracy) == (None, None, None)
    assert found.loss is not None
    assert found.heat is not None
    assert [len(row) for row in found.heat] == [2, 2]


def test_the_heat_is_kept(reconstructed: tuple[Path, Result]) -> None:
    folder, found = reconstructed
    assert run_study([RECONSTRUCTION], folder, idle(), watch=silent) == (found,)


def test_a_damaged_heat_is_refused(reconstructed: tuple[Path, Result]) -> None:
    folder, _ = reconstructed
    path = heat(RECONSTRUCTION, folder)
    whole = path.read_bytes()
    for damage in (b"", b'["a"]', b"[[null]]"):
        path.write_bytes(damage)
        with pytest.raises(StoreError, match="damaged; remove the file"):
            run_study([RECONSTRUCTION], folder, idle(), watch=silent)
    path.write_bytes(whole)


def test_a_cell_has_a_name_of_its_own() -> None:
    cell = regression()
    others = [
        regression(seed=1),
        regression(rounds=4),
        regression(algorithm="ifca"),
        regression(label="other"),
        replace(cell, preset="paper"),
    ]
    assert len({c.name for c in (cell, *others)}) == 6


@pytest.mark.parametrize(
    "changes", [{"clients": 7}, {"clusters": 0}, {"participation": 0.0}, {"participation": 1.1}]
)
def test_a_setting_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        regression(**changes)


@pytest.mark.parametrize("changes", [{"rounds": 0}, {"seed": -1}, {"preset": "mine"}])
def test_a_run_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        replace(regression(), **changes)  # type: ignore[arg-type]


def test_a_line_is_plain_json(tmp_path: Path) -> None:
    lines(regression(), tmp_path, alone())
    first = rounds(regression(), tmp_path).read_text().splitlines()[0]
    assert json.loads(first)["round"] == 1
