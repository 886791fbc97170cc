"""Noise that clients share: enough of it in every sum that can be released."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from secure_clove.algorithms.base import Content
from secure_clove.engine.messages import Invitation
from secure_clove.engine.ongoing import Answer, honest_in
from secure_clove.engine.pipeline import from_ring, to_ring
from secure_clove.engine.plan import grid
from secure_clove.errors import CohortTooSmallError, ConfigError, RemoteProtocolError
from secure_clove.foundation.ids import ClientId, Digest
from secure_clove.foundation.seeds import Entropy, SimulatedEntropy
from secure_clove.foundation.trees import Tree, Vector
from secure_clove.secagg.session import Carriage, Session
from secure_clove.secagg.transcript import fewest_honest, threshold
from tests.engine.builders import LOUD, NAME, Toy, ToyTrainer, config

SHARED = replace(LOUD, noise="distributed")


class Telling(ToyTrainer):
    """Tells which share of the noise it was asked for."""

    shares: list[float]

    def gradient_step(self, model: Vector, entropy: Entropy, *, share: float) -> Vector:
        self.shares.append(share)
        return np.zeros_like(model)


def told(clients: int = 12, **changes: Any) -> tuple[Toy, list[float]]:
    """Return a federation with shared noise and the shares its clients were asked for."""
    toy = Toy(clients=clients, changes={"privacy": SHARED, "rounds": 1} | changes)
    shares: list[float] = []
    for name, trainer in toy.trainers.items():
        telling = Telling(trainer.points)
        telling.shares = shares
        toy.trainers[name] = telling
    toy.start()
    toy.run()
    return toy, shares


def test_every_client_adds_what_the_fewest_honest_ones_make_up() -> None:
    _, shares = told(algorithm="fedavg")
    assert shares == pytest.approx([1 / math.sqrt(fewest_honest(12, least=threshold(12)))] * 12)


def test_a_sum_that_shares_its_noise_holds_at_least_the_threshold() -> None:
    toy = Toy(changes={"privacy": SHARED, "rounds": 1, "algorithm": "fedavg"})
    fewest: set[int] = set()
    for participant in toy.participants.values():
        put = participant._begin

        def watched(invitation: Invitation, put: Any = put) -> Any:
            fewest.add(invitation.session.min_cohort)
            return put(invitation)

        participant._begin = watched  # type: ignore[method-assign]
    toy.start()
    toy.run()
    assert fewest == {threshold(12)}


@pytest.mark.parametrize("clients", range(3, 60))
def test_with_the_ordinary_threshold_a_third_of_the_clients_is_honest_in_a_sum(
    clients: int,
) -> None:
    honest = fewest_honest(clients, least=threshold(clients))
    assert honest == threshold(clients) - (math.ceil(clients / 3) - 1)
    assert honest > clients / 3


def test_demanding_everybody_leaves_all_but_the_colluders() -> None:
    assert fewest_honest(9, least=9) == 7


def test_a_sum_of_more_clients_than_were_invited_is_refused() -> None:
    with pytest.raises(CohortTooSmallError, match="at least 5"):
        fewest_honest(4, least=5)


def session(clients: int, least: int) -> Session:
    return Session(
        federation=NAME,
        config=Digest("0" * 64),
        roster=Digest("0" * 64),
        round=1,
        phase="train/0",
        attempt=1,
        carriage=Carriage.MASKED,
        cohort=tuple(ClientId(f"c{number:02}") for number in range(clients)),
        asks=(Digest("1" * 64),),
        length=2,
        ring_bits=32,
        min_cohort=least,
        stage_ms=1000,
        nonce=bytes(32),
    )


def answer(clients: int) -> Answer:
    honest = honest_in(session(clients, threshold(clients)))
    return Answer(
        round=1,
        exchange="train",
        ask=Digest("1" * 64),
        vector=np.zeros(2, dtype=np.uint64),
        bits=32,
        own=None,
        honest=honest,
    )


def test_another_attempt_whose_sum_may_hold_too_little_noise_is_refused() -> None:
    kept = answer(12)
    with pytest.raises(RemoteProtocolError, match="the noise was shared"):
        kept.check(Invitation(session=session(9, threshold(9)), ask=Digest("1" * 64)))


def test_another_attempt_among_fewer_is_joined_if_it_demands_as_many() -> None:
    answer(12).check(Invitation(session=session(11, threshold(12)), ask=Digest("1" * 64)))


def test_single_replies_count_one_client() -> None:
    assert honest_in(replace(session(9, 7), carriage=Carriage.EACH)) == 1


def test_a_whole_number_of_steps_travels_exactly() -> None:
    made = config(b"", privacy=SHARED, algorithm="fedavg")
    exchange, step = made.exchange("train"), grid(made, Content.UPDATE).step
    update: Vector = np.arange(-1, made.parameters - 1, dtype=np.float64) * np.float64(step)
    one = np.ones((), dtype=np.float64)
    reply: Tree = {"update": update, "examples": one, "correct": one, "held_out": one}
    words = to_ring(made, exchange, reply, bits=64, honest=1, entropy=SimulatedEntropy(0))
    np.testing.assert_array_equal(
        from_ring(made, exchange, words, bits=64, clients=1)["update"], update
    )


@pytest.mark.parametrize(
    ("training", "cause"),
    [
        ({"steps": 2}, "steps to 1"),
        ({"momentum": 0.9}, "momentum to 0"),
        ({"optimizer": "adam"}, "optimizer to sgd"),
    ],
)
def test_training_that_is_no_single_gradient_cannot_share_its_noise(
    training: dict[str, Any], cause: str
) -> None:
    plan = replace(config(b"").training, **training)
    with pytest.raises(ConfigError, match=cause):
        config(b"", privacy=SHARED, training=plan)


@pytest.mark.parametrize(
    "changes",
    [
        {"algorithm": "ifca"},
        {"algorithm": "sealed-clove", "options": {"membership": "hidden"}},
    ],
)
def test_updates_in_slots_cannot_share_their_noise(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="set noise to local"):
        config(b"", privacy=SHARED, **changes)


def test_another_kind_of_noise_is_refused() -> None:
    with pytest.raises(ConfigError, match="local or distributed"):
        replace(LOUD, noise="central")  # type: ignore[arg-type]
