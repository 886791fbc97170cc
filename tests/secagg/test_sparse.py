"""A whole session above 256 clients, every client a real one."""

import functools

import numpy as np
import pytest

from secure_clove.foundation.codec import decode
from secure_clove.secagg import checks, keys
from secure_clove.secagg.messages import Shares, Unmask
from tests.secagg.party import STEPS, Party, ids, plain_sum, session

NAMES = ids(257)
SILENT = {
    "shares": NAMES[:3],
    "masked": NAMES[3:7],
    "consistency": NAMES[7:9],
    "unmask": NAMES[9:11],
}
"""Eleven in all: any circle of 79 can do without thirteen."""


def test_dropouts_after_every_step_leave_the_exact_sum_and_shares_among_neighbours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verify = functools.cache(keys.verify)  # 257 clients verify the same 257 signatures, twice
    monkeypatch.setattr(checks, "verify", verify)
    party = Party(session(len(NAMES), length=3))
    for step in STEPS:
        party.step(step, without=SILENT.get(step, ()))
    server = party.server

    assert server.u3 == NAMES[7:]
    expected = plain_sum(party.session, party.vectors, server.u3)
    np.testing.assert_array_equal(server.total(party.bodies), expected)
    for client in server.u5:
        circle = set(server.graph.circle(client))
        shares = decode(party.stored["shares", client], Shares)
        answer = decode(party.stored["unmask", client], Unmask)
        assert party.clients[client].graph == server.graph
        assert shares.sealed.keys() == circle - {client}
        assert answer.seeds.keys() == circle & set(server.u3)
        assert answer.keys.keys() == circle & set(NAMES[3:7])
