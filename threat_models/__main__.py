"""``python -m threat_models``: audit a finished run or each mechanism, or list the attacks."""

import sys
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from secure_clove.errors import CloveError
from secure_clove.sdk.entropy import SystemEntropy
from threat_models import mechanisms, report
from threat_models.base import Attack, Outcome, Tick
from threat_models.mechanisms import Proof
from threat_models.suite import ATTACKS, FEWEST_TRIALS, TRIALS, case_of, has_leak, run_suite
from threat_models.trap_models import units

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


@app.command("mechanisms")
def run_mechanisms(
    trials: Annotated[
        int, typer.Option(min=FEWEST_TRIALS, help="Games played in each world.")
    ] = mechanisms.TRIALS,
    epsilon: Annotated[
        float, typer.Option(help="What each release is calibrated to.")
    ] = mechanisms.EPSILON,
    delta: Annotated[float, typer.Option(help="At which.")] = mechanisms.DELTA,
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit with 1 when more is proved than was claimed.")
    ] = False,
    form: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.TABLE,
) -> None:
    """Attack every mechanism by itself: one release, with a canary and without, many times."""
    torch.set_num_threads(1)
    try:
        proofs = _prove(trials, epsilon, delta)
    except CloveError as error:
        Console(stderr=True).print(str(error), style="bold red", markup=False)
        raise typer.Exit(FAILED) from error
    if form is Format.JSON:
        sys.stdout.buffer.write(report.proofs_to_json(proofs))
        sys.stdout.flush()
    else:
        Console().print(report.shown_proofs(proofs))
    if gate and any(found.is_refuted for found in proofs):
        raise typer.Exit(LEAK)


def _prove(trials: int, epsilon: float, delta: float) -> list[Proof]:
    entropy, proofs = SystemEntropy(), []
    with _progress() as progress:
        for subject in mechanisms.subjects(epsilon, delta):
            total = units(trials, patterns=len(subject.games))
            task = progress.add_task(subject.name, total=total)
            tick = partial(progress.advance, task)
            proofs.append(mechanisms.prove(subject, trials, entropy=entropy, tick=tick))
    return proofs


def _progress() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _audit(folder: Path, trials: int) -> dict[str, Outcome]:
    with _progress() as progress:

        def watch(attack: Attack, total: int) -> Tick:
            task = progress.add_task(f"{attack.code} {attack.title}", total=total)
            return lambda done: progress.advance(task, done)

        return dict(run_suite(case_of(folder), trials, watch))


if __name__ == "__main__":
    app()
