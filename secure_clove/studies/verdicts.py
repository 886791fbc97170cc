"""What the numbers of an audit mean, in one sentence an attack."""

from dataclasses import dataclass
from enum import Enum

from secure_clove.observe.runs import AuditRow
from secure_clove.observe.wording import printable, score


class Verdict(Enum):
    """Whether an attack stayed inside its limit."""

    WITHIN = "within the limit"
    OVER = "over the limit"
    UNLIMITED = "no limit stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """How one attack is spoken of.

    Attributes:
        code: Its number in the design, such as ``A1``.
        keyword: A word that names it as well.
        title: A few words.
        attacker: Who does what, as the subject of a sentence.
        limit: What the bound is, before its number.
    """

    code: str
    keyword: str
    title: str
    attacker: str
    limit: str


ATTACKS = (
    Attack(
        code="A1",
        keyword="trap",
        title="Membership, with planted models",
        attacker="An attacker who runs the server and sends models made to expose one person's "
        "record in a client's data",
        limit="theory allows at most",
    ),
    Attack(
        code="A2",
        keyword="membership",
        title="Membership, by watching",
        attacker="An attacker who watches what a client sends and asks whether one person's record "
        "is in its data",
        limit="theory allows at most",
    ),
    Attack(
        code="A3",
        keyword="label",
        title="Labels of a client, by watching",
        attacker="An attacker who reads a client's labels off what it sends",
        limit="what the coordinator is shown on purpose gives",
    ),
    Attack(
        code="A3 active",
        keyword="active",
        title="Labels of a client, with planted models",
        attacker="An attacker who runs the server and sends models made to show a client's labels",
        limit="what the coordinator is shown on purpose gives",
    ),
    Attack(
        code="A4",
        keyword="link",
        title="Recognising a client again",
        attacker="An attacker who tries to recognise the same client in the next round",
        limit="guessing gives",
    ),
    Attack(
        code="A5",
        keyword="cluster",
        title="Cluster of a client",
        attacker="An attacker who tries to tell which cluster a client belongs to",
        limit="always naming the largest cluster gives",
    ),
    Attack(
        code="A6",
        keyword="inversion",
        title="Rebuilding training data from an update",
        attacker="An attacker who tries to rebuild training examples from a model update",
        limit="the average example gives",
    ),
    Attack(
        code="A7",
        keyword="canary",
        title="Planted canaries in the training",
        attacker="An attacker who plants marked examples and looks for them in the model",
        limit="the accounting claims at most",
    ),
    Attack(
        code="A10",
        keyword="reconstruction",
        title="Rebuilding vectors from sums",
        attacker="An attacker who fits single clients' vectors to the sums of a clustering",
        limit="the promise is at least",
    ),
)
ERRORS = ("error", "l1", "l2", "rms", "distance")


def attack_of(name: str) -> Attack:
    """Return how the attack called ``name`` is spoken of.

    Args:
        name: Its key in a summary, such as ``A1`` or ``linkability``.
    """
    lower = name.lower()
    for attack in sorted(ATTACKS, key=lambda attack: -len(attack.code)):
        if f"{lower.replace('_', ' ')} ".startswith(f"{attack.code.lower()} "):
            return attack
    for attack in ATTACKS:
        if attack.keyword in lower:
            return attack
    shown = printable(name)
    return Attack(
        code="", keyword="", title=shown, attacker=f"The attack '{shown}'", limit="the limit is"
    )


def is_error(metric: str) -> bool:
    """Return whether more of ``metric`` is worse for the attacker, as for an error or distance."""
    words = metric.lower().replace("-", " ").replace("_", " ").split()
    return any(word in ERRORS for word in words)


def judge(row: AuditRow) -> Verdict:
    """Return whether the attack stayed inside its limit, as far as its interval can tell."""
    if row.bound is None:
        return Verdict.UNLIMITED
    low, high = row.interval_with or (row.with_defence, row.with_defence)
    within = high >= row.bound if is_error(row.metric) else low <= row.bound
    return Verdict.WITHIN if within else Verdict.OVER


def sentence(name: str, row: AuditRow) -> str:
    """Return what the attack means, who does it and how far it got, as one or two sentences."""
    attack = attack_of(name)
    verb = "is wrong by" if is_error(row.metric) else "gets"
    parts = [f"{attack.attacker} {verb} {printable(row.metric)} {_value(row)}"]
    if row.bound is not None:
        parts.append(f"{attack.limit} {score(row.bound)}")
    parts.append(f"without the defence: {score(row.without_defence)}")
    note = printable(row.note, limit=400)
    return f"{'; '.join(parts)}. {note}".strip()


def _value(row: AuditRow) -> str:
    if row.interval_with is None:
        return score(row.with_defence)
    low, high = row.interval_with
    return f"{score(row.with_defence)} ({score(low)} to {score(high)})"
