"""A coordinator as a process of its own, for a demo on one machine."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import httpx

from secure_clove.errors import ConfigError, TransportError

START_S, STOP_S = 30.0, 10.0


@contextmanager
def coordinator_process(folder: Path, *, operator_key: str, log: Path) -> Iterator[str]:
    """Run ``python -m api serve`` on a free loopback port; yield its URL once it answers.

    Args:
        folder: Of the coordinator's database and artefacts.
        operator_key: Public federation key, hex.
        log: File that takes what the process prints.

    Raises:
        ConfigError: the server application is not here.
        TransportError: it did not come up; the log says why.
    """
    if find_spec("api") is None or find_spec("fastapi") is None:
        raise ConfigError(
            "the coordinator is an application of the repository, not of the library; run this in "
            "a checkout with the extra 'server' installed (make demo does both)"
        )
    port = _free_port()
    command = [sys.executable, "-m", "api", "serve", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--data-dir", str(folder), "--operator-key", operator_key]
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603  our own command line
            command, stdout=sink, stderr=subprocess.STDOUT, env=os.environ.copy()
        )
    try:
        _await(url, process, log)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < give_up:
        try:
            if httpx.get(f"{url}/healthz", timeout=2.0).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise TransportError(f"the coordinator did not come up within {START_S:g} s; see {log}")
