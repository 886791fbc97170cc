"""Single replies at the coordinator: what is refused leaves the session as it was."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from secure_clove.engine.each import EachServer
from secure_clove.engine.messages import REPLY_STEP, Reply
from secure_clove.errors import (
    BadSignatureError,
    CloveError,
    ConflictError,
    MalformedError,
    NotFoundError,
    StageClosedError,
    TooLargeError,
    UnknownClientError,
)
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId, Digest, FederationId
from secure_clove.secagg.session import Carriage, Session
from tests.engine.builders import identity
from tests.secagg.party import Held

NAMES = (ClientId("a"), ClientId("b"), ClientId("c"))
ROSTER = {name: identity(name).public for name in NAMES}
REACH = 1000

SESSION = Session(
    federation=FederationId("toy"),
    config=Digest("0" * 64),
    roster=Digest("0" * 64),
    round=1,
    phase="losses/0",
    attempt=1,
    carriage=Carriage.EACH,
    cohort=NAMES,
    asks=(Digest("0" * 64),),
    length=3,
    ring_bits=64,
    min_cohort=3,
    stage_ms=1000,
    nonce=bytes(32),
)


def reply(name: str, values: list[int], *, signer: str | None = None) -> bytes:
    data = np.array(values, dtype="<i8").tobytes()
    signature = identity(signer or name).sign(SESSION.sid, REPLY_STEP, data)
    return encode(Reply(sender=ClientId(name), values=data, signature=signature))


@dataclass
class Desk:
    """A session of single replies and what is stored of it."""

    server: EachServer
    bodies: Held = field(default_factory=Held)

    def receive(self, name: str, body: bytes, now_ms: int = 1, step: str = REPLY_STEP) -> None:
        """One transaction of the shell."""
        sender = ClientId(name)
        self.server = self.server.receive(step, sender, body, now_ms, self.bodies)
        self.bodies.stored[step, sender] = body


def opened(**changes: Any) -> Desk:
    return Desk(EachServer.open(replace(SESSION, **changes), ROSTER, 0, reach=REACH))


def after_one() -> Desk:
    desk = opened()
    desk.receive("a", reply("a", [1, 2, 3]))
    return desk


def test_a_session_is_over_when_all_have_answered() -> None:
    desk = opened()
    for name in NAMES:
        assert not desk.server.is_over
        desk.receive(name, reply(name, [1, 2, 3]))
    assert desk.server.is_over
    assert set(desk.server.heard) == set(NAMES)


def test_a_session_is_over_at_its_deadline() -> None:
    desk = after_one()
    assert not desk.server.tick(999, desk.bodies).is_over
    assert desk.server.tick(1000, desk.bodies).is_over


def test_a_session_that_has_closed_says_who_has_answered() -> None:
    desk = after_one()
    assert set(desk.server.tick(1000, desk.bodies).heard) == {"a"}


def test_a_reply_that_is_not_the_last_leaves_the_state_as_it_is() -> None:
    desk = opened()
    before = desk.server
    desk.receive("a", reply("a", [1, 2, 3]))
    assert desk.server is before


def test_the_same_reply_again_changes_nothing() -> None:
    desk = after_one()
    before = desk.server
    desk.receive("a", reply("a", [1, 2, 3]))
    assert desk.server is before


def test_a_session_survives_its_encoding() -> None:
    desk = after_one()
    closed = desk.server.tick(1000, desk.bodies)
    assert decode(encode(closed), EachServer) == closed


@pytest.mark.parametrize("value", [REACH + 1, -REACH - 1, 2**62, -(2**63), 2**63 - 1])
def test_a_value_that_no_honest_client_can_send_is_refused(value: int) -> None:
    with pytest.raises(MalformedError, match="outside the range"):
        opened().receive("a", reply("a", [0, value, 0]))


def test_the_largest_honest_values_are_taken() -> None:
    desk = opened()
    desk.receive("a", reply("a", [REACH, -REACH, 0]))
    assert set(desk.bodies.senders(REPLY_STEP)) == {"a"}


@pytest.mark.parametrize(
    ("error", "act"),
    [
        (UnknownClientError, lambda d: d.receive("z", reply("a", [1, 2, 3]))),
        (MalformedError, lambda d: d.receive("b", reply("a", [1, 2, 3]))),
        (MalformedError, lambda d: d.receive("b", b"\x00garbage")),
        (MalformedError, lambda d: d.receive("b", reply("b", [1, 2]))),
        (TooLargeError, lambda d: d.receive("b", reply("b", [0] * 200))),
        (BadSignatureError, lambda d: d.receive("b", reply("b", [1, 2, 3], signer="c"))),
        (ConflictError, lambda d: d.receive("a", reply("a", [9, 9, 9]))),
        (StageClosedError, lambda d: d.receive("b", reply("b", [1, 2, 3]), now_ms=1000)),
        (NotFoundError, lambda d: d.receive("b", b"", step="masked")),
    ],
)
def test_a_refused_message_leaves_the_session_as_it_was(
    error: type[CloveError], act: Callable[[Desk], None]
) -> None:
    desk = after_one()
    before = encode(desk.server), dict(desk.bodies.stored)
    with pytest.raises(error):
        act(desk)
    assert (encode(desk.server), desk.bodies.stored) == before


def test_a_reply_signed_for_another_session_is_refused() -> None:
    with pytest.raises(BadSignatureError):
        opened(round=2).receive("a", reply("a", [1, 2, 3]))
