"""The study commands: the paper's experiments, run again."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from secure_clove.cli.console import REFUSED, err, explained, out

if TYPE_CHECKING:
    from secure_clove.studies.paper.sheet import Sheet
    from secure_clove.studies.play.cell import Cell
    from secure_clove.studies.play.crew import Crew
    from secure_clove.studies.play.record import Watch
    from secure_clove.studies.play.result import Result

Workers = Annotated[
    int | None, typer.Option(min=1, help="That share the clients; one a core unless said.")
]
DataDir = Annotated[
    Path | None,
    typer.Option(envvar="SECURE_CLOVE_DATA", help="Folder with a folder for each set."),
]
Folder = Annotated[
    Path, typer.Option(help="Where runs are kept; what is finished there is not run again.")
]
Seeds = Annotated[int, typer.Option(min=1, max=1000, help="Runs of each cell.")]

study = typer.Typer(no_args_is_help=True, help="Experiments on many rounds.")


@study.callback()
def main() -> None:
    """Experiments on many rounds."""


@study.command()
def paper(
    table: Annotated[
        str | None,
        typer.Option(
            help="1 to 5 or 8 to 17; evaluated-first, femnist or unknown-k.", metavar="TABLE"
        ),
    ] = None,
    figure: Annotated[int | None, typer.Option(help="2 to 7.", min=2, max=7)] = None,
    dataset: Annotated[
        list[str] | None, typer.Option(help="Such as mnist; all of the sheet unless named.")
    ] = None,
    row: Annotated[
        list[str] | None, typer.Option(help="Such as label-skew-1 or rho-0.1; likewise.")
    ] = None,
    algorithm: Annotated[
        list[str] | None, typer.Option(help="clove, ifca, fedavg or local; likewise.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, max=10_000, help="Of each run.")] = 100,
    seeds: Seeds = 3,
    preset: Annotated[
        Literal["authors", "paper"],
        typer.Option(help="Training as in the authors' code, or as printed."),
    ] = "authors",
    examples: Annotated[
        int | None,
        typer.Option(min=1, help="Of each client, where the data at hand are too few."),
    ] = None,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="Workers on this machine, or on a Ray cluster (RAY_ADDRESS)."),
    ] = "local",
    workers: Workers = None,
    device: Annotated[
        str, typer.Option(help="Where models are trained: auto, cpu, cuda, cuda:1.")
    ] = "auto",
    data_dir: DataDir = None,
    folder: Folder = Path("runs/paper"),
) -> None:
    """Run a table or a figure of the paper and show it beside the paper's figures."""
    from secure_clove.studies.paper.catalogue import sheet_called
    from secure_clove.studies.paper.sheet import cells, narrowed
    from secure_clove.studies.play.record import run_study

    with explained():
        sheet = narrowed(
            sheet_called(table=table, figure=figure),
            datasets=dataset or (),
            rows=row or (),
            algorithms=algorithm or (),
            examples=examples,
        )
        wanted = cells(sheet, rounds=rounds, seeds=range(seeds), preset=preset)
        count = workers or os.cpu_count() or 1
        with _crew(engine, count, data_dir, device) as crew, _progress(wanted) as watch:
            results = run_study(wanted, folder, crew, watch=watch)
        _show(sheet, results, folder)
    if all(result.reason for result in results):
        raise typer.Exit(REFUSED)


@contextmanager
def _crew(engine: str, workers: int, data_dir: Path | None, device: str) -> "Iterator[Crew]":
    from secure_clove.learn.devices import choose_device
    from secure_clove.studies.play.clients import loader
    from secure_clove.studies.play.crew import Alone

    if engine == "ray":
        from secure_clove.studies.play.on_ray import on_ray

        with on_ray(workers, data_dir=data_dir, device=device) as crew:
            yield crew
        return
    place = str(choose_device(device))
    if workers == 1:
        yield Alone(loader(data_dir), device=place)
        return
    from secure_clove.studies.play.processes import processes

    with processes(workers, data_dir=data_dir, device=place) as crew:
        yield crew


@contextmanager
def _progress(wanted: "tuple[Cell, ...]") -> "Iterator[Watch]":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft
    from rich.table import Column

    from secure_clove.studies.play.record import Step

    columns = (
        TextColumn("{task.description}", table_column=Column(max_width=48, no_wrap=True)),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[news]}"),
        TimeLeft(),
    )
    before = {
        cell.name: sum(earlier.rounds for earlier in wanted[:place])
        for place, cell in enumerate(wanted)
    }
    with Progress(*columns, console=err) as bars:
        bar = bars.add_task("rounds", total=sum(cell.rounds for cell in wanted), news="")

        def watch(step: Step) -> None:
            ari = None if step.line is None else step.line.ari_of_all
            bars.update(
                bar,
                completed=before[step.cell.name] + step.done,
                description=f"{step.cell.setting.name} seed {step.cell.seed}",
                news="" if ari is None else f"ARI {ari:.2f}",
            )

        yield watch


def _show(sheet: "Sheet", results: "tuple[Result, ...]", folder: Path) -> None:
    from secure_clove.studies.paper import figures, tables

    is_figure = sheet.measures[0] in ("curve", "heat")
    heads = figures.figure_heads(sheet) if is_figure else tables.heads(sheet)
    lines = figures.figure_rows(sheet, results) if is_figure else tables.rows(sheet, results)
    _print(f"{sheet.name.capitalize()}. {sheet.title}", heads, lines)
    notes = ["The paper: 100 rounds, 3 seeds. ± is over seeds.", *tables.reasons(results)]
    if is_figure:
        path = folder / f"{sheet.name.replace(' ', '-')}.svg"
        path.write_text(figures.draw(sheet, results))
        notes.append(f"The figure: {path}")
    for note in notes:
        out.print(note, highlight=False, markup=False)


@study.command()
def sealed(
    dataset: Annotated[
        list[str] | None, typer.Option(help="digits, mnist or fashion-mnist; all unless named.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Such as label-skew-1; all unless named.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=2, max=10_000, help="Of each run.")] = 10,
    seeds: Seeds = 5,
    workers: Workers = None,
    data_dir: DataDir = None,
    folder: Folder = Path("runs/sealed"),
) -> None:
    """Play CLoVE with its loss vectors in the clear and sealed, at the same noise."""
    from secure_clove.studies.play.cell import Cell
    from secure_clove.studies.play.record import run_study
    from secure_clove.studies.sealed.page import HEADS, NOTES, sealed_rows
    from secure_clove.studies.sealed.pairs import chosen

    with explained():
        wanted = chosen(dataset or (), kind or ())
        cells = tuple(
            Cell(setting=setting, seed=seed, rounds=rounds, preset="authors")
            for pair in wanted
            for setting in pair.ways.values()
            for seed in range(seeds)
        )
        count = workers or os.cpu_count() or 1
        with _crew("local", count, data_dir, "auto") as crew, _progress(cells) as watch:
            results = run_study(cells, folder, crew, watch=watch)
        _print("What sealing costs", HEADS, sealed_rows(results, wanted))
        out.print(NOTES, highlight=False, markup=False)
    if all(result.reason for result in results):
        raise typer.Exit(REFUSED)


@study.command()
def tradeoff(
    plan: Annotated[
        str, typer.Option(help="clustering, accuracy, training or r-dpcfl.", metavar="PLAN")
    ] = "clustering",
    dataset: Annotated[
        list[str] | None, typer.Option(help="Such as mnist; all of the plan unless named.")
    ] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Such as label-skew-1; likewise.")] = None,
    algorithm: Annotated[list[str] | None, typer.Option(help="clove or fedavg; likewise.")] = None,
    epsilon: Annotated[
        list[float] | None, typer.Option(help="ε of all that has a budget; likewise.")
    ] = None,
    embedding: Annotated[
        list[str] | None, typer.Option(help="directional, relative or clipped; likewise.")
    ] = None,
    visibility: Annotated[
        list[str] | None, typer.Option(help="noised or sealed; likewise.")
    ] = None,
    noise: Annotated[
        list[str] | None, typer.Option(help="Of updates: local or distributed; likewise.")
    ] = None,
    seeds: Seeds = 5,
    workers: Workers = None,
    data_dir: DataDir = None,
    folder: Folder = Path("runs/tradeoff"),
) -> None:
    """Measure what privacy costs: clusters found and accuracy kept, against epsilon."""
    from secure_clove.studies.play.cell import Cell
    from secure_clove.studies.play.record import run_study
    from secure_clove.studies.tradeoff.figure import draw
    from secure_clove.studies.tradeoff.page import NOTES, TITLES, tradeoff_table
    from secure_clove.studies.tradeoff.plans import chosen

    with explained():
        points = chosen(
            plan,
            dataset=dataset or (),
            kind=kind or (),
            algorithm=algorithm or (),
            epsilon=epsilon or (),
            embedding=embedding or (),
            visibility=visibility or (),
            noise=noise or (),
        )
        cells = tuple(
            Cell(setting=point.setting, seed=seed, rounds=point.rounds, preset="authors")
            for seed in range(seeds)
            for point in points
        )
        count = workers or os.cpu_count() or 1
        with _crew("local", count, data_dir, "auto") as crew, _progress(cells) as watch:
            results = run_study(cells, folder, crew, watch=watch)
        heads, *lines = tradeoff_table(points, results)
        _print(TITLES[plan], heads, lines)
        path = folder / f"{plan}.svg"
        path.write_text(draw(plan, points, results))
        reasons = dict.fromkeys(result.reason for result in results if result.reason)
        for note in (*reasons, NOTES, f"The figure: {path}"):
            out.print(note, highlight=False, markup=False)
    if all(result.reason for result in results):
        raise typer.Exit(REFUSED)


@study.command()
def theory(
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Draws of each separation.")] = 20,
    folder: Annotated[Path, typer.Option(help="Where the results and the figure go.")] = Path(
        "runs/theory"
    ),
) -> None:
    """Measure the paper's lemmas and theorems on mixed linear regression."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    from secure_clove.studies.theory.figure import write_figure
    from secure_clove.studies.theory.page import findings, theory_rows
    from secure_clove.studies.theory.study import run_theory

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeLeft())
    with explained():
        with Progress(*columns, console=err) as bars:
            bar = bars.add_task("draws", total=None)
            result = run_theory(
                seeds=seeds,
                folder=folder,
                watch=lambda done, total: bars.update(bar, completed=done, total=total),
            )
        for found in theory_rows(result):
            _print(found.title, found.heads, found.rows)
        path = write_figure(folder, result)
    for note in (*findings(result), f"The figure: {path}"):
        out.print(note, highlight=False, markup=False)


def _print(title: str, heads: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    from rich.box import SIMPLE
    from rich.table import Table

    shown = Table(title=title, title_justify="left", box=SIMPLE, padding=0)
    for head in heads:
        shown.add_column(head, overflow="fold")
    for line in lines:
        shown.add_row(*line)
    out.print(shown)
