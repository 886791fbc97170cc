"""Whatever goes wrong is a problem document with a stable code and no input."""

import httpx
import pytest

from api.errors import STATUS
from secure_clove import errors
from tests.api.server import LiveServer, operator, serve
from tests.api.sessions import SECRET, refused

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.CloveError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_of_the_library_has_a_status(kind: type[errors.CloveError]) -> None:
    assert 400 <= STATUS[kind.code] <= 599


def test_no_status_is_for_a_code_that_does_not_exist() -> None:
    assert {kind.code for kind in KINDS} == set(STATUS)


def test_a_path_that_does_not_exist_is_a_problem(live_server: LiveServer) -> None:
    answer = httpx.get(f"{live_server.url}/{SECRET.decode().replace(' ', '-')}")
    refused(answer, 404, "not-found")


def test_a_method_that_does_not_exist_is_a_problem(live_server: LiveServer) -> None:
    answer = httpx.delete(f"{live_server.url}/healthz")
    refused(answer, 405, "method-not-allowed")
    assert "GET" in answer.headers["allow"]


def test_an_unexpected_failure_says_nothing_of_itself(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError(SECRET.decode())

    monkeypatch.setattr(live_server.service, "look", fail)
    refused(httpx.get(f"{live_server.url}/readyz"), 500, "error")


def test_the_server_does_not_say_what_it_is(live_server: LiveServer) -> None:
    answer = httpx.get(f"{live_server.url}/healthz")
    assert {"server", "x-powered-by"}.isdisjoint(answer.headers)


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_no_page_fetches_from_other_hosts(live_server: LiveServer, path: str) -> None:
    refused(httpx.get(live_server.url + path), 404, "not-found")


def test_the_process_is_alive_and_its_database_ready(live_server: LiveServer) -> None:
    assert httpx.get(f"{live_server.url}/healthz").json() == {"status": "alive"}
    assert httpx.get(f"{live_server.url}/readyz").json() == {"status": "ready"}


def test_a_database_that_does_not_answer_is_not_ready(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise errors.StoreError("the database refused")

    monkeypatch.setattr(live_server.service, "look", refuse)
    answer = httpx.get(f"{live_server.url}/readyz")
    refused(answer, 503, "store")
    assert answer.headers["retry-after"] == "1"


def test_no_body_is_larger_than_the_coordinator_allows() -> None:
    with serve(max_body_bytes=4096) as server:
        declared = httpx.post(f"{server.url}/v1/federations", content=SECRET * 1000)
        refused(declared, 413, "too-large")
        boss, body = operator(server), SECRET * 1000
        headers = boss.headers("POST", "/v1/federations", body)
        chunks = iter([body[:3000], body[3000:]])
        chunked = httpx.post(f"{server.url}/v1/federations", content=chunks, headers=headers)
        boss.close()
        refused(chunked, 413, "too-large")
