"""Models by content hash: immutable, cacheable, in parts."""

import pytest

from secure_clove.engine.plan import Config
from secure_clove.foundation.ids import digest
from tests.api.server import CLIENTS, Caller, LiveServer, make_config, started
from tests.api.sessions import refused

MODEL = make_config()[1]


@pytest.fixture
def config(live_server: LiveServer) -> Config:
    return started(live_server)


@pytest.fixture
def ada(live_server: LiveServer, config: Config) -> Caller:
    return Caller(live_server, CLIENTS[0])


@pytest.fixture
def path(config: Config) -> str:
    return f"/v1/models/{config.initial}"


def test_a_model_is_the_bytes_with_its_hash(ada: Caller, path: str) -> None:
    answer = ada.get(path)
    assert answer.content == MODEL
    assert answer.headers["etag"] == f'"{digest(MODEL)}"'
    assert "immutable" in answer.headers["cache-control"]


def test_a_model_that_one_has_is_not_sent_again(ada: Caller, path: str) -> None:
    answer = ada.get(path, headers={"If-None-Match": f'"{digest(MODEL)}"'})
    assert (answer.status_code, answer.content) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=5-", slice(5, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=3-999999", slice(3, None)),
        ("bytes=-999999", slice(None)),
        ("bytes=4-4", slice(4, 5)),
    ],
)
def test_one_range_is_that_part(ada: Caller, path: str, asked: str, part: slice) -> None:
    answer = ada.get(path, headers={"Range": asked})
    start, stop, _ = part.indices(len(MODEL))
    assert (answer.status_code, answer.content) == (206, MODEL[part])
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(MODEL)}"


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,4-5", "bytes=-", "bytes=9-2", "lines=1-2", "bytes=x-"]
)
def test_a_range_of_another_form_gets_everything(ada: Caller, path: str, asked: str) -> None:
    answer = ada.get(path, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, MODEL)


def test_a_range_of_an_outdated_copy_gets_everything(ada: Caller, path: str) -> None:
    answer = ada.get(path, headers={"Range": "bytes=0-9", "If-Range": '"another"'})
    assert (answer.status_code, answer.content) == (200, MODEL)


@pytest.mark.parametrize("asked", ["bytes=999999-", "bytes=-0"])
def test_a_range_outside_is_refused(ada: Caller, path: str, asked: str) -> None:
    answer = ada.get(path, headers={"Range": asked})
    refused(answer, 416, "range-not-satisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(MODEL)}"


@pytest.mark.parametrize("content", ["0" * 64, "coordinator.sqlite", "%2e%2e%2fcoordinator.sqlite"])
def test_a_hash_that_nobody_stored_is_not_found(ada: Caller, content: str) -> None:
    refused(ada.get(f"/v1/models/{content}"), 404, "not-found")


def test_a_stranger_gets_no_model(live_server: LiveServer, config: Config, path: str) -> None:
    stranger = Caller(live_server, "eve")
    refused(stranger.get(path), 403, "unknown-client")


def test_a_name_shared_by_two_federations_reads_with_either_key(
    live_server: LiveServer, boss: Caller, path: str
) -> None:
    """The name alone does not say which federation a request for a model is about."""
    other = started(live_server)
    for caller in (Caller(live_server, CLIENTS[1]), Caller(live_server, CLIENTS[2])):
        assert caller.get(path).status_code == 200
    assert boss.get(f"/v1/federations/{other.federation}").status_code == 200
