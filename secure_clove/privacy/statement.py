"""What is promised to the people in the data, in plain words."""

import math

from secure_clove.privacy.accounting import Totals, totals
from secure_clove.privacy.events import Schedule

SIMULATED = (
    "SIMULATION: the noise comes from a reproducible generator. It can be predicted, so nothing "
    "below protects anyone; the numbers are those of a run with the operating system's randomness."
)

SHARED = (
    "the coordinator and less than a third of the clients of each sum, within what computers can "
    "do, because the clients of a sum share its noise"
)


def statement(
    totals: Totals, *, delta: float, is_simulated: bool, is_distributed: bool = False
) -> str:
    """Return the privacy statement of one client, one claim a line.

    It always names the unit, the neighbours, the adversary, (ε, δ), what is covered and what is
    not.

    Args:
        totals: The ε spent, from the ledger.
        delta: δ in (0, 1) at which it was counted.
        is_simulated: Whether the noise was drawn from a simulated source.
        is_distributed: Whether the noise of updates is only in their sums.
    """
    lines = (
        _of_client(totals, delta)
        if totals.unit == "client"
        else _of_example(totals, delta, is_distributed=is_distributed)
    )
    return "\n".join([SIMULATED, *lines] if is_simulated else lines)


def _of_client(totals: Totals, delta: float) -> list[str]:
    return [
        "Unit: this client as a whole.",
        "Neighbours: federations that differ in one client, whose replies become zero before their "
        "noise (zero-out); the count of clients is public.",
        f"Adversary: {SHARED}, who see every message and all models of all rounds and follow or "
        "break the protocol as they like.",
        f"Guarantee: {_guarantee(totals.total, delta)}",
        "Covered: everything computed from this client's data: model updates, their lengths and "
        "held-out accuracy, each in noised sums alone.",
        "Not covered: that this client takes part and when.",
    ]


def _of_example(totals: Totals, delta: float, *, is_distributed: bool) -> list[str]:
    return [
        "Unit: one example of this client.",
        "Neighbours: data sets that differ in one example, whose loss row and gradient become zero "
        "(zero-out); the count of examples is public. " + _replacement(totals.total, delta),
        f"Adversary: {_adversary(is_distributed)}, who see every message and all models of all "
        "rounds and follow or break the protocol as they like.",
        f"Guarantee: {_guarantee(totals.total, delta)}",
        f"Covered: loss embeddings, {_part(totals.embedding)}; model updates, "
        f"{_part(totals.update)}.",
        f"Held-out examples: {_held_out(totals.metrics)} They are disjoint from the training "
        "examples, so the total is the larger of the two.",
        "Not covered: that this client takes part and when; how many examples it has; which "
        "cluster it belongs to, which the coordinator may see; what is typical of the client as a "
        "whole. No client-level guarantee is claimed.",
    ]


def _adversary(is_distributed: bool) -> str:
    if not is_distributed:
        return "the coordinator and all other clients together"
    return (
        "for loss embeddings the coordinator and all other clients together; for model updates "
        + SHARED
    )


def plan_statement(schedule: Schedule, *, delta: float) -> str:
    """Return what is planned and the privacy statement of a client that does all of it.

    Args:
        schedule: What would be released.
        delta: δ in (0, 1).
    """
    releases = schedule.releases()
    said = statement(
        totals(releases, delta),
        delta=delta,
        is_simulated=False,
        is_distributed=any(release.is_shared for release in releases),
    )
    return f"{_planned(schedule)}\n{said}"


def _planned(schedule: Schedule) -> str:
    parts = [f"Plan: rounds, {schedule.rounds}"]
    if schedule.embedding is not None:
        parts.append(f"loss embeddings in all, {schedule.embeddings}, {_noise(schedule.embedding)}")
    if schedule.update is not None:
        chosen = f"a random {schedule.rate:.3g} of the examples, which the coordinator cannot see"
        of = "all examples" if schedule.rate == 1 else chosen
        noise = _noise(schedule.update)
        parts.append(f"training steps of a round, {schedule.steps}, each on {of}, {noise}")
    if schedule.metrics is not None:
        parts.append(f"one count over held-out examples a round, {_noise(schedule.metrics)}")
    return "; ".join(parts) + "."


def _noise(multiplier: float) -> str:
    return f"noise multiplier {multiplier:.4g}" if multiplier else "without noise"


def _guarantee(epsilon: float, delta: float) -> str:
    if epsilon == math.inf:
        return "none. Something was released without noise, so epsilon is unbounded."
    return f"(epsilon, delta)-differential privacy with epsilon = {epsilon:.4g}, delta = {delta:g}."


def _replacement(epsilon: float, delta: float) -> str:
    """Say what two units are worth: group privacy, (2ε, (1 + e^ε) δ)."""
    grown = (1 + math.exp(epsilon)) * delta if epsilon < 700 else math.inf
    if grown >= 1:
        return "Replacing an example counts as two such changes; nothing is claimed for it here."
    return (
        "Replacing an example counts as two such changes: "
        f"epsilon = {2 * epsilon:.4g}, delta = {grown:.2g}."
    )


def _part(epsilon: float) -> str:
    if epsilon == 0:
        return "none charged"
    return "without noise" if epsilon == math.inf else f"epsilon = {epsilon:.4g}"


def _held_out(epsilon: float) -> str:
    if epsilon == 0:
        return "not covered; no release of metrics was charged."
    if epsilon == math.inf:
        return "not covered; their metrics were released without noise."
    return f"covered by noise on the metrics, epsilon = {epsilon:.4g}."
