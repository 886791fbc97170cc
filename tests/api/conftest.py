"""One coordinator for all tests of this folder; every test founds its own federation on it."""

from collections.abc import Iterator

import pytest

from tests.api.server import Caller, LiveServer, operator, serve
from tests.api.sessions import OpenSession, open_session


@pytest.fixture(scope="package")
def live_server() -> Iterator[LiveServer]:
    """A coordinator in memory on a loopback port."""
    with serve() as server:
        yield server


@pytest.fixture(scope="package")
def boss(live_server: LiveServer) -> Caller:
    """The operator."""
    return operator(live_server)


@pytest.fixture
def open_one(live_server: LiveServer) -> OpenSession:
    """A session of three clients that waits for adverts."""
    return open_session(live_server)
