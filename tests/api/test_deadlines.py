"""Stages close by the clock, and whoever comes too late or waits is told."""

from collections.abc import Iterator

import pytest

from tests.api.server import CLIENTS, Caller, LiveServer, TestCarrier, serve, started
from tests.api.sessions import everything, open_session

ADA, BOB, CYD = CLIENTS


@pytest.fixture
def own_server() -> Iterator[LiveServer]:
    """A coordinator whose clock the test moves."""
    with serve() as server:
        yield server


def test_a_message_after_the_deadline_is_gone_and_the_waiting_hear_of_the_end(
    own_server: LiveServer,
) -> None:
    opened = open_session(own_server)
    assert opened.put(ADA, opened.advert(ADA)).status_code == 204
    own_server.clock.ahead_s += 601
    answer = opened.callers[ADA].get(f"/v1/sessions/{opened.sid}/directory?wait=20")
    assert (answer.status_code, answer.json()["code"]) == (410, "aborted")
    before = everything(own_server)
    late = opened.put(BOB, opened.advert(BOB))
    assert (late.status_code, late.json()["code"]) == (410, "aborted")
    assert everything(own_server) == before


def test_a_round_begins_without_those_who_do_not_show_up(own_server: LiveServer) -> None:
    late = [*CLIENTS, "late"]
    config = started(own_server, tuple(type(ADA)(c) for c in late))
    callers = [Caller(own_server, client) for client in CLIENTS]
    carriers = [TestCarrier(caller, config.federation) for caller in callers]
    assert [carrier.current() for carrier in carriers] == [None] * 3
    own_server.clock.ahead_s += 601
    found = TestCarrier(callers[0], config.federation, wait_s=20).current()
    assert found is not None
    assert found.invitation is not None
    assert found.invitation.session.cohort == CLIENTS
