"""The operator's command line: ``python -m api serve`` and ``python -m api federation ...``.

The second talks to a running coordinator like any other client, signed with the federation key,
which never leaves the operator's machine.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import uvicorn
from pydantic import ValidationError

from api.app import create_app
from api.settings import Settings
from secure_clove.engine.messages import CONFIG_TAG, Charter
from secure_clove.engine.plan import Config
from secure_clove.errors import CloveError, ConfigError
from secure_clove.foundation.codec import decode
from secure_clove.foundation.ids import FederationId
from secure_clove.sdk.entropy import SystemEntropy
from secure_clove.sdk.keys import load_identity
from secure_clove.sdk.operator import Operator
from secure_clove.transport.http import BINARY, Wire
from secure_clove.transport.wire import OPERATOR

if TYPE_CHECKING:
    from torch import nn

    from secure_clove.sdk.config import Settings as FederationSettings

SCHEMA = 1
"""Version of the JSON that ``--format json`` prints."""

REFUSED = 2
"""Exit code of whatever the coordinator or the library refuses, as in `secure-clove`."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A secure_clove coordinator.",
)
federation = typer.Typer(no_args_is_help=True, help="Found, start and watch federations.")
app.add_typer(federation, name="federation")


class Format(Enum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"


Url = Annotated[str, typer.Option(help="Of the coordinator.")]
Key = Annotated[Path, typer.Option(help="File of the federation key (`secure-clove keys new`).")]
As = Annotated[Format, typer.Option("--format", help="For a person or for a program.")]

HERE = "http://127.0.0.1:8421"


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port to listen on.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of database and models.")] = None,
    operator_key: Annotated[
        str | None, typer.Option(help="Public half of the federation key, 64 hex digits.")
    ] = None,
) -> None:
    """Run the coordinator; what is not given comes from SECURE_CLOVE_... or the defaults."""
    asked = {"host": host, "port": port, "data_dir": data_dir, "operator_key": operator_key}
    with refusing():
        settings = _settings({name: value for name, value in asked.items() if value is not None})
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        ws="none",
        server_header=False,
        access_log=False,
        timeout_graceful_shutdown=5,
    )


@federation.command()
def create(
    settings: Annotated[Path, typer.Argument(help="JSON file of the federation's settings.")],
    key: Key = Path("federation.key"),
    clients: Annotated[int, typer.Option(min=0, help="So many, named client-01 and on.")] = 0,
    client: Annotated[list[str] | None, typer.Option(help="One client's name; repeat.")] = None,
    model: Annotated[str, typer.Option(help="linear:FEATURES:CLASSES")] = "linear:64:10",
    url: Url = HERE,
    format: As = Format.TEXT,
) -> None:
    """Found a federation; prints every client's enrolment token, this once."""
    from secure_clove.sdk.config import plan  # brings torch, which a coordinator never needs

    names = [*(client or []), *_numbered(clients)]
    with refusing(), operating(url, key) as (operator, _):
        config, initial = plan(_wanted(settings), _model(model))
        tokens = operator.create(config, initial, names)
    said = [f"federation {config.federation} founded, configuration {config.hash}"]
    said += [f"{name}\t{token}" for name, token in tokens.items()]
    found = {"federation": config.federation, "config": config.hash, "tokens": dict(tokens)}
    _print(format, found, "\n".join(said))


@federation.command()
def start(
    name: Annotated[str, typer.Argument(help="Of the federation.")],
    key: Key = Path("federation.key"),
    url: Url = HERE,
    format: As = Format.TEXT,
) -> None:
    """Sign the roster of all clients that have enrolled, and start."""
    with refusing(), operating(url, key) as (operator, wire):
        charter = decode(wire.request("GET", _path(name), kind=BINARY) or b"", Charter)
        config = charter.config.open(Config, CONFIG_TAG, load_identity(key).public)
        clients = operator.start(config)
    _print(
        format,
        {"federation": name, "clients": clients},
        f"federation {name} started with {clients} clients",
    )


@federation.command("list")
def list_(key: Key = Path("federation.key"), url: Url = HERE, format: As = Format.TEXT) -> None:
    """List every federation."""
    with refusing(), operating(url, key) as (_, wire):
        found = _json(wire, "/v1/federations")
    lines = [f"{f['name']}\t{f['phase']}\tround {f['round']} of {f['rounds']}" for f in found]
    _print(format, {"federations": found}, "\n".join(lines) or "no federations yet")


@federation.command()
def show(
    name: Annotated[str, typer.Argument(help="Of the federation.")],
    key: Key = Path("federation.key"),
    url: Url = HERE,
    format: As = Format.TEXT,
) -> None:
    """Show one federation and who has enrolled."""
    with refusing(), operating(url, key) as (_, wire):
        found = _json(wire, _path(name))
        enrolled = _json(wire, f"{_path(name)}/enrolments")
    lines = [f"{field}: {value}" for field, value in found.items()]
    lines += [f"enrolled {c}: {key or 'not yet'}" for c, key in enrolled.items()]
    _print(format, {**found, "enrolments": enrolled}, "\n".join(lines))


@contextmanager
def refusing() -> Iterator[None]:
    """Turn a refusal into one line on standard error and `REFUSED`."""
    try:
        yield
    except CloveError as error:
        typer.echo(f"{error.code}: {error}", err=True)
        raise typer.Exit(REFUSED) from error


@contextmanager
def operating(url: str, key: Path) -> Iterator[tuple[Operator, Wire]]:
    """Speak to a coordinator as its operator."""
    identity = load_identity(key)
    operator = Operator(url, identity, patience_s=5)
    wire = Wire(url, identity, OPERATOR, entropy=SystemEntropy(), patience_s=5)
    try:
        yield operator, wire
    finally:
        operator.close()
        wire.close()


def _settings(asked: Mapping[str, Any]) -> Settings:
    try:
        return Settings(**asked)
    except ValidationError as error:
        raise ConfigError(
            "give --operator-key (or SECURE_CLOVE_OPERATOR_KEY): the 64 hex digits that "
            "`secure-clove keys show federation.key` prints, and a port that exists"
        ) from error


def _wanted(path: Path) -> "FederationSettings":
    from secure_clove.sdk.config import Settings as FederationSettings

    try:
        return FederationSettings.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read") from error
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, found['loc'])) or 'file'}: {found['msg']}"
            for found in error.errors()
        )
        raise ConfigError(f"{path}: {wrong}") from error


def _numbered(count: int) -> list[str]:
    width = max(2, len(str(count)))
    return [f"client-{number:0{width}}" for number in range(1, count + 1)]


def _model(spec: str) -> Callable[[], "nn.Module"]:
    from secure_clove.learn.models import linear

    kind, *sizes = spec.split(":")
    if kind != "linear" or len(sizes) != 2 or not all(size.isdigit() for size in sizes):
        raise ConfigError("a model is written linear:FEATURES:CLASSES, such as linear:64:10")
    features, classes = map(int, sizes)
    return lambda: linear(features, classes)


def _path(name: str) -> str:
    return f"/v1/federations/{FederationId(name)}"


def _json(wire: Wire, path: str) -> Any:  # noqa: ANN401  whatever is shown
    return json.loads(wire.request("GET", path, kind="application/json") or b"null")


def _print(format: Format, found: Mapping[str, Any], text: str) -> None:
    typer.echo(json.dumps({"schema": SCHEMA, **found}) if format is Format.JSON else text)


if __name__ == "__main__":
    app()
