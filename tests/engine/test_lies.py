"""A coordinator that lies, against the participant that the SDK runs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from secure_clove.engine.messages import CONFIG_TAG, ROSTER_TAG, Charter, Current, Roster, Signed
from secure_clove.engine.pipeline import pack
from secure_clove.engine.policy import Policy
from secure_clove.engine.ports import Carrier
from secure_clove.errors import (
    BadSignatureError,
    CloveError,
    ModelMismatchError,
    PolicyRefusedError,
    RemoteProtocolError,
    UnknownClientError,
)
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId, Digest
from secure_clove.secagg.messages import Survivors
from secure_clove.secagg.session import Session
from tests.engine.builders import LOUD, NAME, Toy, identity

VICTIM = ClientId("c00")


@dataclass
class Liar:
    """Changes what one client is told; everything else is true. Records what the client sends."""

    inner: Carrier
    charter_lie: Callable[[Charter], Charter] = lambda charter: charter
    current_lie: Callable[[Current], Current] = lambda current: current
    artefact_lie: Callable[[bytes], bytes] = lambda data: data
    fetch_lie: Callable[[str, bytes], bytes] = lambda _, body: body
    sent: list[str] | None = None

    def charter(self) -> Charter:
        return self.charter_lie(self.inner.charter())

    def current(self) -> Current | None:
        found = self.inner.current()
        return None if found is None else self.current_lie(found)

    def artefact(self, content: Digest) -> bytes:
        return self.artefact_lie(self.inner.artefact(content))

    def fetch(self, sid: str, resource: str) -> bytes | None:
        body = self.inner.fetch(sid, resource)
        return None if body is None else self.fetch_lie(resource, body)

    def put(self, sid: str, step: str, body: bytes) -> None:
        if self.sent is not None:
            self.sent.append(step)
        self.inner.put(sid, step, body)


def lied_to(**lies: Any) -> tuple[Toy, list[str]]:
    sent: list[str] = []

    def wrap(name: ClientId, carrier: Carrier) -> Carrier:
        return Liar(carrier, sent=sent, **lies) if name == VICTIM else carrier

    toy = Toy(clients=12, wrap=wrap, changes={"algorithm": "fedavg", "privacy": LOUD})
    toy.start()
    return toy, sent


def about_session(**changes: Any) -> Callable[[Current], Current]:
    def lie(current: Current) -> Current:
        if current.invitation is None:
            return current
        session: Session = replace(current.invitation.session, **changes)
        return replace(current, invitation=replace(current.invitation, session=session))

    return lie


def refused(toy: Toy, error: type[CloveError], match: str | None = None) -> None:
    with pytest.raises(error, match=match):
        toy.run()


@pytest.mark.parametrize("both", ["alive and dead", "dead only", "twice", "not me"])
def test_a_false_list_of_survivors_is_refused_and_nothing_is_unmasked(both: str) -> None:
    def lie(resource: str, body: bytes) -> bytes:
        if resource != "survivors":
            return body
        true = decode(body, Survivors)
        some = true.alive[-1]
        match both:
            case "alive and dead":
                lied = {"alive": true.alive, "dropped": (some,)}
            case "dead only":
                lied = {"alive": true.alive[:-1], "dropped": ()}
            case "twice":
                lied = {"alive": (*true.alive, some), "dropped": ()}
            case _:
                lied = {"alive": true.alive[1:], "dropped": (VICTIM,)}
        return encode(lied)

    toy, sent = lied_to(fetch_lie=lie)
    refused(toy, RemoteProtocolError)
    assert sent == ["advert", "shares", "masked"]


def test_a_model_other_than_the_session_names_is_refused_before_anything_is_sent() -> None:
    toy, sent = lied_to(artefact_lie=lambda _: pack({"model": np.zeros(2)}))
    refused(toy, ModelMismatchError, "not the one the session names")
    assert sent == []


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"cohort": ("c00", "c01")}, PolicyRefusedError, "a sum over 2 clients"),
        ({"cohort": ("c01", "c02", "c03", "c04")}, RemoteProtocolError, "cohort"),
        ({"min_cohort": 2}, RemoteProtocolError, "promises"),
        ({"config": "0" * 64}, RemoteProtocolError, "another federation, configuration"),
        ({"roster": "0" * 64}, RemoteProtocolError, "another federation, configuration"),
        ({"ring_bits": 64}, RemoteProtocolError, "as configured"),
        ({"length": 99}, RemoteProtocolError, "as configured"),
        ({"asks": ("0" * 64,)}, RemoteProtocolError, "not one of this session"),
        ({"round": 99}, RemoteProtocolError, "never agreed"),
        ({"attempt": 4}, PolicyRefusedError, "attempt 4"),
    ],
)
def test_a_session_that_was_never_agreed_is_refused_before_anything_is_computed(
    changes: dict[str, Any], error: type[CloveError], match: str
) -> None:
    toy, sent = lied_to(current_lie=about_session(**changes))
    refused(toy, error, match)
    assert sent == []
    assert toy.trainers[VICTIM].trainings == 0


def test_a_sum_whose_clients_are_asked_about_different_models_is_refused() -> None:
    def lie(current: Current) -> Current:
        if current.invitation is None:
            return current
        asks = tuple(sorted({*current.invitation.session.asks, Digest("f" * 64)}))
        return about_session(asks=asks)(current)

    toy, sent = lied_to(current_lie=lie)
    refused(toy, RemoteProtocolError, "different models")
    assert sent == []


def test_an_answered_round_asked_for_again_is_refused() -> None:
    kept: list[Current] = []

    def lie(current: Current) -> Current:
        if current.invitation is None:
            return current
        kept.append(current)
        return kept[0]

    toy, sent = lied_to(current_lie=lie)
    refused(toy, RemoteProtocolError, "replayed")
    assert sent.count("masked") == 1


def test_another_question_under_a_new_attempt_is_refused() -> None:
    toy, sent = lied_to()
    participant = toy.participants[VICTIM]
    toy.run(until_round=1)
    answer = participant._answer
    assert answer is not None
    current = participant._carrier.current()
    while current is None or current.invitation is None:
        toy.turn(toy.names[1:])
        current = participant._carrier.current()
    session = replace(current.invitation.session, round=answer.round, attempt=2)
    with pytest.raises(RemoteProtocolError, match="other models"):
        participant._begin(replace(current.invitation, session=session))
    assert sent.count("masked") == 1


def test_a_configuration_not_signed_by_the_pinned_key_is_refused() -> None:
    policy = Policy(max_epsilon=99.0, federation_key=identity("somebody else").public.hex())
    toy = Toy(policy=policy)
    toy.start()
    refused(toy, BadSignatureError)


def test_a_federation_key_other_than_the_one_seen_first_is_refused() -> None:
    toy = Toy()
    toy.start()
    toy.turn([VICTIM])
    other = identity("usurper")

    def lie(charter: Charter) -> Charter:
        config = Signed.seal(toy.config, CONFIG_TAG, other)
        return replace(charter, config=config)

    toy.wrap = lambda _, carrier: Liar(carrier, charter_lie=lie)
    toy.participants[VICTIM] = toy.participant(VICTIM)
    refused(toy, BadSignatureError, "another federation key")


def test_a_roster_signed_by_the_coordinator_is_refused() -> None:
    def lie(charter: Charter) -> Charter:
        if charter.roster is None:
            return charter
        roster = decode(charter.roster.body, Roster)
        return replace(charter, roster=Signed.seal(roster, ROSTER_TAG, identity("coordinator")))

    toy, sent = lied_to(charter_lie=lie)
    refused(toy, BadSignatureError)
    assert sent == []


def test_a_roster_that_names_another_key_for_me_is_refused() -> None:
    def lie(charter: Charter) -> Charter:
        if charter.roster is None:
            return charter
        roster = decode(charter.roster.body, Roster)
        forged = replace(roster, clients={**roster.clients, VICTIM: identity("mallory").public})
        return replace(charter, roster=Signed.seal(forged, ROSTER_TAG, identity("federation")))

    toy, _ = lied_to(charter_lie=lie)
    refused(toy, UnknownClientError, "does not name 'c00'")


def test_a_session_of_another_federation_is_refused() -> None:
    toy, _ = lied_to(current_lie=about_session(federation="other"))
    refused(toy, RemoteProtocolError, "another federation")
    assert NAME != "other"
