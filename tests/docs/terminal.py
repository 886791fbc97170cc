"""A reader at a terminal: runs the blocks of one page in an empty folder, one after the other."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from tests.docs.pages import ROOT, Block

WRITTEN_PORT = "8421"
START_S, END_S = 30.0, 90.0


class Terminal:
    """Runs blocks. What a block leaves running is awaited at the end, a server is stopped.

    Args:
        folder: Where the reader stands.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, Any] = {"__name__": "__main__"}
        self._port = str(_free_port())
        self._servers: list[subprocess.Popen[bytes]] = []
        self._running: list[tuple[Block, subprocess.Popen[bytes]]] = []
        self._environment = {
            **os.environ,
            "PATH": f"{_commands(folder)}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "NO_COLOR": "1",
        }

    def run(self, block: Block) -> None:
        """Run one block to its end, or start it if it is marked."""
        text = block.commands if block.language == "console" else block.text
        text = text.replace(WRITTEN_PORT, self._port)
        if block.mark:
            self._start(block, text)
        elif block.language == "python":
            exec(compile(text, block.place, "exec"), self._names)  # noqa: S102  our own docs
        else:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", text],
                cwd=self._folder,
                env=self._environment,
                capture_output=True,
                timeout=END_S,
                check=False,
            )
            assert done.returncode == 0, f"{block.place}: {done.stderr.decode()[-2000:]}"

    def finish(self) -> None:
        """Wait for what runs in the background; it must end well."""
        for block, process in self._running:
            said, _ = process.communicate(timeout=END_S)
            assert process.returncode == 0, f"{block.place}: {said.decode()[-2000:]}"

    def close(self) -> None:
        """Stop whatever still runs."""
        for process in [*self._servers, *(process for _, process in self._running)]:
            if process.poll() is None:
                process.terminate()
            process.communicate()

    def _start(self, block: Block, text: str) -> None:
        python = block.language == "python"
        command = [sys.executable, "-c", text] if python else ["bash", "-euo", "pipefail", "-c"]
        process = subprocess.Popen(
            command if python else [*command, f"exec {text}" if block.mark == "server" else text],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if block.mark == "server":
            self._servers.append(process)
            _await(f"http://127.0.0.1:{self._port}/healthz")
        else:
            self._running.append((block, process))


def _commands(folder: Path) -> Path:
    """Return a folder with the commands that an activated environment has."""
    home = folder.parent / f"{folder.name}-bin"
    home.mkdir()
    library = (
        "import sys; from secure_clove.cli.app import app; sys.argv[0] = 'secure-clove'; app()"
    )
    scripts = {
        "python": f'exec {sys.executable} "$@"',
        "secure-clove": f'exec {sys.executable} -c "{library}" "$@"',
    }
    for name, line in scripts.items():
        (home / name).write_text(f"#!{shutil.which('sh')}\n{line}\n")
        (home / name).chmod(0o755)
    return home


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await(url: str) -> None:
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up:
        try:
            if httpx.get(url, timeout=2.0).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer within {START_S:g} s")
