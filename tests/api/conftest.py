"""One coordinator for a whole test module; every test founds its own federation on it."""

from collections.abc import Iterator

import pytest

from tests.api.server import Caller, LiveServer, operator, serve
from tests.api.sessions import OpenSession, open_session


@pytest.fixture(scope="module")
def live_server() -> Iterator[LiveServer]:
    """A coordinator in memory on a loopback port."""
    with serve() as server:
        yield server


@pytest.fixture(scope="module")
def boss(live_server: LiveServer) -> Iterator[Caller]:
    """The operator."""
    caller = operator(live_server)
    yield caller
    caller.close()


@pytest.fixture
def open_one(live_server: LiveServer) -> Iterator[OpenSession]:
    """A session of three clients that waits for adverts."""
    found = open_session(live_server)
    yield found
    found.close()
