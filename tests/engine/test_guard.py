"""What an algorithm may do with data: what it declared, once, and noised."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from secure_clove.algorithms.base import Use
from secure_clove.clustering.embedding import Embedding, embed
from secure_clove.engine.guard import Guard
from secure_clove.engine.plan import EMBEDDING_STEP, RAW_LOSS_STEP, PrivacyPlan
from secure_clove.errors import DataError, LocalProtocolError
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.foundation.trees import Vector
from tests.engine.builders import LOUD, ToyTrainer

ALL = frozenset(Use)
MODELS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


def trainer() -> ToyTrainer:
    return ToyTrainer(np.random.default_rng(0).normal(size=(50, 2)))


def guard(uses: frozenset[Use] = ALL, *, plan: PrivacyPlan | None = LOUD, seed: int = 0) -> Guard:
    return Guard(trainer(), uses=uses, plan=plan, entropy=SimulatedEntropy(seed))


def test_a_released_embedding_lies_on_the_public_grid() -> None:
    steps = guard().embedding(MODELS) / EMBEDDING_STEP
    np.testing.assert_array_equal(steps, np.rint(steps))


def test_without_a_plan_the_embedding_is_the_papers_loss_vector() -> None:
    found = guard(plan=None).embedding(MODELS)
    np.testing.assert_allclose(
        found, trainer().losses(MODELS).mean(axis=0), rtol=0, atol=RAW_LOSS_STEP
    )


def test_the_noise_of_an_embedding_has_the_planned_deviation() -> None:
    clear = embed(trainer().losses(MODELS), Embedding.DIRECTIONAL).mean
    noise = np.array([guard(seed=s).embedding(MODELS) - clear for s in range(400)]).ravel()
    sigma = LOUD.embedding * (1 / 50 + EMBEDDING_STEP * math.sqrt(3))
    squares = (noise**2).sum() / sigma**2
    low, high = stats.chi2.interval(1 - 1e-6, df=len(noise))
    assert low < squares < high


def test_the_noise_of_a_count_has_the_planned_deviation() -> None:
    model = np.zeros(2)
    clear = trainer().correct(model)
    noise = np.array([guard(seed=s).correct(model) - clear for s in range(400)])
    low, high = stats.chi2.interval(1 - 1e-6, df=len(noise))
    assert low < (noise**2).sum() / LOUD.metrics**2 < high


def test_every_round_draws_other_noise() -> None:
    first, second = (guard(seed=seed).embedding(MODELS) for seed in (0, 1))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    "use", [Use.EMBEDDING, Use.UPDATE, Use.HELD_OUT], ids=["embedding", "update", "metrics"]
)
def test_what_was_not_declared_is_refused(use: Use) -> None:
    made = guard(ALL - {use, Use.LOCAL})
    acts: dict[Use, Callable[[], object]] = {
        Use.EMBEDDING: lambda: made.embedding(MODELS),
        Use.UPDATE: lambda: made.train(np.zeros(2)),
        Use.HELD_OUT: lambda: made.correct(np.zeros(2)),
    }
    with pytest.raises(LocalProtocolError, match=use.value):
        acts[use]()


def test_what_was_charged_once_cannot_be_used_twice() -> None:
    made = guard()
    made.embedding(MODELS)
    with pytest.raises(LocalProtocolError, match="used it up"):
        made.embedding(MODELS)


class Broken(ToyTrainer):
    def losses(self, models: Vector) -> Vector:
        return super().losses(models) * np.nan


def test_a_loss_that_is_not_finite_releases_nothing_without_noise() -> None:
    made = Guard(Broken(np.ones((4, 2))), uses=ALL, plan=None, entropy=SimulatedEntropy(0))
    with pytest.raises(DataError, match="NaN"):
        made.embedding(MODELS)


def test_under_noise_a_loss_that_is_not_finite_does_not_show() -> None:
    noise = SimulatedEntropy(0)
    broken = Guard(Broken(np.ones((4, 2))), uses=ALL, plan=LOUD, entropy=noise)
    equal = Guard(ToyTrainer(np.ones((4, 2))), uses=ALL, plan=LOUD, entropy=noise)
    same = np.zeros((3, 2))  # three equal models: every row is zero
    np.testing.assert_array_equal(broken.embedding(MODELS), equal.embedding(same))
