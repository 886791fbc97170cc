"""The privacy commands: what noise costs, what a budget buys, what a ledger holds."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from secure_clove.cli.console import explained, out
from secure_clove.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from secure_clove.privacy.accounting import Totals
    from secure_clove.privacy.events import Release, Schedule
    from secure_clove.privacy.ledger import Entry, Ledger

privacy = typer.Typer(
    no_args_is_help=True, help="What noise costs, what a budget buys, what a ledger holds."
)
ledger = typer.Typer(no_args_is_help=True, help="The ledger in a client's journal, read only.")
privacy.add_typer(ledger, name="ledger")

Delta = Annotated[float, typer.Option(help="At which ε is counted; below 1/n.")]
Examples = Annotated[
    int | None, typer.Option(help="Training examples n of one client; of whole clients, how many.")
]
Unit = Annotated[
    Literal["example", "client"],
    typer.Option(help="What is hidden: an example, or the whole client."),
]
Rounds = Annotated[int, typer.Option(help="Rounds in all.")]
Embeddings = Annotated[
    int | None,
    typer.Option(help="Loss embeddings in all rounds; 1 where they have noise or a budget."),
]
Steps = Annotated[int, typer.Option(help="Training steps of a round.")]
Rate = Annotated[
    float, typer.Option(help="Share of the examples in a step, Poisson sampled; 1 takes all.")
]
EmbeddingNoise = Annotated[float | None, typer.Option(help="Noise multiplier of an embedding.")]
UpdateNoise = Annotated[float | None, typer.Option(help="Noise multiplier of a training step.")]
MetricsNoise = Annotated[
    float | None, typer.Option(help="Noise multiplier of a round's held-out count.")
]
UNITS = {"example": "any one example", "client": "any one client"}
Journal = Annotated[Path, typer.Argument(help="A client's journal, SQLite.", metavar="PATH")]


@privacy.command()
def cost(
    embedding_noise: EmbeddingNoise = None,
    embeddings: Embeddings = None,
    update_noise: UpdateNoise = None,
    steps: Steps = 1,
    rate: Rate = 1.0,
    metrics_noise: MetricsNoise = None,
    rounds: Rounds = 1,
    delta: Delta = 1e-5,
    examples: Examples = None,
    unit: Unit = "example",
    every: Annotated[
        int | None, typer.Option(help="Also print the ε after every so many rounds.")
    ] = None,
) -> None:
    """Print the ε that a plan of rounds costs each example of a client."""
    with explained():
        schedule = _schedule(
            embedding=embedding_noise,
            embeddings=embeddings,
            update=update_noise,
            metrics=metrics_noise,
            rounds=rounds,
            steps=steps,
            rate=rate,
            unit=unit,
        )
        _print_cost("What the plan costs", schedule, delta, examples)
        if every is not None:
            _print_growth(schedule, delta, every)


@privacy.command()
def calibrate(
    epsilon: Annotated[
        float | None, typer.Option(help="Most ε of embeddings and training together.")
    ] = None,
    epsilon_embedding: Annotated[
        float | None, typer.Option(help="Most ε of all embeddings, a part of it.")
    ] = None,
    epsilon_metrics: Annotated[
        float | None, typer.Option(help="Most ε of all counts over held-out examples.")
    ] = None,
    embeddings: Embeddings = None,
    steps: Steps = 1,
    rate: Rate = 1.0,
    rounds: Rounds = 1,
    delta: Delta = 1e-5,
    examples: Examples = None,
    unit: Unit = "example",
) -> None:
    """Print the least noise that keeps to a budget, and what it leaves of the signal."""
    from secure_clove.privacy.calibration import Budget, noise_for
    from secure_clove.privacy.events import Schedule

    with explained():
        budget = Budget(
            delta=delta, total=epsilon, embedding=epsilon_embedding, metrics=epsilon_metrics
        )
        count = embeddings if embeddings is not None else int(epsilon_embedding is not None)
        asked = Schedule(rounds=rounds, embeddings=count, steps=steps, rate=rate, unit=unit)
        _print_cost("Noise that keeps to the budget", noise_for(budget, asked), delta, examples)


@privacy.command()
def explain(
    ledger: Annotated[
        Path | None, typer.Option(help="A client's journal: explain what it has spent.")
    ] = None,
    embedding_noise: EmbeddingNoise = None,
    embeddings: Embeddings = None,
    update_noise: UpdateNoise = None,
    steps: Steps = 1,
    rate: Rate = 1.0,
    metrics_noise: MetricsNoise = None,
    rounds: Rounds = 1,
    delta: Delta = 1e-5,
    examples: Examples = None,
    unit: Unit = "example",
    shared_noise: Annotated[
        bool, typer.Option("--shared-noise", help="The noise of updates is only in their sums.")
    ] = False,
) -> None:
    """Print in words what a plan promises, or what a client's ledger has come to."""
    from secure_clove.privacy.accounting import check_delta
    from secure_clove.privacy.statement import plan_statement, statement

    with explained():
        check_delta(delta, examples=examples)
        if ledger is not None:
            if (embedding_noise, update_noise, metrics_noise) != (None, None, None):
                raise ConfigError("a plan and a ledger; explain one of them")
            found = _read(ledger, delta)
            found.verify()
            text = statement(
                found.totals(),
                delta=delta,
                is_simulated=False,
                is_distributed=found.shares_noise,
            )
        else:
            schedule = _schedule(
                embedding=embedding_noise,
                embeddings=embeddings,
                update=update_noise,
                metrics=metrics_noise,
                rounds=rounds,
                steps=steps,
                rate=rate,
                unit=unit,
                is_shared=shared_noise,
            )
            text = plan_statement(schedule, delta=delta)
    out.print(text, highlight=False, markup=False)


@ledger.command()
def verify(
    path: Journal,
    delta: Delta = 1e-5,
    head: Annotated[
        str | None,
        typer.Option(help="Hash of the last entry as noted before; finds out a cut-off end."),
    ] = None,
) -> None:
    """Check the hash chain of a client's ledger and print what it has spent."""
    with explained():
        found = _read(path, delta)
        found.verify()
        if head is not None and head != found.head:
            raise StoreError(
                f"the ledger ends in {found.head} after {len(found.entries)} entries, not in the "
                "hash given: entries were added since, or the last ones changed or cut off"
            )
        _print_totals(found)


@ledger.command()
def show(path: Journal, delta: Delta = 1e-5) -> None:
    """Print every entry of a client's ledger, then check the chain and print what it has spent."""
    with explained():
        found = _read(path, delta)
        _print_entries(found.entries)
        found.verify()
        _print_totals(found)


# ---- what is asked for


def _schedule(
    *,
    embedding: float | None,
    embeddings: int | None,
    update: float | None,
    metrics: float | None,
    rounds: int,
    steps: int,
    rate: float,
    unit: Literal["example", "client"],
    is_shared: bool = False,
) -> "Schedule":
    from secure_clove.privacy.events import Schedule

    count = embeddings if embeddings is not None else int(embedding is not None)
    if count and embedding is None:
        raise ConfigError(f"{count} embeddings and no noise for them; set --embedding-noise")
    if (embedding, update, metrics) == (None, None, None):
        raise ConfigError(
            "a plan without a release; set --embedding-noise, --update-noise or --metrics-noise"
        )
    return Schedule(
        rounds=rounds,
        embeddings=count,
        steps=steps,
        rate=rate,
        embedding=embedding,
        update=update,
        metrics=metrics,
        unit=unit,
        is_shared=is_shared,
    )


def _read(path: Path, delta: float) -> "Ledger":
    from secure_clove.privacy.ledger import Ledger
    from secure_clove.stores.journal import read_ledger

    return Ledger(entries=read_ledger(path), limit=math.inf, delta=delta)


# ---- what is printed


def _print_cost(title: str, schedule: "Schedule", delta: float, examples: int | None) -> None:
    from rich.table import Table

    from secure_clove.privacy.accounting import check_delta, epsilon_rdp, totals

    check_delta(delta, examples=examples)
    releases = schedule.releases()
    spent, bound = totals(releases, delta), totals(releases, delta, by=epsilon_rdp)
    table = Table("release", "noise multiplier", "times", "ε", "ε by RDP", title=title)
    for release in releases:
        costs = (_epsilon(getattr(by, release.name)) for by in (spent, bound))
        table.add_row(release.name, f"{release.multiplier:.4g}", _times(release), *costs)
    table.add_row("total", "", "", _epsilon(spent.total), _epsilon(bound.total))
    out.print(table)
    others = " Metrics are paid by held-out examples, so the total is the larger of the two."
    whom = UNITS[spent.unit] + " zeroed out. ε by privacy loss distributions; RDP bounds it."
    end = others if spent.unit == "example" else ""
    out.print(f"At δ = {delta:g}, for {whom}{end}", highlight=False)
    if examples is not None:
        _print_signal(schedule, examples)


def _print_signal(schedule: "Schedule", examples: int) -> None:
    from secure_clove.privacy.calibration import noise_beside_signal

    signal = {
        "embedding": "in each number of a vector no longer than 1",
        "update": "in each number of a step's mean gradient, no longer than 1, in units of clip"
        if schedule.unit == "example"
        else "in each number of the mean update of the clients, in units of its norm",
        "metrics": "hits in a round's count",
    }
    out.print(f"Standard deviation of the noise at n = {examples}:", highlight=False)
    for name, deviation in noise_beside_signal(schedule, examples).items():
        out.print(f"  {name}: {deviation:.4g} {signal[name]}", highlight=False)


def _print_growth(schedule: "Schedule", delta: float, every: int) -> None:
    from rich.table import Table

    from secure_clove.privacy.accounting import totals

    if every < 1:
        raise ConfigError(f"every {every} rounds never comes; set --every to 1 or more")
    table = Table("after round", "embedding", "update", "metrics", "total", title="How ε grows")
    last = schedule.rounds
    for number in sorted({*range(every, last + 1, every), last}):
        table.add_row(str(number), *_parts(totals(schedule.releases(number), delta)))
    out.print(table)


def _print_entries(entries: "Iterable[Entry]") -> None:
    from rich.markup import escape
    from rich.table import Table

    heads = ("entry", "federation", "round", "phase", "attempt", "release", "hides", "noise")
    table = Table(*heads, "times")
    for found in entries:
        release = found.release
        where = (escape(found.federation), str(found.round), escape(found.phase))
        what = (release.name, release.unit, f"{release.multiplier:.4g}", _times(release))
        table.add_row(str(found.sequence), *where, str(found.attempt), *what)
    out.print(table)


def _print_totals(found: "Ledger") -> None:
    names, totals = ("embedding", "update", "metrics", "total"), found.totals()
    spent = (f"{name} {part}" for name, part in zip(names, _parts(totals), strict=True))
    out.print(
        f"{len(found.entries)} entries, the chain holds. Head {found.head}\n"
        f"Spent at δ = {found.delta:g} for {UNITS[totals.unit]}: ε of {', '.join(spent)}",
        highlight=False,
        soft_wrap=True,
    )


def _parts(spent: "Totals") -> tuple[str, ...]:
    return tuple(map(_epsilon, (spent.embedding, spent.update, spent.metrics, spent.total)))


def _times(release: "Release") -> str:
    return f"{release.steps}" if release.rate == 1 else f"{release.steps} at rate {release.rate:g}"


def _epsilon(value: float) -> str:
    return "unbounded" if value == math.inf else f"{value:.4g}"
