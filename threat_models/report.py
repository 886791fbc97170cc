"""Outcomes of an audit as ``audit.json`` and as a table for people."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path

import msgspec
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from secure_clove.errors import StoreError
from secure_clove.observe.wording import NONE, printable, score
from threat_models.base import Attack, Extra, Interval, NotApplicable, Outcome, Verdict
from threat_models.mechanisms import Proof
from threat_models.trap_models import LEVEL

SCHEMA_VERSION = 1
AUDIT = "audit.json"

Json = dict[str, object]


def document(outcomes: Mapping[str, Outcome]) -> Json:
    """Return the content of ``audit.json``.

    Under ``attacks`` every entry reads as a `secure_clove.observe.runs.AuditRow` with further
    fields; attacks that had nothing to attack stand under ``not_applicable`` with the reason.
    """
    measured = {code: row(found) for code, found in outcomes.items() if isinstance(found, Verdict)}
    skipped = {c: found.reason for c, found in outcomes.items() if isinstance(found, NotApplicable)}
    return {"schema_version": SCHEMA_VERSION, "attacks": measured, "not_applicable": skipped}


def row(found: Verdict) -> Json:
    """Return one verdict as plain JSON values; what is not finite becomes null."""
    return {
        "metric": found.metric,
        "with_defence": found.with_defence,
        "without_defence": found.without_defence,
        "bound": found.bound,
        "note": found.note,
        "interval_with": list(found.interval_with),
        "interval_without": list(found.interval_without),
        "interval_level": found.level,
        "trials": found.trials,
        "passed": found.passed,
        "verdict": found.verdict,
        **{name: _plain(value) for name, value in found.extras.items()},
    }


def _plain(value: Extra) -> Extra:
    return None if isinstance(value, float) and not isfinite(value) else value


def to_json(outcomes: Mapping[str, Outcome]) -> bytes:
    """Return ``audit.json`` as readable bytes."""
    return msgspec.json.format(msgspec.json.encode(document(outcomes)), indent=2) + b"\n"


def write(folder: Path, outcomes: Mapping[str, Outcome]) -> Path:
    """Write ``audit.json`` into a run's folder, replacing it in one step, and return its path.

    Raises:
        StoreError: it could not be written.
    """
    path = folder / AUDIT
    draft = path.with_name(f"{AUDIT}.tmp")
    try:
        draft.write_bytes(to_json(outcomes))
        draft.replace(path)
    except OSError as error:
        raise StoreError(f"{AUDIT} could not be written: {error.strerror}") from error
    return path


def catalogue(attacks: tuple[Attack, ...]) -> Table:
    """Return the attacks there are, as a table."""
    table = Table(title="Attacks", title_justify="left")
    table.add_column("No.", no_wrap=True)
    table.add_column("Aim")
    table.add_column("Adversary")
    for attack in attacks:
        table.add_row(attack.code, attack.title, attack.adversary)
    return table


def shown(attacks: tuple[Attack, ...], outcomes: Mapping[str, Outcome]) -> RenderableType:
    """Return the outcomes as a table, with a verdict line for every attack below it."""
    table = Table(title="Audit of the run's own transcript", title_justify="left")
    table.add_column("Attack", no_wrap=True)
    table.add_column("Measure", no_wrap=True)
    for name in ("Without defence", "With it", "Bound"):
        table.add_column(name, justify="right")
    for attack in attacks:
        table.add_row(attack.code, *_cells(outcomes[attack.code]))
    lines = [_line(attack, outcomes[attack.code]) for attack in attacks]
    return Group(table, *lines)


def shown_proofs(proofs: Sequence[Proof]) -> RenderableType:
    """Return what was proved of each mechanism, as a table."""
    table = Table(title="What one release costs, and what the best attack on it proves")
    table.add_column("Mechanism")
    for name in ("Claimed", "Proved", "Of it", "Proved plainly", "Games"):
        table.add_column(name, justify="right")
    table.add_column("Attacker")
    for found in proofs:
        table.add_row(
            found.name,
            f"{found.claimed:.3f}",
            f"{found.proved:.3f}",
            Text(f"{found.ratio:.2f}", style="bold red" if found.is_refuted else "green"),
            f"{found.proved_plainly:.3f}",
            str(found.trials),
            found.attacker,
        )
    note = (
        f"Epsilon at one delta; lower bounds at {100 * LEVEL:g} % confidence. Proved: if the noise "
        "is Gaussian, as claimed. Plainly: by two error rates alone. More than 1 of a claim "
        "refutes it."
    )
    return Group(table, Text(note, style="dim"))


def proofs_to_json(proofs: Sequence[Proof]) -> bytes:
    """Return what was proved of each mechanism as readable bytes."""
    rows = [
        {**asdict(found), "ratio": found.ratio, "is_refuted": found.is_refuted} for found in proofs
    ]
    return msgspec.json.format(msgspec.json.encode(rows), indent=2) + b"\n"


def _cells(found: Outcome) -> tuple[str, str, str, str]:
    if isinstance(found, NotApplicable):
        return NONE, NONE, NONE, NONE
    return (
        found.metric,
        _measured(found.without_defence, found.interval_without),
        _measured(found.with_defence, found.interval_with),
        NONE if found.bound is None else f"{found.bound:.3f}",
    )


def _measured(value: float, interval: Interval) -> str:
    low, high = interval
    return f"{value:.3f} [{score(low)}, {score(high)}]"


def _line(attack: Attack, found: Outcome) -> RenderableType:
    if isinstance(found, NotApplicable):
        head = Text(f"{attack.code} {attack.title}: not applicable", style="dim")
        note = found.reason
    else:
        style = "bold red" if not found.passed else "green" if found.bound is not None else "yellow"
        head = Text(f"{attack.code} {attack.title}: {found.verdict}", style=style)
        note = f"{found.note} Intervals at {100 * found.level:g} %, {found.trials} trials."
    return Group(head, Padding(Text(printable(note, limit=600)), (0, 0, 0, 3)))
