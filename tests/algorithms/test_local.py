"""Local-only: clients say that they are there, and nothing else."""

import numpy as np

from secure_clove.algorithms.base import Content, Replies, Reveal, Use
from secure_clove.algorithms.local import LocalOnly
from secure_clove.foundation.codec import encode
from tests.algorithms.builders import DIMENSION, crowd, initial
from tests.builders import PointLearner, Room, names, room


def gathered() -> Room:
    learners, _ = crowd(2)
    return room(LocalOnly(parameters=DIMENSION), initial(2), learners)


def test_the_only_reply_is_a_count_of_presence() -> None:
    (turn,) = LocalOnly(parameters=DIMENSION).exchanges
    assert [(part.name, part.shape, part.content) for part in turn.parts] == [
        ("present", (), Content.COUNT)
    ]
    assert (turn.reveal, turn.uses) == (Reveal.SUM, frozenset({Use.LOCAL}))


def test_every_client_says_the_same_whatever_its_data() -> None:
    table = gathered()
    table.play()
    turn = table.algorithm.exchanges[0]
    said = [table.reply(turn, client) for client in table.learners]
    assert {float(reply["present"]) for reply in said} == {1.0}


def test_the_coordinator_learns_nothing_about_models() -> None:
    table, other = gathered(), gathered()
    other.learners = {c: PointLearner(point=np.zeros(DIMENSION)) for c in other.learners}
    for _ in range(3):
        table.play()
        other.play()
    assert encode(table.state) == encode(other.state)


def test_each_client_trains_on_from_its_own_model() -> None:
    table = gathered()
    for _ in range(3):
        table.play()
    for client, learner in table.learners.items():
        expected = initial(2)[0]
        for _ in range(3):
            expected = learner.train(expected)
        np.testing.assert_allclose(table.model(client), expected)


def test_a_client_that_never_trained_holds_the_common_start() -> None:
    table = gathered()
    np.testing.assert_array_equal(table.model(names(1)[0]), initial(2)[0])


def test_a_client_that_misses_a_round_goes_on_where_it_was() -> None:
    table, away = gathered(), names(1)[0]
    table.play()
    before = table.model(away)
    table.play(cohort=[client for client in table.learners if client != away])
    np.testing.assert_array_equal(table.model(away), before)


def test_a_round_without_answers_ends() -> None:
    table = gathered()
    state = table.algorithm.begin(table.state, 1, names(2))
    after = table.algorithm.exchanges[0].fold(state, Replies())
    assert table.algorithm.next(after) is None
