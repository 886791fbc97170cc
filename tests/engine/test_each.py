"""Single replies at the coordinator: what is refused leaves the session as it was."""

from collections.abc import Callable
from dataclasses import replace

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


def opened() -> EachServer:
    return EachServer.open(SESSION, ROSTER, 0, reach=REACH)


def reply(name: str, values: list[int], *, signer: str | None = None) -> bytes:
    data = np.array(values, dtype="<i8").tobytes()
    signature = identity(signer or name).sign(SESSION.sid, REPLY_STEP, data)
    return encode(Reply(sender=ClientId(name), values=data, signature=signature))


def none(step: str, client: ClientId) -> bytes:
    raise NotFoundError("nothing stored")


def receive(server: EachServer, name: str, body: bytes, now_ms: int = 1) -> EachServer:
    return server.receive(REPLY_STEP, ClientId(name), body, now_ms, none)


def test_a_session_is_over_when_all_have_answered() -> None:
    server = opened()
    for name in NAMES:
        assert not server.is_over
        server = receive(server, name, reply(name, [1, 2, 3]))
    assert server.is_over


def test_a_session_is_over_at_its_deadline() -> None:
    assert not opened().tick(999, none).is_over
    assert opened().tick(1000, none).is_over


def test_the_same_reply_again_changes_nothing() -> None:
    server = receive(opened(), "a", reply("a", [1, 2, 3]))
    assert receive(server, "a", reply("a", [1, 2, 3])) is server


def test_a_session_survives_its_encoding() -> None:
    server = receive(opened(), "a", reply("a", [1, 2, 3]))
    assert decode(encode(server), EachServer) == server


@pytest.mark.parametrize("value", [REACH + 1, -REACH - 1, 2**62, -(2**63), 2**63 - 1])
def test_a_value_that_no_honest_client_can_send_is_refused(value: int) -> None:
    with pytest.raises(MalformedError, match="outside the range"):
        receive(opened(), "a", reply("a", [0, value, 0]))


def test_the_largest_honest_values_are_taken() -> None:
    assert "a" in receive(opened(), "a", reply("a", [REACH, -REACH, 0])).heard


@pytest.mark.parametrize(
    ("error", "act"),
    [
        (UnknownClientError, lambda s: receive(s, "z", reply("a", [1, 2, 3]))),
        (MalformedError, lambda s: receive(s, "b", reply("a", [1, 2, 3]))),
        (MalformedError, lambda s: receive(s, "b", b"\x00garbage")),
        (MalformedError, lambda s: receive(s, "b", reply("b", [1, 2]))),
        (TooLargeError, lambda s: receive(s, "b", reply("b", [0] * 200))),
        (BadSignatureError, lambda s: receive(s, "b", reply("b", [1, 2, 3], signer="c"))),
        (ConflictError, lambda s: receive(s, "a", reply("a", [9, 9, 9]))),
        (StageClosedError, lambda s: receive(s, "b", reply("b", [1, 2, 3]), now_ms=1000)),
        (NotFoundError, lambda s: s.receive("masked", ClientId("b"), b"", 1, none)),
    ],
)
def test_a_refused_message_leaves_the_session_as_it_was(
    error: type[CloveError], act: Callable[[EachServer], EachServer]
) -> None:
    server = receive(opened(), "a", reply("a", [1, 2, 3]))
    before = encode(server)
    with pytest.raises(error):
        act(server)
    assert encode(server) == before


def test_a_reply_signed_for_another_session_is_refused() -> None:
    other = EachServer.open(replace(SESSION, round=2), ROSTER, 0, reach=REACH)
    with pytest.raises(BadSignatureError):
        receive(other, "a", reply("a", [1, 2, 3]))
