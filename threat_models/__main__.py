"""``python -m threat_models``: audit a finished run, or list the attacks there are."""

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from secure_clove.errors import CloveError
from threat_models import report
from threat_models.base import Attack, Outcome, Tick
from threat_models.suite import ATTACKS, FEWEST_TRIALS, TRIALS, case_of, has_leak, run_suite

LEAK, FAILED = 1, 2
"""Exit codes: a claim was refuted under ``--gate``; the audit could not be made."""

app = typer.Typer(
    help="Attack the transcript of a finished run and hold what comes out against its claims.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Format(Enum):
    """How the outcome is printed."""

    TABLE = "table"
    JSON = "json"


@app.command("list")
def list_attacks() -> None:
    """List the attacks."""
    Console().print(report.catalogue(ATTACKS))


@app.command()
def run(
    folder: Annotated[Path, typer.Argument(help="Of a finished run, such as runs/demo.")],
    trials: Annotated[
        int, typer.Option(min=FEWEST_TRIALS, help="Games played in each world.")
    ] = TRIALS,
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit with 1 when a measurement refutes a claim.")
    ] = False,
    form: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.TABLE,
) -> None:
    """Audit a run: write audit.json into its folder and print the outcome."""
    torch.set_num_threads(1)  # for models this small, threads wait longer than they work
    try:
        outcomes = _audit(folder, trials)
        report.write(folder, outcomes)
    except CloveError as error:
        Console(stderr=True).print(str(error), style="bold red", markup=False)
        raise typer.Exit(FAILED) from error
    if form is Format.JSON:
        sys.stdout.buffer.write(report.to_json(outcomes))
        sys.stdout.flush()
    else:
        Console().print(report.shown(ATTACKS, outcomes))
    if gate and has_leak(outcomes):
        raise typer.Exit(LEAK)


def _audit(folder: Path, trials: int) -> dict[str, Outcome]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:

        def watch(attack: Attack, total: int) -> Tick:
            task = progress.add_task(f"{attack.code} {attack.title}", total=total)
            return lambda done: progress.advance(task, done)

        return dict(run_suite(case_of(folder), trials, watch))


if __name__ == "__main__":
    app()
