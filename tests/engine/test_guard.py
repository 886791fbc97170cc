"""What an algorithm may do with data: what it declared, once, and noised."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from secure_clove.algorithms.base import Content, Use
from secure_clove.clustering.embedding import Embedding, embed
from secure_clove.clustering.plane import to_plane
from secure_clove.engine.guard import Guard
from secure_clove.engine.plan import EMBEDDING_STEP, RAW_LOSS_STEP, grid
from secure_clove.engine.terms import PrivacyPlan
from secure_clove.errors import DataError, LocalProtocolError
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.foundation.trees import Vector
from tests.engine.builders import FORMS, LOUD, ToyTrainer, config

ALL = frozenset(Use)
MODELS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
every_form = pytest.mark.parametrize("plan", FORMS, ids=lambda plan: plan.embedding_kind.value)
RADII = {
    Embedding.DIRECTIONAL: 1.0,
    Embedding.RELATIVE: 1.0,
    Embedding.CLIPPED: math.sqrt(3) / 2,
}
"""How far one example may move the sum of three losses, in units of the clip."""


def trainer() -> ToyTrainer:
    return ToyTrainer(np.random.default_rng(0).normal(size=(50, 2)))


def guard(uses: frozenset[Use] = ALL, *, plan: PrivacyPlan | None = LOUD, seed: int = 0) -> Guard:
    return Guard(trainer(), uses=uses, plan=plan, entropy=SimulatedEntropy(seed))


@every_form
def test_a_released_embedding_lies_on_the_public_grid(plan: PrivacyPlan) -> None:
    steps = guard(plan=plan).embedding(MODELS) / EMBEDDING_STEP
    np.testing.assert_array_equal(steps, np.rint(steps))


def test_without_a_plan_the_embedding_is_the_papers_loss_vector() -> None:
    found = guard(plan=None).embedding(MODELS)
    np.testing.assert_allclose(
        found, trainer().losses(MODELS).mean(axis=0), rtol=0, atol=RAW_LOSS_STEP
    )


@every_form
def test_the_noise_of_an_embedding_has_the_planned_deviation(plan: PrivacyPlan) -> None:
    clear = embed(trainer().losses(MODELS), plan.embedding_kind, clip=plan.embedding_clip).mean
    made = [guard(plan=plan, seed=s).embedding(MODELS) - clear for s in range(400)]
    noise, radius = np.array(made).ravel(), RADII[plan.embedding_kind]
    sigma = LOUD.embedding * (radius / 50 + EMBEDDING_STEP * math.sqrt(3))
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
        Use.UPDATE: lambda: made.update(np.zeros(2)),
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


class Fixed(ToyTrainer):
    """Loses what it is told."""

    def __init__(self, rows: Vector) -> None:
        super().__init__(np.zeros((len(rows), 2)))
        self.rows = rows

    def losses(self, models: Vector) -> Vector:
        return self.rows


def released(rows: Vector, plan: PrivacyPlan) -> Vector:
    """Return the embedding of ``rows`` under always the same noise."""
    made = Guard(Fixed(rows), uses=ALL, plan=plan, entropy=SimulatedEntropy(0))
    return made.embedding(np.zeros((rows.shape[1], 2)))


@every_form
@settings(deadline=None, max_examples=60)
@given(arrays(np.float64, (3, 4), elements=st.floats(0, 9) | st.floats()))
def test_rounding_included_one_example_moves_a_release_by_what_the_noise_is_made_for(
    plan: PrivacyPlan, rows: Vector
) -> None:
    zeroed = rows.copy()
    zeroed[0] = 0
    moved = np.linalg.norm(released(rows, plan) - released(zeroed, plan))
    radius = plan.embedding_kind.radius(4)
    assert moved <= radius / 3 + EMBEDDING_STEP * math.sqrt(4)


@every_form
@pytest.mark.parametrize("clusters", [2, 3, 12])
def test_the_public_grid_holds_what_a_client_of_one_example_may_send(
    plan: PrivacyPlan, clusters: int
) -> None:
    faint = replace(plan, embedding=1e-9)
    made = config(b"", clusters=clusters, privacy=faint)
    bounds = [grid(made, content).bound for content in (Content.EMBEDDING, Content.MOMENT)]
    for place in range(1, clusters):
        vector = released(np.repeat([[1e9, 1e-9]], [place, clusters - place], axis=1), faint)
        assert np.abs(vector).max() <= bounds[0] + EMBEDDING_STEP
        assert np.abs(to_plane(vector - vector.min())).max() <= bounds[1] + EMBEDDING_STEP
