"""The study commands: what they print, keep and refuse."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from secure_clove.cli.app import app
from secure_clove.cli.console import REFUSED

DRAWN = ("--figure", "3", "--row", "least distance 1.0", "--seeds", "1", "--workers", "1")
"""A run that needs no data: its clients are drawn."""


def study(*arguments: str | Path, width: int = 200) -> Result:
    asked = ["study", "paper", *map(str, arguments)]
    return CliRunner().invoke(app, asked, env={"COLUMNS": str(width), "SECURE_CLOVE_DATA": ""})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run one figure for two rounds."""
    found = tmp_path_factory.mktemp("study")
    done = study(*DRAWN, "--rounds", "2", "--folder", found)
    assert done.exit_code == 0, done.output
    return found


def test_a_run_keeps_its_rounds_its_result_and_its_figure(folder: Path) -> None:
    (rounds,) = folder.glob("regression-*.jsonl")
    assert len(rounds.read_text().splitlines()) == 2
    assert len((folder / "results.jsonl").read_text().splitlines()) == 1
    assert (folder / "figure-3.svg").read_text().lstrip().startswith("<")


def test_a_finished_run_is_shown_and_not_run_again(folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.glob("regression-*")}
    again = study(*DRAWN, "--rounds", "2", "--folder", folder)
    assert "Figure 3. Mixed linear regression" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in folder.glob("regression-*")} == before


def test_without_data_every_row_says_why_and_the_command_fails(tmp_path: Path) -> None:
    rows = ("--table", "2", "--dataset", "mnist", "--row", "label-skew-1", "--seeds", "1")
    found = study(*rows, "--workers", "1", "--folder", tmp_path)
    assert found.exit_code == REFUSED
    assert "not run" in found.stdout
    assert "no data directory" in found.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["results.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "one table or one figure"),
        (("--table", "1", "--figure", "2"), "one table or one figure"),
        (("--table", "6"), "there is no table 6"),
        (("--table", "1", "--dataset", "imagenet"), "it has mnist"),
        (("--table", "1", "--row", "writers"), "it has label-skew-1"),
        (("--table", "1", "--algorithm", "k-fed"), "it has fedavg"),
        (("--figure", "3", "--device", "cuda:99"), "cuda"),
    ],
)
def test_what_cannot_be_run_is_refused_with_the_cure(
    arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    found = study(*arguments, "--workers", "1", "--folder", tmp_path / "new")
    assert found.exit_code == REFUSED
    assert words in found.stderr
    assert not (tmp_path / "new").exists()


# ---- the trade-off


def tradeoff(*arguments: str | Path, data: str = "") -> Result:
    asked = ["study", "tradeoff", "--workers", "1", "--seeds", "1", *map(str, arguments)]
    return CliRunner().invoke(app, asked, env={"COLUMNS": "200", "SECURE_CLOVE_DATA": data})


POINT = ("--dataset", "mnist", "--kind", "label-skew-1", "--epsilon", "0.25")
DIRECT = ("--embedding", "directional", "--visibility", "noised")


def test_a_point_of_the_trade_off_is_played_drawn_and_kept(tmp_path: Path) -> None:
    data = os.environ.get("SECURE_CLOVE_DATA", "")
    if not (Path(data) / "mnist").is_dir():
        pytest.skip("needs MNIST in SECURE_CLOVE_DATA")
    found = tradeoff(*POINT, *DIRECT, "--folder", tmp_path, data=data)
    assert found.exit_code == 0, found.output
    assert "mnist label-skew-1" in found.stdout
    assert "0.25 in 1" in found.stdout
    assert (tmp_path / "clustering.svg").read_text().lstrip().startswith("<")
    again = tradeoff(*POINT, *DIRECT, "--folder", tmp_path)  # no data needed for what is there
    assert again.exit_code == 0
    assert "0.25 in 1" in again.stdout


def test_a_trade_off_without_data_says_so_and_fails(tmp_path: Path) -> None:
    found = tradeoff(*POINT, *DIRECT, "--folder", tmp_path)
    assert found.exit_code == REFUSED
    assert "no data directory" in found.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--plan", "everything"), "choose one of clustering"),
        (("--kind", "writers"), "kind: label-skew-1"),
        (("--plan", "training", "--epsilon", "3"), "epsilon: 1.0, 2.0, 8.0"),
        (("--noise", "local"), "noise: none"),
    ],
)
def test_a_point_that_is_not_there_is_refused_with_those_that_are(
    arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    found = tradeoff(*arguments, "--folder", tmp_path / "new")
    assert found.exit_code == REFUSED
    assert words in found.stderr
    assert not (tmp_path / "new").exists()
