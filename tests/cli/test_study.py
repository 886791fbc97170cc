"""The study commands: what they print, keep and refuse."""

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
