"""Rewrites the generated blocks of the docs from the code and from a recorded run.

``python docs/generate.py`` rewrites, ``--check`` only names what is out of date, ``--run FOLDER``
first keeps that run's summary as ``docs/data/demo-summary.json``, ``--paper FOLDER`` the results of
a study as ``docs/data/paper.jsonl`` and its figures in ``docs/images``. A block stands between
``<!-- generated: NAME -->`` and ``<!-- /generated -->``; the rest of a page is left alone.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from enum import Enum
from inspect import cleandoc, getdoc, signature
from pathlib import Path
from typing import Any

# the applications live in the repository, not in the wheel
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
import typer
from pydantic import BaseModel
from typer.core import TyperArgument, TyperGroup

from api.__main__ import app as api_cli
from api.app import create_app
from api.errors import STATUS
from api.settings import Settings as ServerSettings
from secure_clove import errors
from secure_clove.algorithms.base import Reveal
from secure_clove.algorithms.client_averaging import ClientFedAvg
from secure_clove.algorithms.clove import Clove
from secure_clove.algorithms.registry import surface
from secure_clove.algorithms.sealed import SealedClove
from secure_clove.cli.app import app as clove_cli
from secure_clove.engine.policy import Policy
from secure_clove.engine.terms import TrainingPlan
from secure_clove.learn.architectures import ARCHITECTURES
from secure_clove.learn.models import parameter_count
from secure_clove.observe.runs import AuditRow, RoundRecord, Summary, read_summary, write_summary
from secure_clove.sdk.config import PrivacySettings, Settings, TrainingSettings
from secure_clove.secagg.stages import TRANSITIONS, Stage
from secure_clove.studies.paper import figures, tables
from secure_clove.studies.paper.catalogue import SHEETS
from secure_clove.studies.paper.shown import shown
from secure_clove.studies.play.record import RESULTS, read_results, write_results
from secure_clove.studies.play.result import Result
from secure_clove.studies.sealed.page import sealed_page
from secure_clove.studies.theory.page import theory_page
from secure_clove.studies.theory.results import read_theory
from secure_clove.studies.tradeoff.figure import draw as tradeoff_figure
from secure_clove.studies.tradeoff.measured import measured
from secure_clove.studies.tradeoff.page import tradeoff_page
from secure_clove.studies.tradeoff.plans import PLANS
from threat_models.__main__ import app as audit_cli
from threat_models.suite import ATTACKS

ROOT = Path(__file__).resolve().parent.parent
RECORDED = ROOT / "docs" / "data" / "demo-summary.json"
SEEDS = ROOT / "docs" / "data" / "seeds.jsonl"
PAPER = ROOT / "docs" / "data" / "paper.jsonl"
SEALED = ROOT / "docs" / "data" / "sealed.jsonl"
TRADEOFF = ROOT / "docs" / "data" / "tradeoff.jsonl"
IMAGES = ROOT / "docs" / "images"
THEORY = ROOT / "docs" / "data" / "theory.json"
BLOCK = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- /generated -->)", re.DOTALL)
Row = Sequence[str]


def main() -> int:
    """Return the exit code: 1 if ``--check`` finds a page out of date."""
    parser = argparse.ArgumentParser(description="Rewrite the generated blocks of the docs.")
    parser.add_argument("--check", action="store_true", help="change nothing, name stale pages")
    parser.add_argument("--run", type=Path, help="folder of a finished run to keep and to show")
    parser.add_argument("--paper", type=Path, help="folder of a study to keep and to show")
    parser.add_argument("--sealed", type=Path, help="folder of the sealed study, likewise")
    parser.add_argument("--tradeoff", type=Path, help="folder of the trade-off study, likewise")
    asked = parser.parse_args()
    if asked.run is not None:
        RECORDED.parent.mkdir(exist_ok=True)
        write_summary(RECORDED, read_summary(asked.run / "summary.json"))
    if asked.paper is not None:
        keep_study(asked.paper)
    if asked.sealed is not None:
        keep_results(SEALED, asked.sealed)
    if asked.tradeoff is not None:
        keep_tradeoff(asked.tradeoff)
    made: dict[str, str] = {}
    stale = [page for page in pages() if not _is_fresh(page, made)]
    for page in stale:
        sys.stdout.write(f"{page.relative_to(ROOT)} {'is stale' if asked.check else 'written'}\n")
        if not asked.check:
            page.write_text(filled(page.read_text(), made))
    return 1 if asked.check and stale else 0


def keep_study(folder: Path) -> None:
    """Keep the results of a study beside those kept before, and draw its figures."""
    results = keep_results(PAPER, folder)
    for name, sheet in SHEETS.items():
        if is_figure(name) and any(line.runs for line in shown(sheet, results)):
            drawn(name).write_text(figures.draw(sheet, results))


def keep_tradeoff(folder: Path) -> None:
    """Keep the results of the trade-off study, likewise."""
    results = keep_results(TRADEOFF, folder)
    for plan, points in PLANS.items():
        if measured(points(), results):
            figure = tradeoff_figure(plan, points(), results)
            (IMAGES / f"tradeoff-{plan}.svg").write_text(figure)


def keep_results(path: Path, folder: Path) -> list[Result]:
    """Keep the results in ``folder`` beside those at ``path``, and return them all."""
    results = {r.cell.name: r for r in (*read_results(path), *read_results(folder / RESULTS))}
    write_results(path, results.values())
    return [*results.values()]


def is_figure(name: str) -> bool:
    """Return whether a sheet of the paper is a figure."""
    return name.startswith("figure")


def drawn(name: str) -> Path:
    """Return where a figure is kept."""
    return IMAGES / f"paper-{name.replace(' ', '-')}.svg"


def pages() -> list[Path]:
    """Return every page that may hold a block."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def filled(text: str, made: dict[str, str]) -> str:
    """Return ``text`` with every block made afresh; ``made`` keeps what was made before."""

    def block(found: re.Match[str]) -> str:
        name = found["name"]
        made.setdefault(name, BLOCKS[name]())
        return f"{found[1]}\n{made[name].strip()}\n\n{found[3]}"

    return BLOCK.sub(block, text)


def _is_fresh(page: Path, made: dict[str, str]) -> bool:
    text = page.read_text()
    return filled(text, made) == text


# ---- tables


def table(head: Row, rows: Iterable[Row]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in r) + " |" for r in lines
    )


def attributes(kind: type) -> Mapping[str, str]:
    """Return what the ``Attributes`` section of a docstring says, by name."""
    _, _, listed = cleandoc(kind.__doc__ or "").partition("Attributes:\n")
    found = re.findall(r"^    (\w+): (.*(?:\n     +.*)*)", listed, re.MULTILINE)
    return {name: _markdown(" ".join(text.split())) for name, text in found}


def _markdown(text: str) -> str:
    return text.replace("``", "`")


def _shown(value: object) -> str:
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, Enum):
        return _shown(value.value)
    return f"`{value.as_posix() if isinstance(value, Path) else value!r}`".replace("'", "")


def settings_table(kind: type[BaseModel], said: type | None = None) -> str:
    """Return a table of a pydantic model's fields: name, default, meaning."""
    meanings = attributes(said or kind)
    return table(
        ("setting", "default", "meaning"),
        (
            (f"`{name}`", _default(field.get_default(call_default_factory=True)), meanings[name])
            if not field.is_required()
            else (f"`{name}`", "required", meanings[name])
            for name, field in kind.model_fields.items()
        ),
    )


def _default(value: object) -> str:
    return "none" if value is None else _shown(value)


def fields_table(kind: Any, *, skip: frozenset[str] = frozenset()) -> str:  # noqa: ANN401
    """Return a table of a dataclass's fields, with their defaults if any has one."""
    meanings, found = attributes(kind), [f for f in fields(kind) if f.name not in skip]
    return table(
        ("field", "default", "meaning"),
        (
            (
                f"`{f.name}`",
                "required" if f.default is MISSING else _default(f.default),
                meanings[f.name],
            )
            for f in found
        ),
    )


def keys_table(kind: Any) -> str:  # noqa: ANN401
    """Return a table of a record's keys, types and meanings."""
    meanings = attributes(kind)
    return table(
        ("key", "type", "meaning"),
        ((f"`{f.name}`", f"`{_type(f.type)}`", meanings[f.name]) for f in fields(kind)),
    )


def _type(kind: Any) -> str:  # noqa: ANN401
    text = kind.__name__ if isinstance(kind, type) and not hasattr(kind, "__args__") else str(kind)
    return re.sub(r"\b(?:collections\.abc|secure_clove\.[a-z_.]+)\.", "", text)


# ---- what the code declares


def surface_table() -> str:
    """Return what every algorithm shows its coordinator."""
    sees = {Reveal.SUM: "the sum over the group", Reveal.EACH: "each client's noised reply"}
    return table(
        ("algorithm", "exchange", "reveal", "the coordinator sees", "releases"),
        (
            (
                f"`{row.algorithm}`",
                f"`{row.exchange}`",
                f"`{row.reveal.name}`",
                sees[row.reveal],
                ", ".join(row.uses),
            )
            for row in surface()
        ),
    )


def state_diagram() -> str:
    """Return the coordinator's stages as a mermaid diagram, drawn from the transition table."""
    lines = [f"    [*] --> {Stage.OPEN.name}"]
    for stage, rule in TRANSITIONS.items():
        lines.append(f"    {stage.name} --> {rule.then.name}: {rule.number} {rule.step}")
    lines += [f"    {stage.name} --> {Stage.ABORTED.name}: too few" for stage in TRANSITIONS]
    lines.append(f"    {Stage.UNMASKED.name} --> {Stage.ABORTED.name}: a false share or vector")
    lines.append(f"    {Stage.UNMASKED.name} --> [*]: sum stored")
    lines.append(f"    {Stage.ABORTED.name} --> [*]")
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def architectures_table() -> str:
    """Return the built-in models: how each is written, its numbers, and what it is for."""
    rows = []
    for name, make in ARCHITECTURES.items():
        sizes = signature(make).parameters.values()
        written = ":".join([name, *(size.name.upper() for size in sizes)])
        is_complete = all(size.default is not size.empty for size in sizes)
        with torch.device("meta"):  # shapes without weights
            count = f"{parameter_count(make()):,}" if is_complete else "by its sizes"
        defaults = ", ".join(str(size.default) for size in sizes) if is_complete else "required"
        said = (getdoc(make) or "").split("\n")[0].removeprefix("Return ")
        rows.append((f"`{written}`", defaults or "none", count, _markdown(said)))
    return table(("name and sizes", "default sizes", "numbers", "what"), rows)


def errors_table() -> str:
    """Return every deliberate error with its code and HTTP status."""
    kinds: list[type[errors.CloveError]] = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and "code" in vars(kind)
    ]
    return table(
        ("code", "status", "class", "meaning"),
        (
            (
                f"`{k.code}`",
                str(STATUS[k.code]),
                f"`{k.__name__}`",
                _markdown((getdoc(k) or "").split("\n")[0]),
            )
            for k in kinds
        ),
    )


def routes_table() -> str:
    """Return the coordinator's routes."""
    app = create_app(ServerSettings(operator_key="0" * 64, data_dir=None))
    return table(
        ("method", "path", "what"),
        (
            (method.upper(), f"`{path}`", _markdown(said["description"].split("\n")[0]))
            for path, methods in app.openapi()["paths"].items()
            for method, said in methods.items()
        ),
    )


def attacks_table() -> str:
    """Return the attacks of the audit."""
    return table(("attack", "aim", "adversary"), ((a.code, a.title, a.adversary) for a in ATTACKS))


# ---- command lines


def command_line(name: str, app: typer.Typer) -> str:
    """Return the reference of a command line: every command with its arguments and options."""
    root = typer.main.get_command(app)
    return "\n\n".join(_command(name, command) for name, command in _commands(name, root))


def _commands(name: str, command: Any) -> Iterable[tuple[str, Any]]:  # noqa: ANN401
    if isinstance(command, TyperGroup):
        for word, child in command.commands.items():
            yield from _commands(f"{name} {word}", child)
    else:
        yield name, command


def _command(name: str, command: Any) -> str:  # noqa: ANN401
    words = [p.name.upper() for p in command.params if isinstance(p, TyperArgument)]
    said = _markdown(" ".join((command.help or "").split("\n\n")[0].split()))
    parts = [f"### `{name}`", said, f"```text\n{' '.join([name, *words, '[OPTIONS]'])}\n```"]
    rows = [_parameter(p) for p in command.params if p.name != "help"]
    return "\n\n".join(
        [*parts, table(("parameter", "default", "meaning"), rows)] if rows else parts
    )


def _parameter(parameter: Any) -> Row:  # noqa: ANN401
    is_word = isinstance(parameter, TyperArgument)
    names = (
        parameter.name.upper()
        if is_word
        else " / ".join((*parameter.opts, *parameter.secondary_opts))
    )
    default = "required" if parameter.required else _default(parameter.default)
    return f"`{names}`", default, parameter.help or ""


# ---- a recorded run


def demo() -> str:
    """Return what the recorded demo run found, in words and a table."""
    if not RECORDED.is_file():
        return (
            "_No run is recorded here yet. `make demo` followed by "
            "`python docs/generate.py --run runs/demo` fills this block in._"
        )
    run = read_summary(RECORDED)
    rows = [
        ("clients, hidden groups", f"{run.clients}, {run.clusters} ({run.dataset})"),
        ("rounds", str(run.rounds)),
        ("first round with ARI of 0.9 or more", _number(run.first_round_ari_0_9, "d")),
        ("ARI at the end (1 is every client in its group)", _number(run.ari_final, ".2f")),
        ("mean accuracy on the clients' held-out examples", _number(run.accuracy_mean, ".3f")),
        ("ε of the clustering", _number(run.epsilon_embedding, ".2f")),
        ("ε of the model updates", _number(run.epsilon_update, ".2f")),
        (f"ε in total, at δ = {run.delta:g}, per {run.unit}", _number(run.epsilon_total, ".2f")),
        ("bytes from all clients, to all clients", f"{run.bytes_up:,}, {run.bytes_down:,}"),
        ("seconds", f"{run.wall_seconds:.0f}"),
    ]
    shown = table(("what", "recorded run"), rows)
    return "\n\n".join([shown, _audit(run.audit)] if run.audit else [shown])


def seeds() -> str:
    """Return how the demo's federation fares over many seeds, as ``make slow`` measured it."""
    runs = [json.loads(line) for line in SEEDS.read_text().splitlines()]
    shown = {
        "initial models": "{initial_models}",
        "probes": "{probes}",
        "clustering": "{visibility}",
        "seeds": "{seeds}",
        "ARI 1 in round 1": "{ari_1_in_round_1:.0%}",
        "ARI ≥ 0.9 by round 2": "{ari_0_9_by_round_2:.0%}",
        "ARI 1 at the end": "{ari_final_1:.0%}",
        "mean accuracy": "{accuracy_mean:.3f}",
        "lowest accuracy": "{accuracy_min:.3f}",
        "highest ε": "{epsilon_total_max:.2f}",
    }
    return table(tuple(shown), ([form.format(**run) for form in shown.values()] for run in runs))


def paper() -> str:
    """Return every table and figure as measured here, beside the paper's."""
    results = read_results(PAPER)
    sections = []
    for name, sheet in SHEETS.items():
        picture = f"![{sheet.title}](../images/{drawn(name).name})\n\n"
        found = (
            table(figures.figure_heads(sheet), figures.figure_rows(sheet, results))
            if is_figure(name)
            else table(tables.heads(sheet), tables.rows(sheet, results, with_missing=True))
        )
        seen = picture if is_figure(name) and drawn(name).exists() else ""
        sections.append(f"### {name.capitalize()}: {sheet.title}\n\n{seen}{found}")
    return "\n\n".join([*sections, *(f"* {reason}" for reason in tables.reasons(results))])


def _audit(rows: Mapping[str, AuditRow]) -> str:
    return table(
        ("attack", "measure", "without privacy", "in this run", "bound"),
        (
            (
                name,
                row.metric,
                f"{row.without_defence:.3f}",
                f"{row.with_defence:.3f}",
                _number(row.bound, ".3f"),
            )
            for name, row in rows.items()
        ),
    )


def _number(value: float | None, form: str) -> str:
    return "none" if value is None else format(value, form)


BLOCKS: Mapping[str, Callable[[], str]] = {
    "demo": demo,
    "seeds": seeds,
    "paper": paper,
    "theory": lambda: theory_page(read_theory(THEORY)),
    "sealed": lambda: sealed_page(read_results(SEALED)),
    "tradeoff": lambda: tradeoff_page(read_results(TRADEOFF)),
    "surface": surface_table,
    "state-diagram": state_diagram,
    "architectures": architectures_table,
    "errors": errors_table,
    "routes": routes_table,
    "attacks": attacks_table,
    "settings": lambda: settings_table(Settings),
    "training-settings": lambda: settings_table(TrainingSettings, said=TrainingPlan),
    "privacy-settings": lambda: settings_table(PrivacySettings),
    "clove-options": lambda: fields_table(
        Clove, skip=frozenset({"parameters", "clusters", "seed", "smallest"})
    ),
    "sealed-options": lambda: fields_table(
        SealedClove, skip=frozenset({"parameters", "clusters", "seed", "smallest"})
    ),
    "client-options": lambda: fields_table(
        ClientFedAvg, skip=frozenset({"parameters", "client_noise"})
    ),
    "policy": lambda: fields_table(Policy),
    "server-settings": lambda: settings_table(ServerSettings),
    "summary": lambda: keys_table(Summary),
    "rounds": lambda: keys_table(RoundRecord),
    "audit-row": lambda: keys_table(AuditRow),
    "cli": lambda: command_line("secure-clove", clove_cli),
    "api-cli": lambda: command_line("python -m api", api_cli),
    "audit-cli": lambda: command_line("python -m threat_models", audit_cli),
}
"""Every block by its name: the one place to add one."""


if __name__ == "__main__":
    sys.exit(main())
