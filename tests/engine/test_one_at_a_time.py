"""Models evaluated one at a time: the same federation to the last byte, and the same refusals."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from secure_clove.engine.messages import Charter, Current
from secure_clove.engine.pipeline import pack
from secure_clove.engine.ports import Carrier
from secure_clove.errors import ModelMismatchError, TransportError
from secure_clove.foundation.ids import ClientId, Digest
from secure_clove.foundation.trees import Vector
from tests.engine.builders import LOUD, NAME, Toy, ToyTrainer

VICTIM = ClientId("c00")

both_ways = pytest.mark.parametrize("one_at_a_time", [False, True], ids=["together", "singly"])


@dataclass
class Counting:
    """Records what passes between a client and its coordinator."""

    inner: Carrier
    sent: list[bytes]
    fetched: Counter[Digest]
    lost: list[Digest] = field(default_factory=list)

    def charter(self) -> Charter:
        return self.inner.charter()

    def current(self) -> Current | None:
        return self.inner.current()

    def artefact(self, content: Digest) -> bytes:
        self.fetched[content] += 1
        return self.inner.artefact(content)

    def put(self, sid: str, step: str, body: bytes) -> None:
        self.sent.append(body)
        self.inner.put(sid, step, body)

    def fetch(self, sid: str, resource: str) -> bytes | None:
        return self.inner.fetch(sid, resource)


@dataclass
class Seen:
    """A finished federation and its traffic."""

    toy: Toy
    sent: dict[ClientId, list[bytes]]
    fetched: dict[ClientId, Counter[Digest]]


def federation(*, one_at_a_time: bool, **changes: Any) -> Seen:
    sent: dict[ClientId, list[bytes]] = {}
    fetched: dict[ClientId, Counter[Digest]] = {}

    def wrap(name: ClientId, carrier: Carrier) -> Carrier:
        sent[name], fetched[name] = [], Counter()
        return Counting(carrier, sent[name], fetched[name])

    toy = Toy(changes=changes, wrap=wrap, one_at_a_time=one_at_a_time)
    toy.start()
    toy.run()
    return Seen(toy, sent, fetched)


@pytest.mark.parametrize(
    "changes",
    [
        {"privacy": LOUD},
        {"privacy": None},
        {"privacy": LOUD, "options": {"shared_parameters": 1}},
        {"privacy": LOUD, "algorithm": "ifca"},
    ],
    ids=["noised", "plain", "shared", "ifca"],
)
def test_either_way_sends_and_fetches_the_same_bytes_and_ends_with_the_same_models(
    changes: dict[str, Any],
) -> None:
    together, singly = (federation(one_at_a_time=way, **changes) for way in (False, True))
    assert singly.sent == together.sent
    assert singly.fetched == together.fetched
    assert singly.toy.coordinator.reports(NAME) == together.toy.coordinator.reports(NAME)
    for name in together.toy.names:
        one, other = (seen.toy.participants[name].model for seen in (together, singly))
        np.testing.assert_array_equal(one, other)


class Tracking(ToyTrainer):
    """Keeps the count of models in each evaluation."""

    def __init__(self, points: Vector) -> None:
        super().__init__(points)
        self.evaluated: list[int] = []

    def losses(self, models: Vector) -> Vector:
        self.evaluated.append(len(models))
        return super().losses(models)

    def correct(self, model: Vector) -> int:
        return int((super().losses(model[None])[:, 0] < 1.0).sum())


@pytest.mark.parametrize(("one_at_a_time", "seen"), [(False, {3}), (True, {1})])
def test_the_trainer_sees_one_model_at_a_time_only_where_the_client_wants_it(
    one_at_a_time: bool, seen: set[int]
) -> None:
    toy = Toy(one_at_a_time=one_at_a_time)
    trainer = Tracking(toy.trainers[VICTIM].points)
    toy.trainers[VICTIM] = trainer
    toy.start()
    toy.run()
    assert set(trainer.evaluated) == seen


def lied_to(toy: Toy, lie: Any) -> None:
    carrier: Any = toy.participants[VICTIM]._carrier
    true = carrier.artefact
    carrier.artefact = lambda content: lie(content, true)


@both_ways
def test_a_row_other_than_the_index_names_is_refused_before_anything_is_sent(
    one_at_a_time: bool,
) -> None:
    toy = Toy(one_at_a_time=one_at_a_time, changes={"privacy": LOUD})
    asked: list[Digest] = []

    def lie(content: Digest, true: Any) -> bytes:
        asked.append(content)
        return pack({"array": np.zeros(2)}) if len(asked) == 3 else bytes(true(content))

    lied_to(toy, lie)
    toy.start()
    with pytest.raises(ModelMismatchError, match="not the one the session names"):
        toy.run()
    assert len(asked) == 3  # the index, a true row, the false one
    assert toy.journals[VICTIM].entries() == ()
    assert toy.journals[VICTIM].marks(NAME) == ()


@both_ways
def test_two_rows_that_change_places_are_refused(one_at_a_time: bool) -> None:
    toy = Toy(one_at_a_time=one_at_a_time)
    known: list[bytes] = []

    def lie(content: Digest, true: Any) -> bytes:
        known.append(bytes(true(content)))
        return known[1] if len(known) == 3 else known[-1]

    lied_to(toy, lie)
    toy.start()
    with pytest.raises(ModelMismatchError):
        toy.run()


@both_ways
def test_a_line_that_breaks_between_two_rows_costs_nothing_and_the_session_goes_on(
    one_at_a_time: bool,
) -> None:
    toy, unbroken = (Toy(one_at_a_time=one_at_a_time, changes={"privacy": LOUD}) for _ in "ab")
    calls: list[Digest] = []

    def lie(content: Digest, true: Any) -> bytes:
        calls.append(content)
        if len(calls) == 3:
            raise TransportError("no answer")
        return bytes(true(content))

    lied_to(toy, lie)
    for one in (toy, unbroken):
        one.start()
    with pytest.raises(TransportError):
        toy.run()
    assert toy.journals[VICTIM].entries() == ()
    toy.run()
    unbroken.run()
    assert toy.journals[VICTIM].entries() == unbroken.journals[VICTIM].entries()
    model = unbroken.participants[VICTIM].model
    np.testing.assert_array_equal(toy.participants[VICTIM].model, model)
