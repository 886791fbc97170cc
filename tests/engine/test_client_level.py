"""Whole clients hidden: one model, cut updates, noise in the sums alone, all accounted for."""

import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from secure_clove.algorithms.base import Replies
from secure_clove.algorithms.client_averaging import ClientFedAvg, ClientFedAvgState
from secure_clove.algorithms.client_level import multiplier_of
from secure_clove.algorithms.one_model import OneModelOwn
from secure_clove.engine.guard import Guard
from secure_clove.engine.pipeline import from_ring, to_ring
from secure_clove.engine.plan import planned
from secure_clove.engine.terms import PrivacyPlan
from secure_clove.errors import ConfigError, DataError, RemoteProtocolError
from secure_clove.foundation.codec import decode
from secure_clove.foundation.seeds import Entropy, SimulatedEntropy
from secure_clove.foundation.trees import Vector
from secure_clove.learn.models import linear
from secure_clove.privacy.accounting import epsilon, totals
from secure_clove.privacy.events import Release
from secure_clove.privacy.statement import statement
from secure_clove.sdk.config import PrivacySettings, Settings, plan
from secure_clove.secagg.transcript import fewest_honest, threshold
from tests.engine.builders import NAME, Toy, ToyTrainer, config

NOISE = 2.0
PLAN = PrivacyPlan(
    delta=1e-5,
    unit="client",
    noise="distributed",
    embedding=NOISE,
    update=NOISE,
    clip=1.0,
    metrics=NOISE,
)


class Pushing(ToyTrainer):
    """Moves its model by one and the same vector, however it is asked to train."""

    push: Vector

    def train_locally(self, model: Vector, entropy: Entropy) -> Vector:
        return model + self.push


def played(
    push: Vector, *, clients: int = 9, rounds: int = 1, noise: float = NOISE, **options: Any
) -> Toy:
    """Return a federation of clients that all push alike, played to its end."""
    plan = replace(PLAN, update=noise, embedding=noise, metrics=noise)
    changes: dict[str, Any] = {
        "algorithm": "dp-fedavg",
        "options": {"client_noise": noise, **options},
        "privacy": plan,
        "rounds": rounds,
    }
    toy = Toy(clients=clients, changes=changes)
    for name, trainer in toy.trainers.items():
        pushing = Pushing(trainer.points)
        pushing.push = push
        toy.trainers[name] = pushing
    toy.start()
    toy.run()
    return toy


def last_of(toy: Toy) -> ClientFedAvgState:
    state = toy.coordinator.state(NAME)
    return decode(toy.coordinator.artefact(state.algorithm), ClientFedAvgState)


def reply_of(**values: Any) -> dict[str, Vector]:
    zero = {"update": np.zeros(2), "within": np.zeros(()), "accuracy": np.zeros(())}
    return zero | {name: np.asarray(value, dtype=float) for name, value in values.items()}


def sent(reply: dict[str, Vector], *, honest: int = 1, noise: float = NOISE, seed: int = 0) -> Any:
    """Return the numbers that a client hands to the secure sum."""
    made = config(
        b"",
        algorithm="dp-fedavg",
        options={"client_noise": noise},
        privacy=replace(PLAN, update=noise),
    )
    (train,) = made.build().exchanges
    entropy = SimulatedEntropy(seed, "reply")
    words = to_ring(made, train, reply, bits=64, honest=honest, entropy=entropy)
    return from_ring(made, train, words, bits=64, clients=1)


def test_the_parts_of_a_reply_make_up_the_noise_of_the_plan() -> None:
    (train,) = ClientFedAvg(parameters=5, client_noise=NOISE).exchanges
    assert multiplier_of(train.parts) == pytest.approx(NOISE)
    assert multiplier_of([*train.parts, replace(train.parts[0], client_sigma=0.0)]) == 0


@pytest.mark.parametrize("part", ["update", "within", "accuracy"])
def test_each_part_has_its_share_of_its_noise(part: str) -> None:
    (train,) = ClientFedAvg(parameters=2, client_noise=NOISE).exchanges
    sigma = next(p.client_sigma for p in train.parts if p.name == part) / math.sqrt(4)
    drawn = [sent(reply_of(), honest=4, seed=seed)[part].ravel()[0] for seed in range(2000)]
    assert float(np.std(drawn)) == pytest.approx(sigma, rel=0.08)
    assert abs(float(np.mean(drawn))) < 5 * sigma / math.sqrt(len(drawn))


def test_a_long_update_is_cut_whatever_the_client_sends() -> None:
    long, zero = sent(reply_of(update=[300.0, 400.0])), sent(reply_of())
    assert float(np.linalg.norm(long["update"] - zero["update"])) == pytest.approx(1, abs=1e-4)


def test_training_that_diverged_is_not_sent() -> None:
    with pytest.raises(DataError, match="diverged"):
        sent(reply_of(update=[math.nan, 0.0]))


def test_a_client_is_charged_for_the_whole_of_itself() -> None:
    toy = played(np.zeros(2), rounds=3)
    spent = toy.participants[toy.names[0]].ledger.totals()
    release = Release(name="update", multiplier=NOISE, steps=3, unit="client")
    assert spent.unit == "client"
    assert spent.total == pytest.approx(epsilon([release], 1e-5))
    assert toy.coordinator.reports(NAME)[-1].epsilon_total == spent.total
    assert "this client as a whole" in statement(spent, delta=1e-5, is_simulated=False)


def test_the_least_that_a_sum_holds_is_what_the_noise_was_made_for() -> None:
    toy = played(np.zeros(2), clients=12)
    kept = toy.participants[toy.names[0]]._answer
    assert kept is not None
    assert kept.honest == fewest_honest(12, least=threshold(12))


def test_everybody_counts_alike_and_moves_the_model_by_its_mean() -> None:
    before = last_of(played(np.zeros(2), noise=1e-3)).model
    after = last_of(played(np.array([0.3, 0.4]), noise=1e-3)).model
    np.testing.assert_allclose(after - before, [0.3, 0.4], atol=0.02)


@pytest.mark.parametrize(("norm", "quantile"), [(0.05, 0.5), (20.0, 0.5)])
def test_the_norm_follows_the_quantile_of_the_lengths(norm: float, quantile: float) -> None:
    asked: dict[str, Any] = {"norm": norm, "quantile": quantile, "norm_rate": 1.0}
    toy = played(np.array([0.6, 0.8]), rounds=8, noise=1e-3, **asked)
    assert abs(math.log(last_of(toy).norm)) < abs(math.log(norm)) / 2


def test_without_a_quantile_the_norm_stays() -> None:
    (train,) = ClientFedAvg(parameters=2, client_noise=0.0, norm=3.0).exchanges
    state = ClientFedAvg(parameters=2, client_noise=0.0, norm=3.0).start(np.zeros((1, 2)))
    state = train.fold(state, Replies(sums={0: reply_of(within=-2.0)}, counts={0: 4}))
    assert state.norm == 3.0


@pytest.mark.parametrize("norm", [0.0, -1.0, math.nan, math.inf])
def test_a_norm_that_is_none_is_refused_before_training(norm: float) -> None:
    (train,) = ClientFedAvg(parameters=2, client_noise=1.0).exchanges
    ask, trainer = {"model": np.zeros(2), "norm": np.array(norm)}, ToyTrainer(np.zeros((3, 2)))
    guard = Guard(trainer, uses=train.uses, plan=PLAN, entropy=SimulatedEntropy(0))
    with pytest.raises(RemoteProtocolError, match="norm"):
        train.work(OneModelOwn(), ask, guard)
    assert trainer.trainings == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"algorithm": "clove"}, "tells of whole clients"),
        ({"algorithm": "sealed-clove"}, "tells of whole clients"),
        ({"algorithm": "fedavg"}, "tells of whole clients"),
        ({"algorithm": "dp-fedavg", "options": {"client_noise": 1.0}}, "names another"),
        ({"algorithm": "dp-fedavg"}, "tells of whole clients"),
    ],
)
def test_a_federation_that_would_not_hide_its_clients_is_refused(
    changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        config(b"", privacy=PLAN, **changes)


def test_noise_for_clients_is_refused_where_examples_are_accounted_for() -> None:
    options = {"client_noise": 1.0}
    with pytest.raises(ConfigError, match="unit of privacy is client"):
        config(b"", algorithm="dp-fedavg", options=options)


def test_a_plan_for_whole_clients_shares_its_noise() -> None:
    with pytest.raises(ConfigError, match="distributed"):
        replace(PLAN, noise="local")


def test_an_unknown_unit_is_refused() -> None:
    unit: Any = "hospital"
    with pytest.raises(ConfigError, match="hospital"):
        replace(PLAN, unit=unit)
    with pytest.raises(ConfigError, match="hospital"):
        Release(name="update", multiplier=1.0, unit=unit)


@pytest.mark.parametrize(
    "options",
    [{"client_noise": -1.0}, {"norm": 0.0}, {"quantile": 1.0}, {"norm_rate": 0.0}],
)
def test_settings_that_cannot_work_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        ClientFedAvg(parameters=2, **{"client_noise": 1.0, **options})


def test_beside_releases_about_examples_it_counts_for_one_example() -> None:
    whole = Release(name="update", multiplier=4.0, unit="client")
    example = Release(name="embedding", multiplier=5.0)
    found = totals([whole, example], 1e-5)
    assert found.unit == "example"
    assert found.update == pytest.approx(epsilon([Release(name="update", multiplier=2.0)], 1e-5))


def test_settings_become_a_federation_that_keeps_the_budget() -> None:
    privacy = PrivacySettings(unit="client", noise="distributed", epsilon_total=4.0, clip=0.5)
    settings = Settings(algorithm="fedavg", rounds=10, privacy=privacy)
    made, _ = plan(settings, partial(linear, 4, 2))
    assert made.algorithm == "dp-fedavg"
    assert made.options["norm"] == 0.5
    assert totals(planned(made), privacy.delta).total == pytest.approx(4.0, rel=1e-3)


def test_settings_that_would_show_clusters_are_refused_with_the_reason() -> None:
    privacy = PrivacySettings(unit="client", noise="distributed")
    with pytest.raises(ConfigError, match="about 500"):
        plan(Settings(algorithm="clove", privacy=privacy), partial(linear, 4, 2))
