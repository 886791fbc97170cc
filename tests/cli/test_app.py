"""The command line: what it prints, and how it leaves."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from secure_clove.algorithms.registry import surface
from secure_clove.cli.app import app
from secure_clove.cli.console import REFUSED
from secure_clove.sdk.keys import load_identity, new_identity
from tests.builders import run_python

COMMANDS = [
    (),
    ("demo",),
    ("client",),
    ("client", "join"),
    ("keys",),
    ("keys", "new"),
    ("keys", "show"),
    ("data",),
    ("data", "fetch"),
    ("data", "list"),
    ("privacy",),
    ("privacy", "cost"),
    ("privacy", "calibrate"),
    ("privacy", "explain"),
    ("privacy", "ledger"),
    ("privacy", "ledger", "verify"),
    ("privacy", "ledger", "show"),
    ("study",),
    ("study", "paper"),
    ("study", "sealed"),
    ("study", "theory"),
    ("study", "tradeoff"),
    ("surface",),
]
NOWHERE = "http://127.0.0.1:9"


def run(*arguments: str | Path, width: int = 200) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": str(width)})


def site(tmp_path: Path) -> Path:
    """Write a small site's data."""
    x, y = np.zeros((6, 3)), np.arange(6) % 2
    found = {"train_x": x, "train_y": y, "test_x": x, "test_y": y}
    path = tmp_path / "site.npz"
    np.savez(path, allow_pickle=False, **{name: np.asarray(a) for name, a in found.items()})
    return path


def join(tmp_path: Path, *more: str | Path, data: Path | None = None) -> Result:
    where = site(tmp_path) if data is None else data
    fixed = ("client", "join", NOWHERE, "--identity", tmp_path / "site.key", "--data", where)
    return run(*fixed, "--max-epsilon", "1", *more)


# ---- help


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command) or "(none)")
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output
    assert "--help" in result.output


def test_the_list_of_commands_is_complete() -> None:
    assert sorted(within(typer.main.get_command(app), ())) == sorted(COMMANDS[1:])


def within(group: Any, name: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the names of all commands in a group, groups included."""
    for word, command in getattr(group, "commands", {}).items():
        yield (*name, word)
        yield from within(command, (*name, word))


@pytest.mark.parametrize("command", COMMANDS[1:], ids=" ".join)
def test_every_option_of_every_command_says_what_it_is(command: tuple[str, ...]) -> None:
    found = typer.main.get_command(app)
    for name in command:
        found = getattr(found, "commands")[name]  # noqa: B009  a group, as its type hides
    assert found.help
    for parameter in found.params:
        if getattr(parameter, "help", None) is None:
            assert parameter.name == "as_format"


@pytest.mark.parametrize("command", [(), ("client",), ("keys",)])
def test_a_command_without_its_verb_shows_the_help(command: tuple[str, ...]) -> None:
    assert "Usage:" in run(*command).output


@pytest.mark.parametrize("arguments", [("dance",), ("demo", "--privacy", "maybe")])
def test_what_it_does_not_know_is_refused(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [("--rounds", "0"), ("--rounds", "1e9"), ("--seed", "-1"), ("--seed", str(2**63))],
)
def test_the_demo_refuses_numbers_out_of_range(arguments: tuple[str, ...]) -> None:
    result = run("demo", *arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.output


def test_the_demo_seals_its_clustering_unless_told_otherwise() -> None:
    demo = getattr(typer.main.get_command(app), "commands")["demo"]  # noqa: B009  as above
    defaults = {parameter.name: parameter.default for parameter in demo.params}
    assert (defaults["visibility"], defaults["membership"]) == ("sealed", "visible")


def test_the_demo_hides_no_membership_that_the_coordinator_has_to_see(tmp_path: Path) -> None:
    asked = ("demo", "--visibility", "noised", "--membership", "hidden", "--folder", tmp_path)
    result = run(*asked)
    assert result.exit_code == REFUSED
    assert "set both" in result.stderr


# ---- keys


def test_a_new_key_is_written_and_its_public_half_printed(tmp_path: Path) -> None:
    result = run("keys", "new", tmp_path / "site.key")
    assert result.exit_code == 0
    assert result.stdout.strip() == load_identity(tmp_path / "site.key").public.hex()
    assert stat.S_IMODE((tmp_path / "site.key").stat().st_mode) == 0o600


def test_a_key_is_shown_as_it_was_made(tmp_path: Path) -> None:
    made = run("keys", "new", tmp_path / "site.key")
    assert run("keys", "show", tmp_path / "site.key").stdout == made.stdout


def test_a_key_is_printed_on_one_line_however_narrow_the_terminal(tmp_path: Path) -> None:
    result = run("keys", "new", tmp_path / "site.key", width=20)
    assert len(result.stdout.strip()) == 64
    assert result.stdout.count("\n") == 1


def test_the_secret_half_is_never_printed(tmp_path: Path) -> None:
    result = run("keys", "new", tmp_path / "site.key")
    secret = (tmp_path / "site.key").read_text().splitlines()[1]
    assert secret not in result.output


def test_a_key_in_the_way_is_refused(tmp_path: Path) -> None:
    before = new_identity(tmp_path / "site.key").public
    result = run("keys", "new", tmp_path / "site.key")
    assert result.exit_code == REFUSED
    assert "config: " in result.stderr
    assert "never overwritten" in result.stderr
    assert result.stdout == ""
    assert load_identity(tmp_path / "site.key").public == before


def test_a_missing_key_is_refused(tmp_path: Path) -> None:
    result = run("keys", "show", tmp_path / "site.key")
    assert result.exit_code == REFUSED
    assert "config: no key at" in result.stderr


@pytest.mark.parametrize("name", ["[red]a[b]", "[/]", "[/x]", "[link=x]y"])
def test_a_name_in_brackets_is_printed_as_it_is(tmp_path: Path, name: str) -> None:
    result = run("keys", "show", tmp_path / name)
    assert result.exit_code == REFUSED
    assert name in result.stderr


def test_a_folder_is_refused_as_a_key(tmp_path: Path) -> None:
    assert run("keys", "show", tmp_path).exit_code == REFUSED


# ---- surface


def test_the_table_shows_every_exchange() -> None:
    result = run("surface")
    assert result.exit_code == 0
    for row in surface():
        line = next(
            text
            for text in result.stdout.splitlines()
            if row.algorithm in text and row.exchange in text
        )
        assert row.reveal.value in line
        assert ", ".join(row.uses) in line


def test_the_json_holds_the_same_rows_under_a_version() -> None:
    result = run("surface", "--format", "json")
    assert json.loads(result.stdout) == {
        "schema_version": 1,
        "exchanges": [
            {
                "algorithm": row.algorithm,
                "exchange": row.exchange,
                "reveal": row.reveal.value,
                "uses": list(row.uses),
            }
            for row in surface()
        ],
    }


def test_the_json_can_be_read_however_narrow_the_terminal() -> None:
    assert json.loads(run("surface", "--format", "json", width=10).stdout)


# ---- client join


def test_joining_needs_a_budget(tmp_path: Path) -> None:
    fixed = ("client", "join", NOWHERE, "--identity", tmp_path / "k", "--data", site(tmp_path))
    result = run(*fixed)
    assert result.exit_code == 2
    assert "--max-epsilon" in result.output


def test_joining_without_enrolment_is_refused(tmp_path: Path) -> None:
    result = join(tmp_path)
    assert result.exit_code == REFUSED
    assert "config: " in result.stderr
    assert "one-time token" in result.stderr


def test_joining_makes_the_key_of_a_new_site(tmp_path: Path) -> None:
    join(tmp_path)
    assert load_identity(tmp_path / "site.key")


def test_joining_keeps_the_key_of_a_known_site(tmp_path: Path) -> None:
    before = new_identity(tmp_path / "site.key").public
    join(tmp_path)
    assert load_identity(tmp_path / "site.key").public == before


def test_data_that_is_missing_is_refused(tmp_path: Path) -> None:
    result = join(tmp_path, data=tmp_path / "nothing.npz")
    assert result.exit_code == REFUSED
    assert "data: " in result.stderr


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--max-epsilon", "-1"), "config: max_epsilon > 0"),
        (("--max-epsilon", "nan"), "config: max_epsilon > 0"),
        (("--delta", "2"), "config: max_epsilon > 0"),
        (("--min-cohort", "0"), "config: max_epsilon > 0"),
        (("--federation-key", "abc"), "config: federation_key must be 64 hex digits"),
    ],
)
def test_a_policy_that_promises_nothing_is_refused(
    tmp_path: Path, options: tuple[str, ...], code: str
) -> None:
    result = join(tmp_path, *options)
    assert result.exit_code == REFUSED
    assert code in result.stderr


def test_fewer_than_two_classes_are_refused(tmp_path: Path) -> None:
    assert join(tmp_path, "--classes", "1").exit_code == 2


def test_a_refusal_reaches_the_shell(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys\n"
        "line = 'from secure_clove.cli.app import app; app()'\n"
        "command = [sys.executable, '-c', line, 'keys', 'show', 'missing.key']\n"
        "done = subprocess.run(command, capture_output=True, text=True)\n"
        "print(done.returncode, done.stdout, done.stderr)"
    )
    assert run_python(script, cwd=tmp_path).startswith("2  config: no key at missing.key")
