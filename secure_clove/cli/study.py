"""The study commands: the paper's tables, run again."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from secure_clove.cli.console import err, explained, out
from secure_clove.cli.data import Folder as DataFolder

study = typer.Typer(no_args_is_help=True, help="Experiments on many rounds.")


@study.callback()
def main() -> None:
    """Experiments on many rounds."""


@study.command()
def paper(
    data_dir: DataFolder,
    table: Annotated[
        Literal["1", "2"], typer.Option(help="1: test accuracy; 2: ARI and its first round of 0.9.")
    ] = "1",
    dataset: Annotated[
        list[str] | None, typer.Option(help="mnist, cifar10 or fashion-mnist; all unless named.")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="label-skew-1, label-skew-2, concept-shift or feature-skew; likewise."),
    ] = None,
    algorithm: Annotated[
        list[str] | None, typer.Option(help="clove, ifca, fedavg or local; likewise.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, max=10_000, help="Of each run.")] = 100,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Runs of each cell.")] = 3,
    preset: Annotated[
        Literal["authors", "paper"],
        typer.Option(help="Training as in the authors' code, or as printed."),
    ] = "authors",
    folder: Annotated[
        Path, typer.Option(help="Where runs are kept; what is finished there is not run again.")
    ] = Path("runs/paper"),
) -> None:
    """Run cells of the paper's Table 1 or 2 and print them beside the paper's figures."""
    from rich.box import SIMPLE
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft
    from rich.table import Table

    from secure_clove.data.sources import load
    from secure_clove.sdk.entropy import SystemEntropy
    from secure_clove.studies.paper.study import cells, run_study
    from secure_clove.studies.paper.tables import HEADS, reasons, rows

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeLeft())
    with explained(), Progress(*columns, console=err) as bars:
        wanted = cells(
            int(table),
            datasets=dataset or (),
            kinds=kind or (),
            algorithms=algorithm or (),
            rounds=rounds,
            seeds=seeds,
            preset=preset,
        )
        before = {cell: index * rounds for index, cell in enumerate(wanted)}
        bar = bars.add_task("rounds", total=len(wanted) * rounds)
        results = run_study(
            wanted,
            folder,
            load=partial(load, data_dir=data_dir),
            entropy=SystemEntropy(),
            watch=lambda cell, done: bars.update(
                bar,
                completed=before[cell] + done,
                description=f"{cell.dataset} {cell.kind} {cell.algorithm} seed {cell.seed}",
            ),
        )
    shown = Table(box=SIMPLE, padding=0)
    for head in HEADS[int(table)]:
        shown.add_column(head, overflow="fold")
    for row in rows(int(table), results):
        shown.add_row(*row)
    out.print(shown)
    for line in ("The paper: 100 rounds, 3 seeds. ± is over seeds.", *reasons(results)):
        out.print(line, highlight=False, markup=False)
