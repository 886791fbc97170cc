"""Faults of the engine's order and seeds, put into it, and the evidence that shows them.

Monkeypatching is the one way to have them: a participant cannot be brought to commit them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from secure_clove.engine.messages import REPLY_STEP, Charter, Current, Reply
from secure_clove.engine.participant import Participant
from secure_clove.engine.policy import Policy
from secure_clove.engine.ports import Carrier, Journal
from secure_clove.engine.progress import Outcome
from secure_clove.foundation.codec import decode
from secure_clove.foundation.ids import ClientId, Digest
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.foundation.trees import Vector
from tests.engine.builders import LOUD, NAME, Toy, ToyTrainer

RELEASING = {REPLY_STEP, "masked"}
"""The steps with which something about a client's data leaves."""

Patch = pytest.MonkeyPatch


@dataclass
class Auditor:
    """Sees everything that clients send, at the moment they send it.

    Attributes:
        uncharged: Releases that left while the client's journal on disk did not hold them.
        replies: The values of all single replies.
    """

    journals: dict[ClientId, Journal] = field(default_factory=dict)
    uncharged: list[str] = field(default_factory=list)
    replies: list[bytes] = field(default_factory=list)

    def hear(self, client: ClientId, sid: str, step: str, body: bytes) -> None:
        marks = {mark.sid: mark for mark in self.journals[client].marks(NAME)}
        entries = {(entry.round, entry.phase) for entry in self.journals[client].entries()}
        mark = marks.get(sid)
        if step in RELEASING and (mark is None or (mark.round, mark.exchange) not in entries):
            self.uncharged.append(step)
        if step == REPLY_STEP:
            self.replies.append(bytes(decode(body, Reply).values))


@dataclass
class Watched:
    """A carrier with an auditor on it."""

    inner: Carrier
    client: ClientId
    auditor: Auditor

    def charter(self) -> Charter:
        return self.inner.charter()

    def current(self) -> Current | None:
        return self.inner.current()

    def artefact(self, content: Digest) -> bytes:
        return self.inner.artefact(content)

    def fetch(self, sid: str, resource: str) -> bytes | None:
        return self.inner.fetch(sid, resource)

    def put(self, sid: str, step: str, body: bytes) -> None:
        self.auditor.hear(self.client, sid, step, body)
        self.inner.put(sid, step, body)


class Silent(ToyTrainer):
    """Has equal losses on all models: its embedding is nothing but noise."""

    def losses(self, models: Vector) -> Vector:
        return np.zeros((len(self.points), len(models)))


def audited(rounds: int) -> Auditor:
    """Return what an auditor of a federation of silent clients has seen."""
    auditor = Auditor()
    toy = Toy(
        policy=Policy(max_epsilon=99.0),
        changes={"privacy": LOUD, "rounds": rounds, "options": {"stable_rounds": 9}},
        wrap=lambda client, carrier: Watched(carrier, client, auditor),
    )
    toy.trainers = {name: Silent(old.points) for name, old in toy.trainers.items()}
    auditor.journals.update(toy.journals)
    toy.start()
    toy.run()
    assert len(toy.coordinator.reports(NAME)) == rounds
    return auditor


def test_whatever_leaves_was_charged_on_disk_before() -> None:
    assert audited(1).uncharged == []


def test_charging_after_the_release_is_found_out(monkeypatch: Patch) -> None:
    step, commit = Participant.step, Participant._commit
    late: list[Callable[[], None]] = []

    def stepping(self: Participant) -> Outcome:
        outcome = step(self)
        while late:
            late.pop()()
        return outcome

    monkeypatch.setattr(Participant, "step", stepping)
    monkeypatch.setattr(
        Participant, "_commit", lambda self, *what: late.append(lambda: commit(self, *what))
    )
    assert set(audited(1).uncharged) == RELEASING


def test_no_two_releases_have_the_same_noise() -> None:
    replies = audited(2).replies
    assert len(set(replies)) == len(replies) == 24


def test_a_seed_that_is_used_again_in_the_next_round_is_found_out(monkeypatch: Patch) -> None:
    fork = SimulatedEntropy.fork

    def forgetful(self: SimulatedEntropy, *labels: str | int) -> SimulatedEntropy:
        return fork(self, *(label for label in labels if isinstance(label, str)))

    monkeypatch.setattr(SimulatedEntropy, "fork", forgetful)
    replies = audited(2).replies
    assert len(set(replies)) == 12
