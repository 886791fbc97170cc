"""What a client is told to do, and what its next step fetches."""

from threading import Thread

from secure_clove.engine.messages import Current
from secure_clove.foundation.codec import decode
from secure_clove.foundation.ids import digest
from secure_clove.secagg.messages import Directory
from tests.api.server import CLIENTS, Caller, LiveServer, TestCarrier, started
from tests.api.sessions import OpenSession

ADA = CLIENTS[0]


def test_before_the_others_come_there_is_nothing_to_do_yet(live_server: LiveServer) -> None:
    config = started(live_server)
    ada = Caller(live_server, ADA)
    answer = ada.get(f"/v1/federations/{config.federation}/sessions/current")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["retry-after"] == "1"


def test_whoever_waits_hears_of_the_round_that_the_last_one_begins(
    live_server: LiveServer,
) -> None:
    config = started(live_server)
    callers = [Caller(live_server, client) for client in CLIENTS]
    carriers = [TestCarrier(caller, config.federation, wait_s=25) for caller in callers]
    heard: list[Current | None] = []
    waiting = [Thread(target=lambda c=c: heard.append(c.current())) for c in carriers]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join()
    sessions = [c.invitation.session for c in heard if c is not None and c.invitation]
    assert len(sessions) == 3
    assert len({session.sid for session in sessions}) == 1


def test_a_resource_that_is_not_there_yet_is_no_content(open_one: OpenSession) -> None:
    answer = open_one.callers[ADA].get(f"/v1/sessions/{open_one.sid}/directory")
    assert (answer.status_code, answer.headers["retry-after"]) == (204, "1")


def test_the_directory_is_there_once_all_have_advertised(open_one: OpenSession) -> None:
    open_one.all_advertise()
    answer = open_one.callers[ADA].get(f"/v1/sessions/{open_one.sid}/directory")
    adverts = decode(answer.content, Directory).adverts
    assert tuple(advert.sender for advert in adverts) == CLIENTS
    assert answer.headers["etag"] == f'"{digest(answer.content)}"'


def test_a_resource_that_one_has_is_not_sent_again(open_one: OpenSession) -> None:
    open_one.all_advertise()
    path = f"/v1/sessions/{open_one.sid}/directory"
    tag = open_one.callers[ADA].get(path).headers["etag"]
    again = open_one.callers[ADA].get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_a_client_sits_in_the_session_that_its_invitation_names(open_one: OpenSession) -> None:
    path = f"/v1/federations/{open_one.config.federation}/sessions/current"
    current = decode(open_one.callers[ADA].get(path).content, Current)
    assert current.invitation is not None
    assert current.invitation.session == open_one.session
