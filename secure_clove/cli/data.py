"""The data sets a directory holds, and getting those it lacks."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from secure_clove.cli.console import REFUSED, err, explained, out

data = typer.Typer(no_args_is_help=True, help="Data sets: what is there, and getting more.")

Folder = Annotated[
    Path,
    typer.Option(
        "--data-dir", envvar="SECURE_CLOVE_DATA", help="Folder with a folder for each set."
    ),
]


@data.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Of the set, as `data list` prints it.")],
    data_dir: Folder,
    mirror: Annotated[
        str | None, typer.Option(help="Address to fetch from instead of the official homes.")
    ] = None,
    distribution: Annotated[
        str | None, typer.Option(help="Which form of the set; the default is the most complete.")
    ] = None,
) -> None:
    """Download the files of a data set, check their SHA-256, and keep them only if it is right."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    from secure_clove.data.download import fetch as download

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with explained(), Progress(*columns, console=err) as bars:
        shown = {}

        def on_progress(path: str, done: int, total: int) -> None:
            if path not in shown:
                shown[path] = bars.add_task(path)
            bars.update(shown[path], completed=done, total=total)

        files = download(
            name, data_dir, mirror=mirror, distribution=distribution, on_progress=on_progress
        )
    for path in files:
        out.print(f"verified {path}", highlight=False, soft_wrap=True, markup=False)


@data.command("list")
def list_sets(
    data_dir: Folder,
    as_format: Annotated[Literal["table", "json"], typer.Option("--format")] = "table",
) -> None:
    """List the data sets, whether their files are there and right, and where they come from."""
    from rich.table import Column, Table

    from secure_clove.data.sources import inventory

    rows = inventory(data_dir)
    if as_format == "json":
        found = [
            {"name": r.name, "distribution": r.distribution, "state": r.state, "home": r.home}
            for r in rows
        ]
        out.print_json(json.dumps({"schema_version": 1, "data_sets": found}))
    else:
        table = Table("set", "form", "state", Column("home", overflow="fold"))
        for row in rows:
            table.add_row(row.name, row.distribution or "", row.state, row.home)
        out.print(table)
    if any(row.state == "damaged" for row in rows):
        raise typer.Exit(REFUSED)
