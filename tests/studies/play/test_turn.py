"""Sums of replies do not depend on the order or on how many workers there are."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_clove.errors import DataError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.trees import Vector
from secure_clove.studies.play.turn import STEP, Answers, Seat, Tally, Turn, merged
from tests.builders import names

Grouped = list[tuple[int, Vector]]

numbers = st.floats(-(2.0**20), 2.0**20, allow_nan=False)


replies = st.lists(
    st.tuples(st.integers(0, 2), st.lists(numbers, min_size=3, max_size=3).map(np.array)),
    max_size=8,
)


def tallied(found: Grouped) -> Tally:
    tally = Tally()
    for group, reply in found:
        tally.add(group, reply)
    return tally


def answers(found: Grouped) -> Answers:
    tally = tallied(found)
    return Answers(owns={}, sums=tally.sums, counts=tally.counts)


def listed(found: Answers | Tally) -> dict[int, tuple[int, list[int]]]:
    return {group: (found.counts[group], sum_.tolist()) for group, sum_ in found.sums.items()}


@given(replies, st.randoms(use_true_random=False))
def test_sums_are_equal_in_any_order(found: Grouped, rng: Any) -> None:
    mixed = [*found]
    rng.shuffle(mixed)
    assert listed(tallied(mixed)) == listed(tallied(found))


@given(replies, st.integers(1, 4))
def test_sums_are_equal_for_any_number_of_workers(found: Grouped, workers: int) -> None:
    parts = [answers(found[index::workers]) for index in range(workers)]
    assert listed(merged(parts)) == listed(tallied(found))


@given(replies)
def test_a_sum_is_the_sum_up_to_half_a_step_a_reply(found: Grouped) -> None:
    tally = tallied(found)
    for group, total in tally.sums.items():
        exact = np.sum([reply for number, reply in found if number == group], axis=0)
        assert np.abs(total * STEP - exact).max() <= STEP * tally.counts[group]


@given(replies)
def test_adding_leaves_the_replies_as_they_were(found: Grouped) -> None:
    before = [(group, reply.tolist()) for group, reply in found]
    tallied(found)
    assert [(group, reply.tolist()) for group, reply in found] == before


@given(replies, replies)
def test_merging_leaves_the_parts_as_they_were(left: Grouped, right: Grouped) -> None:
    parts = answers(left), answers(right)
    before = [listed(part) for part in parts]
    merged(parts)
    assert [listed(part) for part in parts] == before


@pytest.mark.parametrize("value", [2.0**30, -(2.0**30), 1e60, np.inf, np.nan])
def test_a_number_too_large_for_the_grid_is_refused(value: float) -> None:
    with pytest.raises(DataError, match="diverged"):
        Tally().add(0, np.array([0.0, value]))


def test_a_sum_too_large_for_the_grid_is_refused() -> None:
    tally = Tally()
    tally.add(0, np.array([0.9 * 2**30]))
    with pytest.raises(DataError, match="diverged"):
        tally.add(0, np.array([0.9 * 2**30]))


def test_a_turn_of_some_clients_has_their_seats() -> None:
    clients = names(4)
    seats = {c: Seat(ask={}, own=None, group=0) for c in clients[:3]}
    part = Turn(round=2, exchange="train", coin=bytes(32), clients=4, seats=seats).of(clients[2:])
    assert (part.round, part.exchange, set(part.seats)) == (2, "train", {clients[2]})


def test_replies_that_are_handed_over_come_in_the_order_of_ids() -> None:
    first, second = ClientId("a"), ClientId("b")
    parts = [Answers(owns={}, each={second: {}}), Answers(owns={}, each={first: {}})]
    assert list(merged(parts).each) == [first, second]
