"""Attempts at one exchange: the same reply every time, and none once a sum can be read."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from secure_clove.algorithms.base import Exchange
from secure_clove.engine.messages import Current
from secure_clove.engine.ongoing import Live
from secure_clove.engine.ports import Ring
from secure_clove.errors import AbortedError
from secure_clove.foundation.codec import decode
from secure_clove.foundation.ids import ClientId
from secure_clove.sdk.entropy import SystemEntropy
from secure_clove.secagg.messages import Masked
from tests.conformance.attacks import NAMES, TARGET, others
from tests.conformance.liars import Stage, Thief, altered, staged


def total(stage: Stage, sid: str) -> list[int]:
    """Return the sum that R4 of one session gives away; nothing if it does not."""
    thief = Thief(stage.boss, sid)
    bits, length = thief.session.ring_bits, thief.session.length
    size, found = bits // 8, [0] * thief.session.length
    for name, body in stage.boss.said(sid, "masked").items():
        values = decode(body, Masked).values
        mask = thief._self_stream(name)
        if mask is None:
            return []
        for i in range(length):
            found[i] += int.from_bytes(values[i * size : (i + 1) * size], "little") - mask[i]
    return [word % 2**bits for word in found]


def held(stage: Stage, second: Sequence[ClientId]) -> None:
    """Hold one exchange, then "again" as attempt 2 among ``second``."""
    kept: dict[ClientId, Current] = {}
    first = stage.boss.invitation

    def invite(me: ClientId, true: Current) -> Current | None:
        found = first(me, true)
        kept.update({me: found} if found else {})
        return found

    stage.boss.invitation = invite
    assert stage.play() == {}
    asked: set[ClientId] = set()

    def again(me: ClientId, true: Current) -> Current | None:
        if me not in second or me in asked:
            return None
        asked.add(me)
        return altered(kept[me], attempt=2, nonce=b"2" * 32, cohort=tuple(second))

    stage.boss.invitation = again
    stage.play()


def sums(stage: Stage) -> list[list[int]]:
    """Return every sum that was given away."""
    masked = [sid for sid in stage.boss.sessions if stage.boss.said(sid, "masked")]
    found = [total(stage, sid) for sid in masked]
    return [one for one in found if one]


@pytest.mark.parametrize("second", [(), others(TARGET), NAMES], ids=["none", "others", "all"])
def test_once_a_sum_can_be_read_nobody_joins_a_second_one(second: Sequence[ClientId]) -> None:
    stage = staged()
    held(stage, second)
    assert len(sums(stage)) == 1


def test_another_attempt_sends_the_very_same_reply() -> None:
    stage = staged()
    participant = stage.toy.participants[TARGET]
    participant._noise = SystemEntropy()
    sent: list[Ring] = []
    vector = participant._vector

    def watched(live: Live, exchange: Exchange[Any, Any]) -> Ring:
        sent.append(vector(live, exchange))
        return sent[-1]

    participant._vector = watched  # type: ignore[method-assign]

    def aborted(me: ClientId, true: object) -> bytes:
        raise AbortedError("too few")

    stage.boss.lies["survivors"] = aborted
    held(stage, NAMES)
    assert len(sent) == 2
    np.testing.assert_array_equal(sent[0], sent[1])
