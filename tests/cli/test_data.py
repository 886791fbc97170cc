"""The data commands: what they list, fetch and refuse."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from secure_clove.cli.app import app
from secure_clove.cli.console import REFUSED
from secure_clove.data.catalogue import CATALOGUE
from secure_clove.data.sources import VARIABLE
from tests.data.conftest import data_dir, serve

__all__ = ["data_dir", "serve"]  # fixtures of the data layer's tests


def run(*arguments: str | Path, data: Path | None = None) -> Result:
    variables = {"COLUMNS": "200", VARIABLE: None if data is None else str(data)}
    return CliRunner().invoke(app, ["data", *map(str, arguments)], env=variables)


def test_every_set_is_listed_with_its_state(tmp_path: Path) -> None:
    result = run("list", "--data-dir", tmp_path)
    assert result.exit_code == 0
    assert [name for name in CATALOGUE if name not in result.stdout] == []
    assert result.stdout.count("missing") == len(CATALOGUE)


def test_the_list_can_be_read_by_a_program(tmp_path: Path) -> None:
    found = json.loads(run("list", "--format", "json", data=tmp_path).stdout)
    assert found == {
        "schema_version": 1,
        "data_sets": [
            {"name": e.name, "distribution": None, "state": "missing", "home": e.home}
            for e in CATALOGUE.values()
        ],
    }


def test_without_a_folder_the_usage_is_shown() -> None:
    result = run("list")
    assert result.exit_code == 2
    assert "--data-dir" in result.output


def test_a_fetched_set_is_verified_and_listed_so(
    data_dir: Path, serve: Callable[[Path], str], tmp_path: Path
) -> None:
    result = run("fetch", "femnist", "--mirror", serve(data_dir), "--data-dir", tmp_path)
    assert result.exit_code == 0
    path = tmp_path / "femnist" / "femnist_105writers.npz"
    assert result.stdout == f"verified {path}\n"
    assert result.stderr.strip()
    assert run("list", data=tmp_path).stdout.count("verified") == 1


def test_a_damaged_set_makes_the_list_fail(tmp_path: Path) -> None:
    (tmp_path / "femnist").mkdir()
    (tmp_path / "femnist" / "femnist_105writers.npz").write_bytes(b"damaged")
    result = run("list", data=tmp_path)
    assert result.exit_code == REFUSED
    assert "damaged" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fetch", "nothing"), "config: no data set 'nothing'"),
        (("fetch", "femnist"), "config: femnist cannot be fetched so"),
        (("fetch", "mnist", "--mirror", "http://127.0.0.1:9"), "transport: http://127.0.0.1:9/mn"),
    ],
)
def test_what_cannot_be_fetched_is_explained(
    arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    result = run(*arguments, data=tmp_path)
    assert result.exit_code == REFUSED
    assert words in result.stderr
