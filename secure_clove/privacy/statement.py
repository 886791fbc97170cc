"""What is promised to the people in the data, in plain words."""

import math

from secure_clove.privacy.accounting import Totals

SIMULATED = (
    "SIMULATION: the noise comes from a reproducible generator. It can be predicted, so nothing "
    "below protects anyone; the numbers are those of a run with the operating system's randomness."
)


def statement(totals: Totals, *, delta: float, is_simulated: bool) -> str:
    """Return the privacy statement of one client, one claim a line.

    It always names the unit, the neighbours, the adversary, (ε, δ), what is covered and what is
    not.

    Args:
        totals: The ε spent, from the ledger.
        delta: δ in (0, 1) at which it was counted.
        is_simulated: Whether the noise was drawn from a simulated source.
    """
    lines = [
        "Unit: one example of this client.",
        "Neighbours: data sets that differ in one example, whose loss row and gradient become zero "
        "(zero-out); the count of examples is public. " + _replacement(totals.total, delta),
        "Adversary: the coordinator and all other clients together, who see every message and all "
        "models of all rounds and follow or break the protocol as they like.",
        f"Guarantee: {_guarantee(totals.total, delta)}",
        f"Covered: loss embeddings, {_part(totals.embedding)}; model updates, "
        f"{_part(totals.update)}.",
        f"Held-out examples: {_held_out(totals.metrics)} They are disjoint from the training "
        "examples, so the total is the larger of the two.",
        "Not covered: that this client takes part and when; how many examples it has; which "
        "cluster it belongs to, which the coordinator may see; what is typical of the client as a "
        "whole. No client-level guarantee is claimed.",
    ]
    return "\n".join([SIMULATED, *lines] if is_simulated else lines)


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
