"""What the attack on each mechanism by itself proves, and the faults of a mechanism it finds."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor
from typer.testing import CliRunner

from secure_clove.clustering import embedding
from secure_clove.clustering.embedding import Embedded, Embedding, embed
from secure_clove.engine import guard
from secure_clove.engine.guard import Guard
from secure_clove.engine.plan import EMBEDDING_STEP
from secure_clove.foundation.seeds import Entropy, SimulatedEntropy
from secure_clove.foundation.trees import Vector
from secure_clove.learn import dpsgd
from secure_clove.privacy.clipping import Grid
from secure_clove.privacy.mechanisms import Integers, discrete_gaussian
from threat_models import mechanisms
from threat_models.__main__ import FAILED, LEAK, app
from threat_models.canaries import CLIP
from threat_models.mechanisms import Proof, prove, subjects
from threat_models.trap_models import units

BUDGET = 6.0
"""Little noise, so that few games tell a fault from correct code."""

NAMES = (
    "clipped embedding",
    "relative embedding",
    "directional embedding",
    "gradient step, local noise",
    "gradient step, distributed noise",
    "held-out count",
)
Patch = pytest.MonkeyPatch


def proof(name: str, trials: int = 300) -> Proof:
    (subject,) = (found for found in subjects(BUDGET) if found.name == name)
    return prove(subject, trials, entropy=SimulatedEntropy(1, "proof"), tick=lambda _: None)


@pytest.mark.parametrize("name", NAMES)
def test_no_more_is_proved_than_is_claimed_and_not_much_less(name: str) -> None:
    found = proof(name, trials=700)
    assert found.claimed == pytest.approx(BUDGET)
    assert 0.7 < found.ratio <= 1
    assert found.proved_plainly <= found.proved
    assert not found.is_refuted


def test_every_mechanism_is_attacked() -> None:
    assert tuple(found.name for found in subjects()) == NAMES


@pytest.mark.parametrize("subject", subjects(), ids=NAMES)
def test_the_canary_moves_a_release_as_far_as_the_noise_is_made_for(
    subject: mechanisms.Subject,
) -> None:
    game = next(iter(subject.games.values()))
    moved = float(np.linalg.norm(game.shift)) * game.inside.examples
    radius = {"clipped embedding": math.sqrt(5) / 2, "relative embedding": 1.0}
    alone = {"directional embedding": 1.0, "held-out count": float(game.inside.examples)}
    expected = (radius | alone).get(subject.name, float(game.inside.examples))
    assert moved == pytest.approx(expected, rel=1e-3)


def test_progress_adds_up_to_the_announced_work() -> None:
    told: list[int] = []
    subject = subjects()[-1]
    prove(subject, 100, entropy=SimulatedEntropy(0), tick=told.append)
    assert sum(told) == units(100, patterns=len(subject.games))


# ---- mutants: faults that nobody can cause from outside


def halved(sigma: float, count: int, entropy: Entropy) -> Integers:
    return discrete_gaussian(sigma / 2, count, entropy)


def from_one_seed(sigma: float, count: int, entropy: Entropy) -> Integers:
    return discrete_gaussian(sigma, count, SimulatedEntropy(0))


def steps(contributions: Vector) -> NDArray[np.int64]:
    return embedding._steps(contributions)


def directions_unclipped(values: Vector, floor: float) -> NDArray[np.int64]:
    return steps(values - values.mean(axis=1, keepdims=True))


def cut_unclipped(values: Vector, clip: float) -> NDArray[np.int64]:
    return steps(np.where(values.any(axis=1, keepdims=True), values / clip - 0.5, 0.0))


def cut_for_another_relation(values: Vector, clip: float) -> NDArray[np.int64]:
    """As if a zeroed example lost nothing, the far end of the range, rather than the middle."""
    return steps(np.clip(values, 0.0, clip) / clip - 0.5)


def with_the_other_n(rows: Vector, kind: Embedding, *, clip: float | None = None) -> Embedded:
    """As if held-out examples counted too."""
    found = embed(rows, kind, clip=clip)
    return replace(found, sensitivity=found.sensitivity / 2)


def with_an_n_that_tells(rows: Vector, kind: Embedding, *, clip: float | None = None) -> Embedded:
    """As if a zeroed example had no place in the mean."""
    found, there = embed(rows, kind, clip=clip), rows.any(axis=1).sum()
    return replace(found, mean=0.5 + (found.mean - 0.5) * len(rows) / there)


def rooted(rows: Vector, kind: Embedding, *, clip: float | None = None) -> Embedded:
    found = embed(rows, kind, clip=clip)
    return replace(found, mean=np.sqrt(np.maximum(found.mean, 0.0)))


def noised_before_clipping(self: Guard, models: Vector) -> Vector:
    """The mean of the losses as they are, noised for clipped ones, and clipped then."""
    rows = self._trainer.losses(models)
    sigma = BUDGET_MULTIPLIER * math.sqrt(rows.shape[1]) / 2 / len(rows) / EMBEDDING_STEP
    noise = discrete_gaussian(sigma, rows.shape[1], self._entropy.fork("embedding"))
    clipped: Vector = np.clip(rows.mean(axis=0) / CLIP + noise * EMBEDDING_STEP, 0.0, 1.0)
    return clipped


BUDGET_MULTIPLIER = subjects(BUDGET)[0].release.multiplier


def rows_unclipped(rows: Tensor, *, clip: float, grid: Grid) -> Tensor:
    return (rows / grid.step).round()


MUTANTS: dict[str, tuple[str, object, str, object]] = {
    "sigma / 2, embedding": (NAMES[2], guard, "discrete_gaussian", halved),
    "sigma / 2, local gradient": (NAMES[3], dpsgd, "discrete_gaussian", halved),
    "sigma / 2, shared gradient": (NAMES[4], dpsgd, "discrete_gaussian", halved),
    "sigma / 2, count": (NAMES[5], guard, "discrete_gaussian", halved),
    "one seed, embedding": (NAMES[1], guard, "discrete_gaussian", from_one_seed),
    "one seed, gradient": (NAMES[3], dpsgd, "discrete_gaussian", from_one_seed),
    "one seed, count": (NAMES[5], guard, "discrete_gaussian", from_one_seed),
    "no clip, directional": (NAMES[2], embedding, "_directions", directions_unclipped),
    "no clip, clipped": (NAMES[0], embedding, "_cut", cut_unclipped),
    "no clip, gradient": (NAMES[3], dpsgd, "whole_rows", rows_unclipped),
    "wrong n, of other examples": (NAMES[2], guard, "embed", with_the_other_n),
    "wrong n, of those that are there": (NAMES[0], guard, "embed", with_an_n_that_tells),
    "wrong relation": (NAMES[0], embedding, "_cut", cut_for_another_relation),
    "no sqrt K": (NAMES[0], Embedding, "radius", lambda kind, models: 0.5),
    "square root before the noise": (NAMES[0], guard, "embed", rooted),
    "noise before the clip": (NAMES[0], Guard, "embedding", noised_before_clipping),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_faulty_mechanism_is_found_out(mutant: str, monkeypatch: Patch) -> None:
    name, where, attribute, fault = MUTANTS[mutant]
    monkeypatch.setattr(where, attribute, fault)
    assert proof(name).is_refuted


# ---- the command


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["mechanisms", "--trials", "100", *arguments])


@pytest.fixture
def counts_alone(monkeypatch: Patch) -> None:
    """The command with the one mechanism that takes no time."""
    every: Callable[..., Any] = mechanisms.subjects
    monkeypatch.setattr(mechanisms, "subjects", lambda *budget: every(*budget)[-1:])


@pytest.mark.usefixtures("counts_alone")
def test_the_command_prints_claim_and_proof() -> None:
    result = run("--format", "json", "--epsilon", "2")
    (row,) = json.loads(result.stdout)
    assert row["name"] == "held-out count"
    assert row["claimed"] == pytest.approx(2)
    assert row["ratio"] == pytest.approx(row["proved"] / row["claimed"])
    assert {"proved_plainly", "delta", "trials", "is_refuted"} <= row.keys()


@pytest.mark.usefixtures("counts_alone")
def test_the_command_prints_a_table() -> None:
    result = run("--gate")
    assert result.exit_code == 0
    assert "held-out" in result.output
    assert "Claimed" in result.output


@pytest.mark.usefixtures("counts_alone")
def test_the_gate_fails_on_a_faulty_mechanism(monkeypatch: Patch) -> None:
    monkeypatch.setattr(guard, "discrete_gaussian", from_one_seed)
    assert run("--gate").exit_code == LEAK
    assert run().exit_code == 0


@pytest.mark.parametrize("epsilon", ["0", "-1", "nan"])
def test_a_budget_that_no_noise_keeps_is_refused(epsilon: str) -> None:
    result = run("--epsilon", epsilon)
    assert result.exit_code == FAILED
    assert "epsilon must be positive" in result.output
