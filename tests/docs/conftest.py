"""One process that runs the generator and prints every help: its imports take longest."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from secure_clove.observe.runs import Summary, write_summary
from tests.docs.pages import ROOT, documented

SPOILED = "# Spoiled\n\n<!-- generated: surface -->\n\nby hand\n\n<!-- /generated -->\n"

PROGRAMS = {
    "secure-clove": "secure_clove.cli.app",
    "python -m api": "api.__main__",
    "python -m threat_models": "threat_models.__main__",
}

CALLS = """
import importlib, io, json, os, sys
from contextlib import redirect_stdout

os.environ |= {"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}
sys.path.insert(0, "docs")
import generate

def said(call, *arguments):
    sys.argv = ["program", *arguments]
    with redirect_stdout(io.StringIO()) as out:
        try:
            code = call()
        except SystemExit as end:
            code = end.code
    return [code, out.getvalue()]

asked = json.load(sys.stdin)
found = {
    "checked": said(generate.main, "--check"),
    "written": said(generate.main, "--run", "run"),
    "checked_again": said(generate.main, "--check"),
    "helps": {
        command: said(importlib.import_module(module).app, *words, "--help")[1]
        for command, module, words in asked
    },
}
json.dump(found, sys.stdout)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the generator did in a copy of the repository, and what every command says of itself.

    Attributes:
        root: The copy; one page of it was spoiled and a run was there to record.
        checked: Exit code and output of the first check.
        written: Of recording the run and rewriting.
        checked_again: Of a check after that.
        helps: What ``--help`` prints, by documented command.
    """

    root: Path
    checked: list[Any]
    written: list[Any]
    checked_again: list[Any]
    helps: dict[str, str]


@pytest.fixture(scope="session")
def said(tmp_path_factory: pytest.TempPathFactory) -> Said:
    root = tmp_path_factory.mktemp("copy")
    for name in ("secure_clove", "api", "threat_models"):
        (root / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "docs", root / "docs")
    shutil.copy(ROOT / "README.md", root / "README.md")
    (root / "docs" / "spoiled.md").write_text(SPOILED)
    (root / "run").mkdir()
    write_summary(root / "run" / "summary.json", summary())
    asked = [
        (command, module, command.removeprefix(program).split())
        for command, _ in documented()
        for program, module in PROGRAMS.items()
        if command.startswith(program)
    ]
    done = subprocess.run(
        [sys.executable, "-c", CALLS],
        cwd=root,
        input=json.dumps(asked).encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return Said(root=root, **json.loads(done.stdout))


def summary() -> Summary:
    """A run that nobody made."""
    return Summary(
        config_hash="0" * 64,
        dataset="made up",
        clients=4,
        clusters=2,
        rounds=1,
        transport="local",
        secure_aggregation=True,
        noise_mode="local",
        entropy="simulated",
        embedding="directional",
        ari_by_round=(1.0,),
        ari_final=1.0,
        first_round_ari_0_9=1,
        accuracy_mean=0.875,
        accuracy_by_client={},
        epsilon_embedding=1.0,
        epsilon_update=2.0,
        epsilon_total=2.5,
        delta=1e-5,
        unit="example",
        dropouts=0,
        bytes_up=1,
        bytes_down=1,
        wall_seconds=1.0,
    )
