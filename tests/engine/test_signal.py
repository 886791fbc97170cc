"""How far a release stands out of its noise, as the coordinator reports it."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_clove.algorithms.base import Replies
from secure_clove.clustering.embedding import embed, project
from secure_clove.clustering.sketch import moments_of
from secure_clove.engine.pipeline import unpack
from secure_clove.engine.signal import (
    Power,
    Signals,
    embedding_noise,
    heard,
    update_variance,
)
from secure_clove.engine.state import RoundReport
from secure_clove.engine.terms import PrivacyPlan, TrainingPlan
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import Entropy
from secure_clove.foundation.trees import Tree, Vector
from secure_clove.secagg.transcript import fewest_honest, threshold
from tests.engine.builders import CLIPPED, FORMS, LOUD, NAME, Toy, ToyTrainer, config

PUSH: Vector = np.array([3.0, -2.0])
SHARED = replace(LOUD, noise="distributed")


def toy(
    plan: PrivacyPlan | None = LOUD, *, make: type[ToyTrainer] = ToyTrainer, **more: Any
) -> Toy:
    """Return a small federation that has held one round."""
    made = Toy(changes={"privacy": plan, "rounds": 1} | more)
    made.trainers = {name: make(old.points) for name, old in made.trainers.items()}
    made.start()
    made.run()
    return made


def report(made: Toy) -> RoundReport:
    """Return what the coordinator tells of the round."""
    return made.coordinator.reports(NAME)[0]


class Pushing(ToyTrainer):
    """Moves every model alike and without noise."""

    def train(self, model: Vector, entropy: Entropy) -> Vector:
        moved: Vector = model + PUSH
        return moved

    def gradient_step(self, model: Vector, entropy: Entropy, *, share: float) -> Vector:
        return PUSH * self.examples


ALGORITHMS: dict[str, dict[str, Any]] = {
    "fedavg": {"algorithm": "fedavg"},
    "clove": {"algorithm": "clove"},
    "sealed": {"algorithm": "sealed-clove"},
    "hidden": {"algorithm": "sealed-clove", "options": {"membership": "hidden"}},
    "ifca": {"algorithm": "ifca"},
}


def expected(made: Toy, *, honest: int, squares: float) -> float:
    """Return the signal to noise of sums over all clients whose squares add up to ``squares``."""
    plan = made.config.privacy
    assert plan is not None
    variance = update_variance(plan, made.config.training, parameters=2, honest=honest)
    assert variance is not None
    noise = 2 * len(made.names) * variance
    return math.sqrt((squares - noise) / noise)


def test_a_strong_update_has_its_signal_to_noise() -> None:
    made = toy(make=Pushing, algorithm="fedavg")
    examples = sum(trainer.examples for trainer in made.trainers.values())
    squares = float(((PUSH * examples) ** 2).sum())
    assert report(made).snr_update == pytest.approx(expected(made, honest=1, squares=squares))


def test_shared_noise_counts_every_share() -> None:
    made = toy(SHARED, make=Pushing, algorithm="fedavg")
    examples = sum(trainer.examples for trainer in made.trainers.values())
    squares = float(((PUSH * examples) ** 2).sum())
    ratio = expected(made, honest=fewest_honest(12, least=threshold(12)), squares=squares)
    assert report(made).snr_update == pytest.approx(ratio, rel=1e-3)


def test_the_updates_of_all_groups_count_together() -> None:
    made = toy(replace(LOUD, embedding=0.01), make=Pushing)
    groups: dict[int, int] = {}
    for name, model in made.assignment().items():
        groups[model] = groups.get(model, 0) + made.trainers[name].examples
    assert len(groups) == 3
    squares = sum(float(((PUSH * examples) ** 2).sum()) for examples in groups.values())
    assert report(made).snr_update == pytest.approx(expected(made, honest=1, squares=squares))


class Right(ToyTrainer):
    """Gets every held-out example right."""

    def correct(self, model: Vector) -> int:
        return self.held_out


@pytest.mark.parametrize("name", ["fedavg", "ifca"])
def test_the_held_out_hits_have_their_signal_to_noise(name: str) -> None:
    made = toy(make=Right, **ALGORITHMS[name])
    hits = sum(trainer.held_out for trainer in made.trainers.values())
    found = report(made).snr_metrics
    assert found is not None
    assert abs(found - hits / (LOUD.metrics * math.sqrt(12))) < 5  # one number is all the noise


@pytest.mark.parametrize(
    ("plan", "name"), [*((plan, "clove") for plan in FORMS), (LOUD, "sealed"), (CLIPPED, "hidden")]
)
def test_embeddings_have_their_signal_to_noise(plan: PrivacyPlan, name: str) -> None:
    faint = replace(plan, embedding=0.05)
    made = toy(faint, **ALGORITHMS[name])
    models = unpack(made.initial)["models"]
    found = [
        embed(trainer.losses(models), plan.embedding_kind, clip=plan.embedding_clip).mean
        for trainer in made.trainers.values()
    ]
    signal = sum(float((project(vector) ** 2).sum()) for vector in found)
    noise = sum(
        embedding_noise(faint, models=3, examples=trainer.examples)
        for trainer in made.trainers.values()
    )
    assert report(made).snr_embedding == pytest.approx(math.sqrt(signal / noise), rel=0.05)


@pytest.mark.parametrize("name", ["clove", "fedavg"])
def test_without_a_privacy_plan_there_is_no_noise_to_compare_with(name: str) -> None:
    told = report(toy(None, **ALGORITHMS[name]))
    assert (told.snr_embedding, told.snr_update, told.snr_metrics) == (None, None, None)


@pytest.mark.parametrize("name", ["ifca", "fedavg"])
def test_an_algorithm_that_shows_no_embedding_has_none_to_compare(name: str) -> None:
    assert report(toy(algorithm=name)).snr_embedding is None


def test_the_update_of_adam_has_none_and_its_hits_have_one() -> None:
    told = report(
        toy(algorithm="fedavg", training=TrainingPlan(learning_rate=1.0, optimizer="adam"))
    )
    assert told.snr_update is None
    assert told.snr_metrics is not None


def test_every_round_is_measured_on_its_own() -> None:
    made = toy(make=Pushing, algorithm="fedavg", rounds=3)
    first, *others = [told.snr_update for told in made.coordinator.reports(NAME)]
    assert others == [first, first]


def test_a_round_without_a_clustering_has_no_embedding_to_compare() -> None:
    made = toy(rounds=2, options={"clustering_rounds": 1})
    first, second = [told.snr_embedding for told in made.coordinator.reports(NAME)]
    assert first is not None
    assert second is None


def test_only_a_first_attempt_knows_for_how_many_clients_noise_was_shared() -> None:
    made = Toy(changes={"privacy": LOUD, "rounds": 1, "algorithm": "fedavg"})
    made.start()
    for _ in range(3):
        made.turn()
    made.run(made.names[:5])
    assert report(made).aborted_attempts == 1
    assert [found.honest for found in made.coordinator.state(NAME).sums] == [None]


# ---- the pieces


@given(signal=st.floats(0, 1e6), noise=st.floats(1e-6, 1e6))
def test_the_ratio_is_that_of_the_norms(signal: float, noise: float) -> None:
    found = Power(released=signal + noise, noise=noise).ratio
    assert found == pytest.approx(math.sqrt(signal / noise), rel=1e-3, abs=1e-3)


def test_less_than_the_noise_is_no_signal() -> None:
    assert Power(released=0.5, noise=1.0).ratio == 0.0


def test_nothing_released_has_no_ratio() -> None:
    assert Power().ratio is None


def test_a_noise_of_unknown_law_leaves_the_whole_without_one() -> None:
    whole = Power(released=1.0, noise=None) + Power(released=1.0, noise=1.0)
    assert whole == Power(released=2.0, noise=None)


def test_an_embedding_whose_clients_counted_no_examples_has_no_ratio() -> None:
    made = config(b"", privacy=LOUD)
    each: dict[ClientId, Tree] = {ClientId("a"): {"losses": np.ones(3)}}
    found = heard(Signals(), made, made.exchange("losses"), Replies(each=each), honest={})
    assert (found.embeddings, found.embedding.ratio) == (1, None)


@given(st.integers(1, 6), st.integers(2, 5))
def test_summed_moments_tell_the_squares_of_all_embeddings(clients: int, models: int) -> None:
    made = config(b"", privacy=LOUD, clusters=models, algorithm="sealed-clove")
    vectors = np.random.default_rng(clients).normal(size=(clients, models - 1))
    mean, products = np.split(moments_of(vectors).sum(axis=0), [models - 1])
    replies = Replies(sums={0: {"mean": mean, "products": products}}, counts={0: clients})
    found = heard(Signals(), made, made.exchange("moments"), replies, honest={0: 1})
    assert found.embeddings == clients
    assert found.squares == pytest.approx((vectors**2).sum())
