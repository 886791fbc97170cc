"""The promised interface, and that importing it costs nothing."""

import json
import tomllib
from pathlib import Path

import pytest

import secure_clove
from tests.builders import REPOSITORY, needs_checkout, run_python

IMPORTED = """
import json, sys
before = set(sys.modules)
__import__(sys.argv[1])
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""


def imported(module: str, cwd: Path) -> set[str]:
    """Return the top-level modules that a fresh interpreter loads with ``module``."""
    return set(json.loads(run_python(IMPORTED, module, cwd=cwd)))


def test_importing_the_package_loads_no_third_party_module(tmp_path: Path) -> None:
    loaded = imported("secure_clove", tmp_path)
    heavy = {"torch", "numpy", "pydantic", "msgspec", "httpx", "sqlalchemy", "sklearn", "opacus"}
    assert "secure_clove" in loaded
    assert not loaded & heavy


def test_the_command_line_starts_without_torch_and_numpy(tmp_path: Path) -> None:
    assert not imported("secure_clove.cli.app", tmp_path) & {"torch", "numpy", "pydantic"}


def test_a_coordinator_with_its_store_needs_no_torch(tmp_path: Path) -> None:
    script = "import secure_clove.engine.coordinator, secure_clove.stores.sql, sys\n"
    script += "print({'torch', 'opacus', 'pydantic', 'httpx'} & set(sys.modules))"
    assert run_python(script, cwd=tmp_path) == "set()\n"


@pytest.mark.parametrize("name", secure_clove.__all__)
def test_every_promised_name_can_be_imported(name: str) -> None:
    assert getattr(secure_clove, name).__name__ == name


def test_the_promised_names_are_exactly_these() -> None:
    assert secure_clove.__all__ == [
        "CloveError",
        "FederatedClient",
        "Policy",
        "Settings",
        "TorchTask",
        "simulate",
    ]


def test_a_name_that_was_never_promised_does_not_exist() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Coordinator'"):
        _ = secure_clove.Coordinator


def test_every_promised_name_says_what_it_is() -> None:
    for name in secure_clove.__all__:
        assert getattr(secure_clove, name).__doc__, name


@needs_checkout
def test_the_wheel_ships_one_import_name() -> None:
    build = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert build["targets"]["wheel"]["packages"] == ["secure_clove"]
