"""The operator's commands against a running coordinator."""

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from api.__main__ import app
from api.settings import Settings
from secure_clove.foundation.ids import FederationId
from secure_clove.sdk.keys import load_identity, new_identity
from secure_clove.secagg.keys import Identity
from secure_clove.transport.signing import ENROLMENT_TAG
from tests.api.server import LiveServer, identity, serve

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "federation.key"
    new_identity(path)
    return path


@pytest.fixture(scope="module")
def server(key: Path) -> Iterator[LiveServer]:
    with serve(operator_key=load_identity(key).public.hex()) as found:
        yield found


def federation(server: LiveServer, key: Path, *words: str) -> dict[str, object]:
    """Run a command and return its JSON."""
    where = ["--key", str(key), "--url", server.url, "--format", "json"]
    result = RUNNER.invoke(app, ["federation", *words, *where])
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.output)
    assert found.pop("schema") == 1
    return found


def founded(server: LiveServer, key: Path, folder: Path, name: str) -> dict[str, str]:
    """Found a federation of three and return its tokens."""
    settings = folder / f"{name}.json"
    settings.write_text(json.dumps({"name": name, "min_cohort": 3, "clusters": 2}))
    found = federation(
        server,
        key,
        "create",
        str(settings),
        "--clients",
        "2",
        "--client",
        "ada",
        "--model",
        "linear:4:2",
    )
    tokens = found["tokens"]
    assert isinstance(tokens, dict)
    return tokens


def enrol(server: LiveServer, name: str, tokens: dict[str, str]) -> None:
    """Let every client enrol."""
    for client, token in tokens.items():
        me: Identity = identity(client)
        claim = {
            "token": token,
            "public_key": me.public.hex(),
            "proof": me.sign(ENROLMENT_TAG, name, token).hex(),
        }
        server.http.post(f"/v1/federations/{name}/enrolments", json=claim).raise_for_status()


def test_a_federation_is_founded_enrolled_started_and_shown(
    server: LiveServer, key: Path, tmp_path: Path
) -> None:
    tokens = founded(server, key, tmp_path, "by-command")
    assert sorted(tokens) == ["ada", "client-01", "client-02"]
    enrol(server, "by-command", tokens)
    assert federation(server, key, "start", "by-command")["clients"] == 3
    shown = federation(server, key, "show", "by-command")
    assert (shown["phase"], shown["roster_size"]) == ("gathering", 3)
    state = server.coordinator.state(FederationId("by-command"))
    assert state.roster is not None


def test_a_start_before_enough_have_enrolled_is_refused(
    server: LiveServer, key: Path, tmp_path: Path
) -> None:
    founded(server, key, tmp_path, "too-early")
    words = ["federation", "start", "too-early", "--key", str(key), "--url", server.url]
    result = RUNNER.invoke(app, words)
    assert result.exit_code == 2
    assert "config:" in result.stderr


def test_the_list_names_every_federation(server: LiveServer, key: Path, tmp_path: Path) -> None:
    founded(server, key, tmp_path, "listed")
    result = RUNNER.invoke(app, ["federation", "list", "--key", str(key), "--url", server.url])
    assert "listed\tenrolling\tround 0 of" in result.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "file"), ('{"rounds": 0}', "rounds"), ('{"epsilon": 1}', "epsilon")],
)
def test_wrong_settings_are_named(
    server: LiveServer, key: Path, tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "settings.json"
    path.write_text(text)
    words = ["federation", "create", str(path), "--key", str(key), "--url", server.url]
    result = RUNNER.invoke(app, words)
    assert result.exit_code == 2
    assert f": {said}" in result.stderr


def test_a_model_that_is_not_known_is_refused(
    server: LiveServer, key: Path, tmp_path: Path
) -> None:
    path = tmp_path / "settings.json"
    path.write_text("{}")
    words = ["federation", "create", str(path), "--key", str(key), "--url", server.url]
    result = RUNNER.invoke(app, [*words, "--model", "transformer:1:2"])
    assert result.exit_code == 2
    assert "linear:FEATURES:CLASSES" in result.stderr


def test_a_missing_key_is_named_with_its_cure(tmp_path: Path) -> None:
    result = RUNNER.invoke(app, ["federation", "list", "--key", str(tmp_path / "none.key")])
    assert result.exit_code == 2
    assert "keys new" in result.stderr


def test_a_coordinator_does_not_start_without_an_operator_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SECURE_CLOVE_OPERATOR_KEY", raising=False)
    result = RUNNER.invoke(app, ["serve"])
    assert result.exit_code == 2
    assert "--operator-key" in result.stderr


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECURE_CLOVE_OPERATOR_KEY", "ab" * 32)
    monkeypatch.setenv("SECURE_CLOVE_PORT", "9")
    settings = Settings.model_validate({})
    assert (settings.operator_key, settings.port) == ("ab" * 32, 9)


def test_uvicorn_finds_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECURE_CLOVE_OPERATOR_KEY", "ab" * 32)
    main = import_module("api.main")
    assert isinstance(main.app, FastAPI)
