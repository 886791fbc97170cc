"""Clients and coordinators that die, at every step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from secure_clove.engine.coordinator import Coordinator
from secure_clove.engine.pipeline import unpack
from secure_clove.engine.ports import Carrier
from secure_clove.engine.state import SessionState
from secure_clove.errors import StoreError
from secure_clove.foundation.codec import decode
from secure_clove.foundation.ids import ClientId, Digest
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.stores.journal import SqlJournal
from tests.engine.builders import LOUD, NAME, Toy

STEPS = ("advert", "shares", "masked", "consistency", "unmask")


class Killed(Exception):
    """The process ended here."""


@dataclass
class Mortal:
    """A carrier whose client dies right after it has sent ``step`` of the first training."""

    inner: Carrier
    step: str
    is_armed: bool = True

    def charter(self) -> Any:
        return self.inner.charter()

    def current(self) -> Any:
        return self.inner.current()

    def artefact(self, content: Digest) -> bytes:
        return self.inner.artefact(content)

    def fetch(self, sid: str, resource: str) -> bytes | None:
        return self.inner.fetch(sid, resource)

    def put(self, sid: str, step: str, body: bytes) -> None:
        self.inner.put(sid, step, body)
        if self.is_armed and step == self.step:
            self.is_armed = False
            raise Killed


def dying(deaths: dict[str, str]) -> Callable[[ClientId, Carrier], Carrier]:
    def wrap(name: ClientId, carrier: Carrier) -> Carrier:
        return Mortal(carrier, deaths[name]) if name in deaths else carrier

    return wrap


def run_with_deaths(toy: Toy, *, until_round: int) -> set[ClientId]:
    """Run; whoever dies stays dead. Returns the dead."""
    toy.start()
    alive = list(toy.names)
    for _ in range(3000):
        if len(toy.coordinator.reports(NAME)) >= until_round:
            break
        moved = False
        for name in list(alive):
            try:
                moved |= toy.participants[name].step().value == "moved"
            except Killed:
                alive.remove(name)
        if not moved:
            toy.pass_deadline()
    return set(toy.names) - set(alive)


def group_of(toy: Toy, cluster: int) -> list[ClientId]:
    return [name for name in toy.names if toy.truth[name] == cluster]


def model_of(toy: Toy, name: ClientId) -> Any:
    state = toy.coordinator.state(NAME)
    inner: Any = decode(toy.coordinator.artefact(state.algorithm), toy.config.build().state)
    return inner.models[inner.assignment[name]]


def mean_of(toy: Toy, names: list[ClientId]) -> Any:
    return np.concatenate([toy.trainers[name].points for name in names]).mean(axis=0)


@pytest.mark.parametrize("step", ["advert", "shares", "masked", "consistency", "unmask"])
def test_one_client_killed_after_any_step_leaves_the_exact_sum_over_the_rest(step: str) -> None:
    toy = Toy(clients=15)
    victim = toy.names[0]
    toy = Toy(clients=15, wrap=dying({victim: step}))
    assert run_with_deaths(toy, until_round=1) == {victim}
    members = group_of(toy, 0)
    in_sum = members if STEPS.index(step) >= STEPS.index("masked") else members[1:]
    found = model_of(toy, members[1])
    np.testing.assert_allclose(found, mean_of(toy, in_sum), atol=1e-4)
    assert victim in toy.coordinator.reports(NAME)[0].dropouts or step == "unmask"
    assert toy.coordinator.reports(NAME)[0].aborted_attempts == 0


def test_one_client_killed_after_r1_and_one_after_r2_in_the_same_sum() -> None:
    deaths = {"c00": "shares", "c03": "masked"}
    toy = Toy(clients=21, wrap=dying(deaths))  # 7 in a group: T = 5
    assert run_with_deaths(toy, until_round=1) == set(deaths)
    rest = [name for name in group_of(toy, 0) if name != "c00"]
    np.testing.assert_allclose(model_of(toy, rest[-1]), mean_of(toy, rest), atol=1e-4)
    assert toy.coordinator.reports(NAME)[0].aborted_attempts == 0


def test_too_many_deaths_abort_cleanly_and_a_new_attempt_succeeds() -> None:
    deaths = {"c00": "shares", "c03": "shares"}
    toy = Toy(clients=15, wrap=dying(deaths))  # 5 in a group: T = 4, only 3 are left
    assert run_with_deaths(toy, until_round=1) == set(deaths)
    report = toy.coordinator.reports(NAME)[0]
    assert report.aborted_attempts == 1
    rest = [name for name in group_of(toy, 0) if name not in deaths]
    np.testing.assert_allclose(model_of(toy, rest[0]), mean_of(toy, rest), atol=1e-4)


def test_an_abort_says_how_many_answered_which_step() -> None:
    toy = Toy(clients=15, wrap=dying({"c00": "shares", "c03": "shares"}))
    run_with_deaths(toy, until_round=1)
    with toy.store.transaction() as tx:
        said: list[Any] = [decode(e.body, dict) for e in tx.events(NAME) if e.kind == "aborted"]
    assert "3 of 5 clients answered R2" in said[0]["reason"]


def test_a_new_attempt_sends_the_same_reply_and_charges_nothing_more() -> None:
    deaths = dict.fromkeys(["c00", "c03", "c06"], "shares")
    toy = Toy(clients=21, changes={"privacy": LOUD}, wrap=dying(deaths))  # 4 of 7 left, T = 5
    run_with_deaths(toy, until_round=1)
    assert toy.coordinator.reports(NAME)[0].aborted_attempts == 1
    survivor = group_of(toy, 0)[-1]
    entries = toy.journals[survivor].entries()
    assert [e.release.name for e in entries].count("update") == 1
    attempts = [m.attempt for m in toy.journals[survivor].marks(NAME) if m.exchange == "train"]
    assert attempts == [1, 2]
    assert toy.trainers[survivor].trainings == 1


def test_when_every_attempt_fails_the_round_ends_and_the_model_stays() -> None:
    toy = Toy(clients=9, wrap=dying({"c00": "shares", "c03": "advert", "c06": "advert"}))
    before = unpack(toy.initial)["models"]
    assert run_with_deaths(toy, until_round=1) == {"c00", "c03", "c06"}
    assert model_of(toy, ClientId("c00")).tolist() in before.tolist()


def test_a_client_that_comes_back_takes_part_in_the_next_round() -> None:
    toy = Toy(clients=15, wrap=dying({"c00": "shares"}), changes={"rounds": 3})
    run_with_deaths(toy, until_round=1)
    toy.wrap = dying({})
    toy.participants[ClientId("c00")] = toy.participant(ClientId("c00"))
    toy.run()
    reports = toy.coordinator.reports(NAME)
    assert [r.cohort for r in reports] == [15, 14, 15] or [r.cohort for r in reports][-1] == 15
    assert toy.participants[ClientId("c00")].model is not None


@pytest.mark.parametrize("step", ["shares", "masked"])
def test_a_client_that_restarts_never_answers_the_same_exchange_twice(step: str) -> None:
    toy = Toy(clients=15, wrap=dying({"c00": step}), changes={"privacy": LOUD, "rounds": 2})
    toy.start()
    victim = ClientId("c00")
    while True:
        try:
            toy.turn()
        except Killed:
            break
    toy.wrap = dying({})
    toy.participants[victim] = toy.participant(victim)
    toy.run()
    marks = [(m.round, m.exchange) for m in toy.journals[victim].marks(NAME)]
    assert len(set(marks)) == len(marks)


def test_a_client_that_dies_between_writing_down_and_sending_sits_out_and_comes_back() -> None:
    toy = Toy(clients=9, changes={"privacy": LOUD, "rounds": 2})
    toy.start()
    victim = ClientId("c00")
    carrier: Any = toy.participants[victim]._carrier

    def die(*_: object) -> None:
        raise Killed

    carrier.put = die
    toy.turn()  # everybody joins
    toy.turn(toy.names[1:])  # everybody else is present
    with pytest.raises(Killed):
        toy.turn([victim])  # it completes the cohort, and so is asked first
    toy.participants[victim] = toy.participant(victim)
    toy.run()
    assert toy.participants[victim].model is not None
    names = [entry.release.name for entry in toy.journals[victim].entries()]
    assert names.count("embedding") == toy.coordinator.state(NAME).held["losses"]


@pytest.mark.parametrize("moment", range(0, 120, 8))
def test_a_coordinator_restarted_at_any_moment_goes_on_to_the_same_result(moment: int) -> None:
    undisturbed = Toy(clients=9, changes={"rounds": 2, "privacy": LOUD})
    undisturbed.start()
    undisturbed.run()
    toy = Toy(clients=9, changes={"rounds": 2, "privacy": LOUD})
    toy.start()
    for turn, name in enumerate(toy.names * 200):
        if turn == moment:
            toy.coordinator = Coordinator(toy.store, SimulatedEntropy(1, "nonce"))
            for participant in toy.participants.values():
                participant._carrier._coordinator = toy.coordinator  # type: ignore[attr-defined]
            break
        toy.participants[name].step()
    toy.run()
    first, second = (t.coordinator.state(NAME).algorithm for t in (undisturbed, toy))
    assert first == second


def test_a_ledger_that_cannot_be_written_lets_nothing_leave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    toy = Toy(clients=9, changes={"privacy": LOUD})
    toy.start()

    def full(*_: object) -> None:  # a disk fault that cannot be made otherwise
        raise StoreError("the ledger could not be written, so nothing was sent")

    monkeypatch.setattr(SqlJournal, "commit", full)
    with pytest.raises(StoreError):
        toy.run()
    with toy.store.transaction() as tx:
        found = [tx.session(sid) for sid in tx.sessions(NAME)]
    states = [decode(pair[1], SessionState) for pair in found if pair]
    assert [state.each.heard for state in states if state.each] == [{}]
