"""The real data sets, where this machine has them, and a server on loopback."""

import os
from collections.abc import Callable, Iterator
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from secure_clove.data.dataset import Dataset
from secure_clove.data.sources import VARIABLE, load
from secure_clove.errors import DataError
from tests.builders import REPOSITORY

DATA = Path(os.environ.get(VARIABLE, REPOSITORY.parent / "shared" / "data"))


SMALL = ("femnist/femnist_105writers.npz", "ag_news/train_subset_5000.hf.csv", "ag_news/test.csv")
"""Files that tests copy, damage and serve."""


@pytest.fixture(scope="session")
def data_dir() -> Path:
    missing = [name for name in SMALL if not (DATA / name).is_file()]
    if missing:
        pytest.skip(f"{DATA} lacks {', '.join(missing)}; name another folder by {VARIABLE}")
    return DATA


@pytest.fixture(scope="session")
def real(data_dir: Path) -> Callable[[str, str], Dataset]:
    """Return what loads one form of a real data set once in a session, or skips the test."""

    @cache
    def loaded(name: str, distribution: str) -> Dataset:
        try:
            return load(name, data_dir, distribution=distribution)
        except DataError as error:
            if "not complete in" in str(error):
                pytest.skip(str(error))
            raise

    return loaded


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on the terminal."""


@pytest.fixture
def serve() -> Iterator[Callable[[Path], str]]:
    """Return what serves a folder on loopback and gives its address."""
    running: list[tuple[ThreadingHTTPServer, Thread]] = []

    def start(folder: Path) -> str:
        handler = partial(Quiet, directory=str(folder))
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()
