"""Whatever goes wrong is a problem document with a stable code and no input."""

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
    answer = live_server.http.get(f"/{SECRET.decode().replace(' ', '-')}")
    refused(answer, 404, "not-found")


def test_a_method_that_does_not_exist_is_a_problem(live_server: LiveServer) -> None:
    answer = live_server.http.delete("/healthz")
    refused(answer, 405, "method-not-allowed")
    assert "GET" in answer.headers["allow"]


def test_an_unexpected_failure_says_nothing_of_itself(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError(SECRET.decode())

    monkeypatch.setattr(live_server.service, "look", fail)
    refused(live_server.http.get("/readyz"), 500, "error")


def test_the_server_does_not_say_what_it_is(live_server: LiveServer) -> None:
    answer = live_server.http.get("/healthz")
    assert {"server", "x-powered-by"}.isdisjoint(answer.headers)


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_no_page_fetches_from_other_hosts(live_server: LiveServer, path: str) -> None:
    refused(live_server.http.get(path), 404, "not-found")


def test_the_process_is_alive_and_its_database_ready(live_server: LiveServer) -> None:
    assert live_server.http.get("/healthz").json() == {"status": "alive"}
    assert live_server.http.get("/readyz").json() == {"status": "ready"}


def test_a_database_that_does_not_answer_is_not_ready(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise errors.StoreError("the database refused")

    monkeypatch.setattr(live_server.service, "look", refuse)
    answer = live_server.http.get("/readyz")
    refused(answer, 503, "store")
    assert answer.headers["retry-after"] == "1"


def test_no_body_is_larger_than_the_coordinator_allows() -> None:
    with serve(max_body_bytes=4096) as server:
        declared = server.http.post("/v1/federations", content=SECRET * 1000)
        refused(declared, 413, "too-large")
        boss, body = operator(server), SECRET * 1000
        headers = boss.headers("POST", "/v1/federations", body)
        chunks = iter([body[:3000], body[3000:]])
        chunked = server.http.post("/v1/federations", content=chunks, headers=headers)
        refused(chunked, 413, "too-large")
