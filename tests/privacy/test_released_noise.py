"""The noise of everything that leaves a client has exactly the law that it was charged as.

Fixed entropy, through the code that runs in production. What is drawn is also held against laws
whose standard deviation is wrong by a twentieth: that each of them is refused shows that noise so
wrong would have been noticed.
"""

from collections.abc import Callable
from functools import cache, partial

import numpy as np
import pytest

from secure_clove.algorithms.base import Use
from secure_clove.clustering.embedding import Embedding, embed
from secure_clove.engine.guard import Guard
from secure_clove.engine.plan import EMBEDDING_STEP
from secure_clove.engine.terms import NoiseMode, PrivacyPlan
from secure_clove.foundation.seeds import Entropy, SimulatedEntropy, stream
from secure_clove.foundation.trees import Vector
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.models import linear
from secure_clove.learn.sgd import TrainingSpec
from secure_clove.learn.tasks import TorchTask
from secure_clove.privacy.clipping import gradient_grid
from secure_clove.privacy.mechanisms import discrete_gaussian
from tests.privacy.laws import ENOUGH, FALSE_ALARM, Draws, fit

MULTIPLIER, CLIP, RATE = 3.0, 0.7, 0.5
EXAMPLES, MODELS, WIDTH = 20, 40, 24
PARAMETERS = (WIDTH + 1) * 8
Drawn = tuple[Draws, float]
"""What was drawn, one row a release, and the standard deviation it was charged as, in steps."""


def plan(kind: Embedding = Embedding.DIRECTIONAL, noise: NoiseMode = "local") -> PrivacyPlan:
    return PrivacyPlan(
        delta=1e-5,
        noise=noise,
        embedding=MULTIPLIER,
        embedding_kind=kind,
        embedding_clip=2.0 if kind.is_clipped else None,
        update=MULTIPLIER,
        clip=CLIP,
        metrics=MULTIPLIER,
    )


class Answering:
    """A trainer with random losses and a fixed number of hits."""

    architecture, examples, held_out = "random", EXAMPLES, EXAMPLES
    rows = stream(0, "losses").uniform(0, 3, (EXAMPLES, MODELS))

    def losses(self, models: Vector) -> Vector:
        return self.rows

    def train(self, model: Vector, entropy: Entropy) -> Vector:
        return model

    def train_locally(self, model: Vector, entropy: Entropy) -> Vector:
        return model

    def gradient_step(self, model: Vector, entropy: Entropy, *, share: float) -> Vector:
        return model

    def correct(self, model: Vector) -> int:
        return 7


@cache
def sampler(sigma: float, at_once: int) -> Drawn:
    entropy = SimulatedEntropy(0, "sampler")
    parts = [discrete_gaussian(sigma, at_once, entropy) for _ in range(ENOUGH // at_once)]
    return np.array(parts), sigma


@cache
def embedding(kind: Embedding) -> Drawn:
    made, trainer = plan(kind), Answering()
    clear = embed(trainer.rows, kind, clip=made.embedding_clip)
    base = np.rint(clear.mean / EMBEDDING_STEP)
    uses, asked = frozenset({Use.EMBEDDING}), np.zeros((MODELS, 1))

    def released(seed: int) -> Vector:
        noise = SimulatedEntropy(seed, "embedding")
        return Guard(trainer, uses=uses, plan=made, entropy=noise).embedding(asked)

    steps = [released(seed) / EMBEDDING_STEP - base for seed in range(ENOUGH // MODELS)]
    radius = np.sqrt(MODELS) / 2 if kind is Embedding.CLIPPED else 1.0
    rounded = radius / EXAMPLES + EMBEDDING_STEP * np.sqrt(MODELS)
    return whole(np.array(steps)), MULTIPLIER * rounded / EMBEDDING_STEP


@cache
def count() -> Drawn:
    uses = frozenset({Use.HELD_OUT})

    def released(seed: int) -> int:
        noise = SimulatedEntropy(seed, "count")
        guard = Guard(Answering(), uses=uses, plan=plan(), entropy=noise)
        return guard.correct(np.zeros(1)) - 7

    return np.array([[released(seed)] for seed in range(ENOUGH)]), MULTIPLIER


def trainer() -> TorchLearner:
    """A client whose targets are what a model of zeros says: nothing but noise moves it."""
    x = stream(0, "inputs").normal(size=(EXAMPLES, WIDTH))
    y = np.zeros((EXAMPLES, 8))
    task = TorchTask(model=partial(linear, WIDTH, 8), train=(x, y), test=(x, y), loss="mse")
    spec = TrainingSpec(learning_rate=RATE, clip=CLIP, noise_multiplier=MULTIPLIER)
    return TorchLearner(task, spec)


def update(guarded: TorchLearner, made: PrivacyPlan, honest: int, *seed: int) -> Vector:
    noise = SimulatedEntropy(0, "update", *seed)
    uses = frozenset({Use.UPDATE})
    guard = Guard(guarded, uses=uses, plan=made, entropy=noise, honest=honest)
    return guard.update(np.zeros(PARAMETERS))


@cache
def local_step() -> Drawn:
    client, grid = trainer(), gradient_grid(CLIP, PARAMETERS)
    moves = [update(client, plan(), 1, seed) for seed in range(ENOUGH // PARAMETERS)]
    return whole(np.array(moves) / (-RATE * grid.step)), MULTIPLIER * grid.sensitivity


@cache
def shared_step(honest: int) -> Drawn:
    """The sum of the updates of the fewest honest clients."""
    client, grid = trainer(), gradient_grid(CLIP * RATE, PARAMETERS)
    made = plan(noise="distributed")
    moves = [
        sum(update(client, made, honest, seed, one) for one in range(honest))
        for seed in range(ENOUGH // PARAMETERS)
    ]
    return whole(np.array(moves) / grid.step), MULTIPLIER * grid.sensitivity


def whole(steps: Vector) -> Draws:
    rounded = np.rint(steps).astype(np.int64)
    assert np.abs(steps - rounded).max() < 0.1
    return rounded


MECHANISMS: dict[str, Callable[[], Drawn]] = {
    "exact sampler": partial(sampler, 17.3, 50),
    "narrow table": partial(sampler, 300.0, 1000),
    "wide table": partial(sampler, 40_000.0, 1000),
    "directional embedding": partial(embedding, Embedding.DIRECTIONAL),
    "relative embedding": partial(embedding, Embedding.RELATIVE),
    "clipped embedding": partial(embedding, Embedding.CLIPPED),
    "gradient step": local_step,
    "gradient steps that share their noise": partial(shared_step, 3),
    "held-out count": count,
}
every = pytest.mark.parametrize("mechanism", MECHANISMS.values(), ids=MECHANISMS)


@every
def test_the_noise_has_the_exact_law(mechanism: Callable[[], Drawn]) -> None:
    draws, sigma = mechanism()
    assert draws.size >= 0.99 * ENOUGH
    assert fit(draws.ravel(), sigma).is_good


@every
@pytest.mark.parametrize("wrong", [0.95, 1.05])
def test_noise_wrong_by_a_twentieth_would_be_noticed(
    mechanism: Callable[[], Drawn], wrong: float
) -> None:
    draws, sigma = mechanism()
    found = fit(draws.ravel(), sigma / wrong)
    assert found.p_value < FALSE_ALARM / 2
    assert found.variation > found.most


@every
def test_no_coordinate_has_other_noise_than_the_rest(mechanism: Callable[[], Drawn]) -> None:
    draws, sigma = mechanism()
    for column in draws.T[:40]:
        assert fit(column, sigma).is_good


@every
def test_the_noise_of_two_coordinates_or_releases_has_nothing_in_common(
    mechanism: Callable[[], Drawn],
) -> None:
    draws, _ = mechanism()
    scores = draws / draws.std()
    neighbours = scores[:, 1:] * scores[:, :-1], scores[1:] * scores[:-1]
    for products in neighbours:
        if products.size:
            assert abs(products.mean()) * np.sqrt(products.size) < 5.5  # once in 30 million
