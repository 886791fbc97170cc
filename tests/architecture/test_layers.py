"""Arrows point down: the import contracts of pyproject.toml hold."""

import subprocess
import sys

import pytest

from tests.builders import REPOSITORY, needs_checkout

CHECK = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"


@needs_checkout
def test_the_import_contracts_hold() -> None:
    pytest.importorskip("importlinter")
    done = subprocess.run(
        [sys.executable, "-c", CHECK], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout
