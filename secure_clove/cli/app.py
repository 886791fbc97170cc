"""The command line: parse, call, print. No decisions here."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from secure_clove.cli.console import err, explained, out
from secure_clove.cli.data import data as data_sets
from secure_clove.cli.privacy import privacy as privacy_of
from secure_clove.cli.study import study

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
client = typer.Typer(no_args_is_help=True, help="Take part in a federation.")
keys = typer.Typer(no_args_is_help=True, help="Identity keys.")
app.add_typer(client, name="client")
app.add_typer(keys, name="keys")
app.add_typer(data_sets, name="data")
app.add_typer(privacy_of, name="privacy")
app.add_typer(study, name="study")


@app.callback()
def main() -> None:
    """Clustered, personalized federated learning that keeps secrets."""


Privacy = Annotated[
    Literal["on", "off"], typer.Option(help="Differential privacy; masking stays on either way.")
]
Visibility = Annotated[
    Literal["noised", "sealed"],
    typer.Option(help="Whether the coordinator sees each noised loss vector, or sums alone."),
]
Membership = Annotated[
    Literal["visible", "hidden"],
    typer.Option(help="Whether a sealed clustering shows who is in which cluster, or sizes alone."),
]
Seed = Annotated[
    int,
    typer.Option(
        min=0, max=2**63 - 1, help="Of the partition and the initial models, never of noise."
    ),
]


@app.command()
def demo(
    privacy: Privacy = "on",
    visibility: Visibility = "sealed",
    membership: Membership = "visible",
    seed: Seed = 0,
    rounds: Annotated[
        int, typer.Option(min=1, max=10_000, help="Rounds until the federation closes.")
    ] = 12,
    folder: Annotated[Path, typer.Option(help="Where the run is kept.")] = Path("runs/demo"),
    audit: Annotated[bool, typer.Option(help="Attack the run when it is over.")] = True,
) -> None:
    """Watch 25 REST clients find their five hidden groups, then open the report."""
    from secure_clove.sdk.config import PrivacySettings, Settings
    from secure_clove.studies.demo import Demo, options_for, run_demo

    with explained():
        settings = Settings(
            seed=seed,
            rounds=rounds,
            visibility=visibility,
            membership=membership,
            options=options_for(visibility),
            privacy=PrivacySettings() if privacy == "on" else None,
        )
        summary = run_demo(Demo(folder=folder, settings=settings, with_audit=audit), out)
    spent = "off" if summary.epsilon_total is None else f"ε {summary.epsilon_total:.2f}"
    ari = "unknown" if summary.ari_final is None else f"{summary.ari_final:.2f}"
    whose = " (only the clients know)" if membership == "hidden" else ""
    out.print(
        f"\nARI [bold]{ari}[/]{whose} · accuracy [bold]{summary.accuracy_mean:.3f}[/] · "
        f"privacy [bold]{spent}[/] · {summary.wall_seconds:.0f} s\n"
        f"report  {folder / 'report.html'}\nnumbers {folder / 'summary.json'}",
        highlight=False,
    )


@client.command()
def join(
    url: Annotated[str, typer.Argument(help="Of the coordinator, such as http://127.0.0.1:8421.")],
    identity: Annotated[Path, typer.Option(help="Key file of this site; made if it is missing.")],
    data: Annotated[Path, typer.Option(help=".npz with train_x, train_y, test_x, test_y.")],
    max_epsilon: Annotated[float, typer.Option(help="Most ε this site ever spends; inf: any.")],
    classes: Annotated[int, typer.Option(min=2, help="Classes of the linear classifier.")] = 10,
    federation: Annotated[str, typer.Option(help="Its name.")] = "demo",
    token: Annotated[str | None, typer.Option(help="One-time enrolment token.")] = None,
    delta: Annotated[float, typer.Option(help="At which ε is counted.")] = 1e-5,
    min_cohort: Annotated[int, typer.Option(help="Fewest clients in a sum.")] = 3,
    max_rounds: Annotated[int | None, typer.Option(help="Most rounds; no limit but ε's.")] = None,
    visibility: Annotated[
        Literal["noised", "sealed"],
        typer.Option(help="What a coordinator may see: noised vectors, or sums alone."),
    ] = "noised",
    sum_only: Annotated[
        bool, typer.Option("--sum-only", help="Refuse sums, too, that tell of single replies.")
    ] = False,
    embedding: Annotated[
        list[str] | None, typer.Option(help="Loss embeddings to answer with; all unless named.")
    ] = None,
    local_noise: Annotated[
        bool, typer.Option("--local-noise", help="Refuse noise that clients share.")
    ] = False,
    federation_key: Annotated[str | None, typer.Option(help="Public federation key, hex.")] = None,
    model: Annotated[Path | None, typer.Option(help="Takes the final model, safetensors.")] = None,
    one_at_a_time: Annotated[
        bool, typer.Option("--one-at-a-time", help="Hold one model in memory, not all K.")
    ] = False,
) -> None:
    """Train a linear classifier on this site's data with everybody else's help."""
    from secure_clove.engine.policy import Policy
    from secure_clove.sdk.client import FederatedClient
    from secure_clove.sdk.keys import new_identity
    from secure_clove.studies.sites import linear_task, save_model, terminal_watch

    with explained():
        if not identity.exists():
            new_identity(identity)
        policy = Policy(
            max_epsilon=max_epsilon,
            delta=delta,
            min_cohort=min_cohort,
            max_rounds=max_rounds,
            visibility=visibility,
            sum_only=sum_only,
            embeddings=tuple(embedding) if embedding else None,
            local_noise=local_noise,
            federation_key=federation_key,
        )
        task = linear_task(data, classes)
        with terminal_watch(err) as watch:
            site = FederatedClient(
                url,
                identity,
                policy,
                federation=federation,
                token=token,
                watch=watch,
                one_at_a_time=one_at_a_time,
            )
            result = site.run(task)
        if model is not None:
            save_model(model, task, result)
    accuracy = "unknown" if result.accuracy is None else f"{result.accuracy:.3f}"
    out.print(f"{result.client}: accuracy [bold]{accuracy}[/]\n{result.privacy}", highlight=False)


@keys.command()
def new(path: Annotated[Path, typer.Argument(help="A file that does not exist yet.")]) -> None:
    """Make an identity key and print its public half."""
    from secure_clove.sdk.keys import new_identity

    with explained():
        out.print(new_identity(path).public.hex(), highlight=False, soft_wrap=True)


@keys.command()
def show(path: Annotated[Path, typer.Argument(help="A key file.")]) -> None:
    """Print the public half of an identity key."""
    from secure_clove.sdk.keys import load_identity

    with explained():
        out.print(load_identity(path).public.hex(), highlight=False, soft_wrap=True)


@app.command()
def surface(
    as_format: Annotated[Literal["table", "json"], typer.Option("--format")] = "table",
) -> None:
    """List what every algorithm shows its coordinator."""
    from rich.table import Table

    from secure_clove.algorithms.registry import surface as rows

    if as_format == "json":
        found = [
            {"algorithm": r.algorithm, "exchange": r.exchange, "reveal": r.reveal.value}
            | {"uses": list(r.uses)}
            for r in rows()
        ]
        out.print_json(json.dumps({"schema_version": 1, "exchanges": found}))
        return
    table = Table("algorithm", "exchange", "it sees", "releases", title="What the coordinator sees")
    for row in rows():
        table.add_row(row.algorithm, row.exchange, row.reveal.value, ", ".join(row.uses))
    out.print(table)
