"""What every algorithm owes the engine, under one suite."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from secure_clove.algorithms.base import Algorithm, Models, Reveal, Use
from secure_clove.algorithms.registry import NAMES, Options, build
from secure_clove.errors import ConfigError
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.trees import Vector
from tests.algorithms.builders import DIMENSION, crowd, initial
from tests.builders import PointLearner, Room, names, room

HIDDEN = "sealed-clove with hidden membership"
every_algorithm = pytest.mark.parametrize("name", [*NAMES, HIDDEN])
OPTIONS: Mapping[str, Options] = {
    "clove": {"probes": 2},
    "sealed-clove": {"probes": 1, "selection": "silhouette"},
    HIDDEN: {"membership": "hidden", "selection": "residual"},
}


def made(name: str) -> Algorithm[Any, Any]:
    options = OPTIONS.get(name, {})
    known = name.partition(" ")[0]
    return build(known, parameters=DIMENSION, clusters=3, seed=0, smallest=1, options=options)


def gathered(name: str) -> Room:
    learners, _ = crowd(3)
    return room(made(name), initial(5), learners)


@every_algorithm
@pytest.mark.parametrize("change", [(1, 0), (-1, 0), (0, 1), (0, -1)])
def test_initial_models_of_another_shape_are_refused(name: str, change: tuple[int, int]) -> None:
    algorithm = made(name)
    shape = (algorithm.initial_models + change[0], DIMENSION + change[1])
    with pytest.raises(ConfigError, match="initial models have shape"):
        algorithm.start(np.zeros(shape))


@every_algorithm
@pytest.mark.parametrize("rounds", [0, 1, 3, 5])
def test_the_coordinators_state_survives_the_codec(name: str, rounds: int) -> None:
    table = gathered(name)
    for _ in range(rounds):
        table.play()
    data = encode(table.state)
    assert encode(decode(data, table.algorithm.state)) == data


@every_algorithm
def test_the_state_survives_the_codec_between_any_two_exchanges(name: str) -> None:
    table = gathered(name)
    for number in range(1, 5):
        table.state = table.algorithm.begin(table.state, number, names(12))
        while (exchange := table.algorithm.next(table.state)) is not None:
            table.state = decode(encode(table.state), table.algorithm.state)
            table.state = exchange.fold(table.state, table.replies(exchange))
    assert encode(decode(encode(table.state), table.algorithm.state)) == encode(table.state)


@every_algorithm
def test_a_restart_goes_on_as_if_nothing_had_happened(name: str) -> None:
    table, restarted = gathered(name), gathered(name)
    for _ in range(4):
        table.play()
        restarted.play()
        restarted.state = decode(encode(restarted.state), restarted.algorithm.state)
        restarted.owns = {
            client: decode(encode(own), restarted.algorithm.own)
            for client, own in restarted.owns.items()
        }
    assert encode(table.state) == encode(restarted.state)


@every_algorithm
def test_the_clients_state_survives_the_codec(name: str) -> None:
    table = gathered(name)
    table.play()
    for own in [table.algorithm.enrol(), *table.owns.values()]:
        assert encode(decode(encode(own), table.algorithm.own)) == encode(own)


@every_algorithm
def test_folds_and_asks_are_pure(name: str) -> None:
    table = gathered(name)
    table.play()
    state = table.algorithm.begin(table.state, 2, names(12))
    before = encode(state)
    while (exchange := table.algorithm.next(state)) is not None:
        table.state = state
        replies = table.replies(exchange)
        after = exchange.fold(state, replies)
        assert encode(exchange.fold(state, replies)) == encode(after)
        assert encode(state) == before
        state, before = after, encode(after)


@every_algorithm
def test_the_same_seed_gives_the_same_run(name: str) -> None:
    one, other = gathered(name), gathered(name)
    for table in (one, other):
        table.play()
        table.play(lost=names(2))
    assert encode(one.state) == encode(other.state)


@every_algorithm
def test_a_round_held_is_over_until_the_next_begins(name: str) -> None:
    table = gathered(name)
    table.play()
    assert table.algorithm.next(table.state) is None
    again = table.algorithm.begin(table.state, 2, names(12))
    assert table.algorithm.next(again) is not None


@every_algorithm
def test_every_exchange_held_was_declared(name: str) -> None:
    table = gathered(name)
    for _ in range(5):
        table.play()
    declared = {exchange.name for exchange in table.algorithm.exchanges}
    assert {held for round_ in table.held for held in round_} <= declared


@every_algorithm
def test_a_client_touches_its_data_only_as_declared(name: str) -> None:
    table = gathered(name)
    asked: list[str] = []
    watched = {c: Watched(one, asked.append) for c, one in table.learners.items()}
    state = table.algorithm.begin(table.state, 1, names(12))
    while (exchange := table.algorithm.next(state)) is not None:
        table.state = state
        for client in exchange.cohort(state):
            asked.clear()
            own = table.owns.get(client, table.algorithm.enrol())
            exchange.work(own, exchange.ask(state, client), watched[client])
            assert sorted(asked) == sorted(TOUCHES[use] for use in exchange.uses)
        state = exchange.fold(state, table.replies(exchange))


TOUCHES = {
    Use.EMBEDDING: "embedding",
    Use.UPDATE: "update",
    Use.LOCAL: "train",
    Use.HELD_OUT: "correct",
}


class Watched:
    """A learner that tells which of its doors are used."""

    def __init__(self, inner: PointLearner, tell: Callable[[str], None]) -> None:
        self._inner, self._tell = inner, tell

    @property
    def examples(self) -> int:
        return self._inner.examples

    @property
    def held_out(self) -> int:
        return self._inner.held_out

    def embedding(self, models: Models) -> Vector:
        self._tell("embedding")
        return self._inner.embedding(models)

    def train(self, model: Vector) -> Vector:
        self._tell("train")
        return self._inner.train(model)

    def update(self, model: Vector) -> Vector:
        self._tell("update")
        return self._inner.update(model)

    def correct(self, model: Vector) -> int:
        self._tell("correct")
        return self._inner.correct(model)


@every_algorithm
def test_nothing_is_ever_shown_one_by_one_but_what_comes_of_a_noised_embedding(name: str) -> None:
    for exchange in made(name).exchanges:
        if exchange.reveal is Reveal.EACH:
            assert exchange.uses <= {Use.EMBEDDING}


@every_algorithm
def test_everybody_takes_a_model_of_the_right_length_home(name: str) -> None:
    table = gathered(name)
    table.play()
    for client in table.learners:
        assert np.shape(table.model(client)) == (DIMENSION,)
