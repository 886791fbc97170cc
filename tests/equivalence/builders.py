"""A small private federation on real digits, run by real clients against a real coordinator."""

import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import httpx

from secure_clove.data.federation import Federation
from secure_clove.data.partition import label_skew_1
from secure_clove.data.sources import digits
from secure_clove.engine.coordinator import Coordinator
from secure_clove.engine.plan import Config
from secure_clove.engine.policy import Policy
from secure_clove.foundation.ids import ClientId, FederationId
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.learn.models import linear
from secure_clove.learn.tasks import TorchTask
from secure_clove.sdk.client import FederatedClient
from secure_clove.sdk.config import Settings, plan
from secure_clove.sdk.keys import load_identity, new_identity
from secure_clove.sdk.operator import Operator
from secure_clove.stores.sql import SqlStore
from secure_clove.studies.crowd import Crowd, MakeClient, Member

SETTINGS = Settings(name="twin", clusters=3, rounds=3, seed=5, min_cohort=3, stage_seconds=300)
"""A stage outlasts a coordinator that starts again on a busy machine."""
MODEL = partial(linear, 64, 10)


def tasks() -> dict[ClientId, TorchTask]:
    data: Federation = label_skew_1(*digits(), clusters=3, clients_per_cluster=4, seed=5)
    return {
        client: TorchTask(model=MODEL, train=(d.train_x, d.train_y), test=(d.test_x, d.test_y))
        for client, d in data.clients.items()
    }


class Process:
    """``python -m api serve`` on one port and folder, to be killed and started again."""

    def __init__(self, folder: Path, operator_key: str) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._operator_key = operator_key
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "api", "serve", "--port", str(self.port)]
        command += ["--data-dir", str(self.folder), "--operator-key", self._operator_key]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(300):
            try:
                if httpx.get(f"{self.url}/healthz", timeout=2).is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise RuntimeError("the coordinator did not come up")

    def kill(self) -> None:
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()


def found(url: str, folder: Path) -> tuple[Operator, Config, Crowd]:
    """Found the federation; return a crowd that has not started yet."""
    operator = Operator(url, load_identity(folder / "federation.key"))
    config, initial = plan(SETTINGS, MODEL)
    given = tasks()
    tokens = operator.create(config, initial, given)

    def maker(client: ClientId) -> MakeClient:
        key = folder / f"{client}.key"
        new_identity(key)
        return lambda watch: FederatedClient(
            url,
            key,
            Policy(max_epsilon=4.0),
            federation=SETTINGS.name,
            token=tokens[client],
            noise=SimulatedEntropy(11),
            watch=watch,
            one_at_a_time=client.endswith(("1", "3", "5")),
        )

    return operator, config, Crowd({c: Member(make=maker(c), task=t) for c, t in given.items()})


def begin(operator: Operator, config: Config, crowd: Crowd) -> None:
    """Let everybody enrol, then start."""
    crowd.start()
    while None in operator.enrolled(config.federation).values():
        time.sleep(0.05)
    operator.start(config)


def last_state(folder: Path) -> str:
    """Hash of the algorithm's last state: every sum that was ever folded is in it."""
    store = SqlStore(folder)
    try:
        coordinator = Coordinator(store, SimulatedEntropy(0))
        return coordinator.state(FederationId(SETTINGS.name)).algorithm
    finally:
        store.close()
