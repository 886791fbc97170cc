"""Every refusal of the protocol over HTTP: its status and code, and that nothing has changed."""

from collections.abc import Iterator
from typing import Any

import pytest

from secure_clove.foundation.codec import encode
from secure_clove.foundation.ids import ClientId
from tests.api.server import CLIENTS, Caller, LiveServer, identity
from tests.api.sessions import SECRET, OpenSession, everything, refused

ADA, BOB, CYD = CLIENTS


@pytest.fixture(autouse=True)
def nothing_changes(open_one: OpenSession) -> Iterator[None]:
    """A refused request leaves all that is stored as it was."""
    before = everything(open_one.server)
    yield
    assert everything(open_one.server) == before


@pytest.fixture
def ada(open_one: OpenSession) -> Caller:
    return open_one.callers[ADA]


def test_a_name_that_is_not_enrolled_is_refused(open_one: OpenSession) -> None:
    stranger = Caller(open_one.server, "eve")
    answer = stranger.send("PUT", open_one.path("eve"), SECRET)
    refused(answer, 403, "unknown-client")


def test_a_client_of_another_federation_is_refused(
    open_one: OpenSession, live_server: LiveServer
) -> None:
    stranger = Caller(live_server, "dot")
    answer = stranger.get(f"/v1/federations/{open_one.config.federation}/sessions/current")
    refused(answer, 403, "unknown-client")


def test_a_client_cannot_speak_for_another(open_one: OpenSession, ada: Caller) -> None:
    answer = ada.send("PUT", open_one.path(BOB), open_one.advert(BOB))
    refused(answer, 403, "unknown-client")


def test_the_operator_cannot_speak_for_a_client(open_one: OpenSession, boss: Caller) -> None:
    refused(boss.send("PUT", open_one.path(ADA), open_one.advert(ADA)), 403, "unknown-client")


def test_a_client_cannot_do_the_operators_work(open_one: OpenSession, ada: Caller) -> None:
    path = f"/v1/federations/{open_one.config.federation}:start"
    refused(ada.send("POST", path, SECRET), 403, "unknown-client")


def test_another_key_under_a_clients_name_is_refused(open_one: OpenSession) -> None:
    forger = Caller(open_one.server, ADA, identity("eve"))
    answer = forger.send("PUT", open_one.path(ADA), open_one.advert(ADA))
    refused(answer, 401, "bad-signature")
    assert answer.headers["www-authenticate"] == "Signature"


def test_an_unsigned_request_is_refused(open_one: OpenSession) -> None:
    answer = open_one.server.http.put(open_one.path(ADA), content=open_one.advert(ADA))
    refused(answer, 401, "bad-signature")


@pytest.mark.parametrize(
    "changed", [{"method": "GET"}, {"path": "/v1/elsewhere"}, {"query": "a=1"}, {"body": b"other"}]
)
def test_a_signature_over_another_request_is_refused(
    open_one: OpenSession, ada: Caller, changed: dict[str, Any]
) -> None:
    answer = ada.send("PUT", open_one.path(ADA), open_one.advert(ADA), **changed)
    refused(answer, 401, "bad-signature")


def test_signature_headers_of_another_form_are_refused(open_one: OpenSession, ada: Caller) -> None:
    answer = ada.send("PUT", open_one.path(ADA), SECRET, headers={"Signature": "sig1=:x:"})
    refused(answer, 422, "malformed")


def test_a_replayed_read_is_refused_too(open_one: OpenSession, ada: Caller) -> None:
    path = f"/v1/federations/{open_one.config.federation}"
    headers = ada.headers("GET", path)
    assert ada.get(path, headers=headers).status_code == 200
    refused(ada.get(path, headers=headers), 401, "replayed")


def test_a_refused_request_cannot_be_tried_again_either(open_one: OpenSession, ada: Caller) -> None:
    path = open_one.path(ADA, "masked")
    headers = ada.headers("PUT", path, b"early")
    refused(ada.send("PUT", path, b"early", headers=headers), 410, "stage-closed")
    refused(ada.send("PUT", path, b"early", headers=headers), 401, "replayed")


@pytest.mark.parametrize("off_s", [-62, 62])
def test_a_stale_or_future_timestamp_is_refused(
    open_one: OpenSession, ada: Caller, off_s: int
) -> None:
    created = int(open_one.server.clock()) + off_s
    answer = ada.send("PUT", open_one.path(ADA), open_one.advert(ADA), created=created)
    refused(answer, 401, "replayed")


def test_a_declared_body_over_the_limit_of_its_step_is_refused(
    open_one: OpenSession, ada: Caller
) -> None:
    refused(ada.send("PUT", open_one.path(ADA), SECRET * 1000), 413, "too-large")


def test_a_chunked_body_over_the_limit_of_its_step_is_refused(
    open_one: OpenSession, ada: Caller
) -> None:
    body = SECRET * 1000
    headers = ada.headers("PUT", open_one.path(ADA), body)
    chunks = iter([body[:2000], body[2000:]])
    answer = open_one.server.http.put(open_one.path(ADA), content=chunks, headers=headers)
    refused(answer, 413, "too-large")


@pytest.mark.parametrize("body", [b"", SECRET, encode({"sender": "ada"}), encode([1, 2, 3])])
def test_a_body_that_is_no_message_is_refused(
    open_one: OpenSession, ada: Caller, body: bytes
) -> None:
    refused(ada.send("PUT", open_one.path(ADA), body), 422, "malformed")


def test_a_message_that_names_another_sender_is_refused(open_one: OpenSession, ada: Caller) -> None:
    refused(ada.send("PUT", open_one.path(ADA), open_one.advert(BOB)), 422, "malformed")


def test_a_message_whose_own_signature_is_wrong_is_refused(open_one: OpenSession) -> None:
    body = bytearray(open_one.advert(ADA))
    body[-1] ^= 1
    refused(open_one.put(ADA, bytes(body)), 401, "bad-signature")


@pytest.mark.parametrize("step", ["shares", "masked", "consistency", "unmask"])
def test_a_step_whose_turn_has_not_come_is_refused(open_one: OpenSession, step: str) -> None:
    refused(open_one.put(ADA, b"early", step), 410, "stage-closed")


def test_a_step_that_does_not_exist_is_refused(open_one: OpenSession) -> None:
    answer = open_one.put(ADA, SECRET, "confess")
    refused(answer, 404, "not-found")
    assert "confess" not in answer.text


def test_a_session_that_does_not_exist_is_refused(ada: Caller) -> None:
    refused(ada.send("PUT", f"/v1/sessions/{'0' * 64}/advert/ada", SECRET), 404, "not-found")


def test_a_federation_that_does_not_exist_is_refused(ada: Caller) -> None:
    refused(ada.get("/v1/federations/nowhere"), 404, "not-found")


def test_a_resource_that_does_not_exist_is_refused(open_one: OpenSession, ada: Caller) -> None:
    answer = ada.get(f"/v1/sessions/{open_one.sid}/secrets")
    refused(answer, 404, "not-found")
    assert "secrets" not in answer.text


@pytest.mark.parametrize("wait", ["-1", "26", "nan", "soon"])
def test_a_wait_out_of_range_is_refused_without_quoting_it(
    open_one: OpenSession, ada: Caller, wait: str
) -> None:
    path = f"/v1/federations/{open_one.config.federation}/sessions/current?wait={wait}"
    answer = ada.get(path)
    refused(answer, 422, "malformed")
    assert "soon" not in answer.text


def test_a_get_with_a_body_is_refused(open_one: OpenSession, ada: Caller) -> None:
    path = f"/v1/federations/{open_one.config.federation}"
    refused(ada.send("GET", path, SECRET), 413, "too-large")


def test_a_client_outside_the_cohort_is_refused(open_one: OpenSession) -> None:
    assert ClientId("eve") not in open_one.session.cohort
    stranger = Caller(open_one.server, "eve")
    refused(stranger.get(f"/v1/sessions/{open_one.sid}/directory"), 403, "unknown-client")
