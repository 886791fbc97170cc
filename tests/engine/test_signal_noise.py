"""The noise that the coordinator expects is the noise that clients add to what they send."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from secure_clove.algorithms.base import Use
from secure_clove.clustering.embedding import project
from secure_clove.engine.guard import Guard
from secure_clove.engine.signal import (
    Power,
    Signals,
    embedding_noise,
    update_variance,
)
from secure_clove.engine.state import FederationState
from secure_clove.engine.terms import PrivacyPlan, TrainingPlan
from secure_clove.foundation.codec import decode
from secure_clove.foundation.ids import ClientId, FederationId
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.foundation.trees import Vector
from secure_clove.learn.learner import TorchLearner, TrainingSpec
from secure_clove.learn.models import linear
from secure_clove.learn.tasks import TorchTask
from secure_clove.sdk.config import PrivacySettings, Settings, TrainingSettings
from secure_clove.sdk.simulate import simulate
from secure_clove.stores.sql import SqlStore
from tests.engine.builders import FORMS, LOUD, ToyTrainer

FEATURES, CLASSES, EXAMPLES = 300, 10, 16
PARAMETERS = (FEATURES + 1) * CLASSES
CLIENTS, PROBES = 9, 30
MODELS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
SHARED = replace(LOUD, noise="distributed")
every_form = pytest.mark.parametrize("plan", FORMS, ids=lambda plan: plan.embedding_kind.value)


def make_model() -> Any:
    return linear(FEATURES, CLASSES)


def task(seed: int = 0) -> TorchTask:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2 * EXAMPLES, FEATURES)).astype(np.float32)
    y = rng.integers(CLASSES, size=2 * EXAMPLES)
    first, second = slice(EXAMPLES), slice(EXAMPLES, None)
    return TorchTask(model=make_model, train=(x[first], y[first]), test=(x[second], y[second]))


def is_noise(power: Power, freedom: int) -> bool:
    """Tell whether what was released may be noise alone, of at least so many numbers."""
    assert power.noise is not None
    return is_chi_square(freedom * power.released / power.noise, freedom)


def is_chi_square(squares: float, freedom: int) -> bool:
    """Tell whether a sum of squares of so many standard normal numbers is not a surprise."""
    low, high = stats.chi2.interval(1 - 1e-6, df=freedom)
    return bool(low < squares < high)


class Flat(ToyTrainer):
    """Loses nothing on any model: its embedding is noise alone."""

    def losses(self, models: Vector) -> Vector:
        return np.zeros((self.examples, len(models)))


@every_form
def test_an_embedding_without_a_signal_has_the_power_of_its_noise(plan: PrivacyPlan) -> None:
    trainer, uses = Flat(np.zeros((50, 2))), frozenset({Use.EMBEDDING})
    squares = 0.0
    for seed in range(300):
        made = Guard(trainer, uses=uses, plan=plan, entropy=SimulatedEntropy(seed))
        squares += float((project(made.embedding(MODELS)) ** 2).sum())
    expected = embedding_noise(plan, models=3, examples=50) / 2
    assert is_chi_square(squares / expected, 2 * 300)


def sent(plan: PrivacyPlan, training: TrainingPlan, *, seed: int, honest: int = 1) -> Vector:
    """Return the update that one client sends."""
    spec = TrainingSpec(**asdict(training), clip=plan.clip, noise_multiplier=plan.update)
    made = Guard(
        TorchLearner(task(), spec),
        uses=frozenset({Use.UPDATE}),
        plan=plan,
        entropy=SimulatedEntropy(seed),
        honest=honest,
    )
    return made.update(np.zeros(PARAMETERS))


def measured(plan: PrivacyPlan, training: TrainingPlan, *, honest: int = 1) -> float:
    """Return the noise power of updates over that expected; everything else is the same twice."""
    pairs = [
        [sent(plan, training, seed=seed, honest=honest) for seed in (2 * pair, 2 * pair + 1)]
        for pair in range(4)
    ]
    squares = sum(float(((one - other) ** 2).sum()) / 2 for one, other in pairs)
    variance = update_variance(plan, training, parameters=PARAMETERS, honest=honest)
    assert variance is not None
    return squares / variance


@pytest.mark.parametrize("clip", [0.1, 5.0])
@pytest.mark.parametrize("learning_rate", [0.01, 3.0])
def test_the_noise_of_one_step_has_the_expected_power(clip: float, learning_rate: float) -> None:
    plan, training = replace(LOUD, clip=clip), TrainingPlan(learning_rate=learning_rate)
    assert is_chi_square(measured(plan, training), 4 * PARAMETERS)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_noise_of_many_steps_has_the_expected_power(momentum: float) -> None:
    training = TrainingPlan(learning_rate=0.5, momentum=momentum, steps=12)
    assert is_chi_square(measured(LOUD, training), 4 * PARAMETERS)


def test_the_noise_on_poisson_batches_has_the_expected_power() -> None:
    plan, training = replace(LOUD, update=50.0), TrainingPlan(learning_rate=0.1, rate=0.25)
    assert is_chi_square(measured(plan, training), 4 * PARAMETERS)


@pytest.mark.parametrize("honest", [1, 7])
def test_a_share_of_a_noise_has_the_expected_power(honest: int) -> None:
    training = TrainingPlan(learning_rate=0.5)
    assert is_chi_square(measured(SHARED, training, honest=honest), 4 * PARAMETERS)


def test_the_noise_of_adam_has_no_known_law() -> None:
    training = TrainingPlan(learning_rate=0.1, optimizer="adam")
    assert update_variance(LOUD, training, parameters=9, honest=1) is None


def test_shares_made_for_an_unknown_number_of_clients_have_no_known_law() -> None:
    training = TrainingPlan(learning_rate=0.1)
    assert update_variance(SHARED, training, parameters=9, honest=None) is None
    assert update_variance(LOUD, training, parameters=9, honest=None) is not None


def last_signals(settings: Settings, folder: Path) -> Signals:
    """Return what the coordinator measured in the last round of a simulated federation."""
    tasks = {ClientId(f"c{number}"): task(number) for number in range(CLIENTS)}
    simulate(settings, tasks, noise=SimulatedEntropy(0), folder=folder)
    store = SqlStore(folder)
    with store.transaction() as tx:
        saved = tx.federation(FederationId(settings.name))
    store.close()
    assert saved is not None
    return decode(saved, FederationState).tally.signals


def all_noise(**changes: Any) -> Settings:
    """Return settings under which next to nothing but noise is released, in one round."""
    budgets = PrivacySettings(
        epsilon_total=0.03,
        epsilon_embedding=0.01,
        epsilon_metrics=0.001,
        noise=changes.pop("noise", "local"),
    )
    fields: dict[str, Any] = {
        "clusters": 2,
        "rounds": 1,
        "min_cohort": 3,
        "privacy": budgets,
        "training": TrainingSettings(learning_rate=0.01),
    }
    return Settings(**(fields | changes))


FEDERATIONS: dict[str, dict[str, Any]] = {
    "noised": {"options": {"probes": PROBES}},
    "shared": {"options": {"probes": PROBES}, "noise": "distributed"},
    "hidden": {"visibility": "sealed", "membership": "hidden", "options": {"probes": PROBES}},
    "ifca": {"algorithm": "ifca"},
}


@pytest.mark.parametrize("changes", FEDERATIONS.values(), ids=FEDERATIONS)
def test_a_federation_that_releases_noise_alone_has_the_power_of_its_noise(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    signals = last_signals(all_noise(**changes), tmp_path)
    assert is_noise(signals.update, PARAMETERS)
    assert is_noise(signals.metrics, 1)
    if "options" in changes:
        assert is_noise(signals.embedding, CLIENTS * (2 + PROBES - 1))
    else:
        assert signals.embedding == Power()
