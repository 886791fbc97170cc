"""Planted leaks are found; correct code is not accused. The harness is audited first."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from secure_clove.clustering.embedding import Embedding, embed
from secure_clove.engine.plan import EMBEDDING_STEP
from secure_clove.engine.ports import Trainer
from secure_clove.engine.terms import PrivacyPlan
from secure_clove.foundation.seeds import Entropy, SimulatedEntropy
from secure_clove.foundation.trees import Vector
from secure_clove.privacy.mechanisms import exact_discrete_gaussian
from tests.threat_models.builders import best_target
from threat_models import statistics as stats
from threat_models.game import Mechanism, guarded
from threat_models.targets import Target
from threat_models.trap_models import TIGHT, Claim, Played, claim_of, is_refuted, judge, play, units

TRIALS, RELEASES, MULTIPLIER = 300, 3, 2.5
CLAIM = Claim(releases=RELEASES, multiplier=MULTIPLIER, delta=1e-5)


def plan(multiplier: float = MULTIPLIER) -> PrivacyPlan:
    return PrivacyPlan(delta=1e-5, embedding=multiplier, update=1.0, clip=1.0, metrics=1.0)


@pytest.fixture(scope="module")
def target(run_folder: Path) -> Target:
    return best_target(run_folder, RELEASES)


def attacked(
    target: Target, mechanism: Mechanism, *, seed: int = 0, trials: int = TRIALS
) -> Played:
    noise = SimulatedEntropy(seed, "audit")
    return play(target, mechanism, trials, entropy=noise, tick=lambda _: None)


def unclipped(trainer: Trainer, models: Vector, entropy: Entropy) -> Vector:
    rows = trainer.losses(models)
    return embed(rows, Embedding.RAW).mean + noise(trainer, models, entropy)


def noise(trainer: Trainer, models: Vector, entropy: Entropy, count: int | None = None) -> Vector:
    sigma = Fraction(MULTIPLIER / trainer.examples / EMBEDDING_STEP)
    steps = exact_discrete_gaussian(sigma**2, count or len(models), entropy)
    drawn: Vector = steps.astype(np.float64) * EMBEDDING_STEP
    return drawn


def without_root_of_models(trainer: Trainer, models: Vector, entropy: Entropy) -> Vector:
    return guarded(plan(MULTIPLIER / len(models) ** 0.5))(trainer, models, entropy)


def same_seed(trainer: Trainer, models: Vector, entropy: Entropy) -> Vector:
    return guarded(plan())(trainer, models, SimulatedEntropy(0))


def one_noise_for_all_models(trainer: Trainer, models: Vector, entropy: Entropy) -> Vector:
    clean = embed(trainer.losses(models), Embedding.DIRECTIONAL).mean
    return clean + noise(trainer, models, entropy, count=1)


def one_noise_for_all_releases() -> Mechanism:
    kept: list[Vector] = []

    def release(trainer: Trainer, models: Vector, entropy: Entropy) -> Vector:
        clean = embed(trainer.losses(models), Embedding.DIRECTIONAL).mean
        drawn = noise(trainer, models, entropy) if len(kept) % RELEASES == 0 else kept[-1]
        kept.append(drawn)
        return clean + drawn

    return release


LEAKS: dict[str, Callable[[], Mechanism]] = {
    "half the noise": lambda: guarded(plan(MULTIPLIER / 2)),
    "sqrt(K) forgotten": lambda: without_root_of_models,
    "no clipping": lambda: unclipped,
    "fixed noise seed": lambda: same_seed,
    "same noise on all coordinates": lambda: one_noise_for_all_models,
    "same noise in all releases": one_noise_for_all_releases,
    "no noise": lambda: guarded(None),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_planted_leak_is_found(target: Target, leak: str) -> None:
    assert is_refuted(CLAIM, attacked(target, LEAKS[leak]()))


@pytest.mark.parametrize("seed", range(2))
def test_correct_code_is_not_accused(target: Target, seed: int) -> None:
    played = attacked(target, guarded(plan()), seed=seed)
    assert not is_refuted(CLAIM, played)
    low, _ = stats.auc_interval(played.inside, played.outside, 0.999)
    assert low <= stats.auc_bound(CLAIM.mu)


def test_the_audit_of_correct_code_is_tight(target: Target) -> None:
    played = attacked(target, guarded(plan()), trials=1000)
    assert stats.auc(played.inside, played.outside) == pytest.approx(
        stats.auc_bound(CLAIM.mu), abs=TIGHT
    )


def test_more_noise_than_claimed_is_not_accused(target: Target) -> None:
    assert not is_refuted(CLAIM, attacked(target, guarded(plan(4 * MULTIPLIER)), trials=200))


def test_clear_replies_separate_the_worlds(target: Target) -> None:
    played = attacked(target, guarded(None), trials=100)
    assert stats.auc(played.inside, played.outside) == 1


def test_noise_shared_by_releases_needs_the_learned_attacker(target: Target) -> None:
    assert attacked(target, one_noise_for_all_releases()).attacker == "learned"


def test_the_same_seed_gives_the_same_audit(target: Target) -> None:
    first, second = (attacked(target, guarded(plan()), trials=100) for _ in range(2))
    assert np.array_equal(first.inside, second.inside)


def test_progress_adds_up_to_the_announced_work(target: Target) -> None:
    told: list[int] = []
    play(target, guarded(None), 100, entropy=SimulatedEntropy(0), tick=told.append)
    assert sum(told) == units(100)


def test_a_run_without_privacy_claims_nothing_that_could_be_refuted(target: Target) -> None:
    claim = claim_of(None, RELEASES)
    played = attacked(target, guarded(None), trials=100)
    assert not is_refuted(claim, played)
    assert judge(played, claim)["epsilon_claimed"] is None
