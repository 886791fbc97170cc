"""Many real clients on one machine: each with its own key, ledger, connection and thread."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread

import torch

from secure_clove.engine.progress import Progress
from secure_clove.errors import CloveError
from secure_clove.foundation.ids import ClientId
from secure_clove.learn.tasks import TorchTask
from secure_clove.sdk.client import FederatedClient
from secure_clove.sdk.results import ClientResult

MakeClient = Callable[[Callable[[Progress], None]], FederatedClient]
"""Builds a client that reports its progress to the function given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One client of a crowd."""

    make: MakeClient
    task: TorchTask


class Crowd:
    """Runs its members side by side until the federation closes.

    Args:
        members: By client name.
    """

    def __init__(self, members: Mapping[ClientId, Member]) -> None:
        torch.set_num_threads(1)  # the members share the cores already
        self._said: SimpleQueue[Progress] = SimpleQueue()
        self._clients = {name: member.make(self._said.put) for name, member in members.items()}
        self._threads = [
            Thread(target=self._run, args=(name, member.task), name=name, daemon=True)
            for name, member in members.items()
        ]
        self.results: dict[ClientId, ClientResult] = {}
        self.failures: dict[ClientId, CloveError] = {}

    def start(self) -> None:
        """Let everybody join."""
        for thread in self._threads:
            thread.start()

    @property
    def is_done(self) -> bool:
        """Whether everybody has finished or failed."""
        return len(self.results) + len(self.failures) == len(self._clients)

    def traffic(self) -> tuple[int, int]:
        """Return the bytes of bodies all members sent and received so far."""
        pairs = [client.traffic for client in self._clients.values()]
        return sum(up for up, _ in pairs), sum(down for _, down in pairs)

    def news(self) -> list[Progress]:
        """Return what has happened since the last call."""
        found: list[Progress] = []
        while True:
            try:
                found.append(self._said.get_nowait())
            except Empty:
                return found

    def _run(self, name: ClientId, task: TorchTask) -> None:
        try:
            self.results[name] = self._clients[name].run(task)
        except CloveError as error:
            self.failures[name] = error
