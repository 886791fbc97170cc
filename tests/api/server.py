"""A real coordinator on a loopback port, and callers that sign (or missign) their requests."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import uvicorn

from api.app import create_app
from api.service import Service
from api.settings import Settings
from secure_clove.engine.coordinator import Coordinator
from secure_clove.engine.messages import Charter, Current
from secure_clove.engine.pipeline import pack
from secure_clove.engine.plan import Config
from secure_clove.engine.ports import Trainer
from secure_clove.engine.terms import TrainingPlan
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId, Digest, FederationId, digest
from secure_clove.foundation.seeds import Entropy, SimulatedEntropy
from secure_clove.foundation.trees import Vector
from secure_clove.sdk.entropy import SystemEntropy
from secure_clove.sdk.founding import sign_config, sign_roster
from secure_clove.secagg.keys import Identity
from secure_clove.transport.signing import ENROLMENT_TAG, sign
from secure_clove.transport.wire import OPERATOR, Founding, token_hash

FEDERATION_KEY = Identity.from_bytes(bytes(range(32)))
CLIENTS = tuple(ClientId(name) for name in ("ada", "bob", "cyd"))
PROBLEM = "application/problem+json"
BINARY = "application/octet-stream"
STAGE_MS = 600_000

_serial = count(1)


class Clock:
    """The system's clock, pushed ahead by hand."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


class LiveServer:
    """A running coordinator, and an unsigned client of it."""

    def __init__(self, http: httpx.Client, service: Service, clock: Clock) -> None:
        self.http, self.service, self.clock = http, service, clock
        self.url = str(http.base_url).rstrip("/")

    @property
    def coordinator(self) -> Coordinator:
        """The engine behind it, to look at its state."""
        return self.service.coordinator


@contextmanager
def serve(folder: Path | None = None, **settings: Any) -> Iterator[LiveServer]:
    """Run a coordinator in a thread on a free port until the block ends."""
    clock = Clock()
    given = {"operator_key": FEDERATION_KEY.public.hex(), "data_dir": folder} | settings
    app = create_app(Settings(**given), clock=clock)
    config = uvicorn.Config(
        app, ws="none", server_header=False, log_level="critical", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    # the protocol must be named: only then does asyncio switch off Nagle's delay
    with socket.socket(proto=socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            # a kept connection may be closed by the server just when it is used again
            limits = httpx.Limits(max_keepalive_connections=0)
            with httpx.Client(base_url=url, timeout=30, limits=limits) as http:
                http.get("/healthz").raise_for_status()
                yield LiveServer(http, app.state.service, clock)
        finally:
            server.should_exit = True
            thread.join()


def identity(client: str) -> Identity:
    """The identity key of a test client."""
    return Identity.from_bytes(SimulatedEntropy(7, "identity", client).draw(32))


def token(client: str) -> str:
    """The enrolment token of a test client."""
    return f"token-of-{client}-0123456789"


def fresh_name() -> FederationId:
    """A federation name that no other test uses."""
    return FederationId(f"wards-{next(_serial)}")


def make_config(**changes: Any) -> tuple[Config, bytes]:
    """A small federation without noise and its initial models."""
    initial = pack({"models": np.zeros((1, 4))})
    fields: dict[str, Any] = {
        "federation": fresh_name(),
        "algorithm": "fedavg",
        "architecture": "four-numbers",
        "parameters": 4,
        "clusters": 1,
        "rounds": 1,
        "seed": 0,
        "initial": digest(initial),
        "min_cohort": 3,
        "stage_ms": STAGE_MS,
        "max_examples": 16,
        "update_bound": 8.0,
        "update_step": 2.0**-16,
        "training": TrainingPlan(learning_rate=1.0),
        "privacy": None,
    }
    return Config(**(fields | changes)), initial


def founding(config: Config, initial: bytes, clients: Sequence[ClientId] = CLIENTS) -> bytes:
    """The encoded founding of a federation, with a token for every client."""
    tokens = {client: token_hash(token(client)) for client in clients}
    signed = sign_config(config, FEDERATION_KEY)
    return encode(Founding(config=signed, initial=initial, tokens=tokens))


def roster(
    config: Config, clients: Sequence[ClientId] = CLIENTS, key: Identity = FEDERATION_KEY
) -> bytes:
    """The encoded signed roster of test clients."""
    keys = {client: identity(client).public for client in clients}
    return encode(sign_roster(config, keys, key))


def enrolment(federation: str, client: str, **changes: str) -> dict[str, str]:
    """The JSON with which a test client enrols."""
    key, secret = identity(client), token(client)
    claim = {
        "token": secret,
        "public_key": key.public.hex(),
        "proof": key.sign(ENROLMENT_TAG, federation, secret).hex(),
    }
    return claim | changes


class Caller:
    """Signs requests under one name.

    Args:
        server: Whom to call.
        name: The keyid.
        key: Signs; the test identity of that name unless given.
    """

    def __init__(self, server: LiveServer, name: str, key: Identity | None = None) -> None:
        self.name, self._key = name, identity(name) if key is None else key
        self._server = server

    def headers(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        /,
        **changes: Any,
    ) -> dict[str, str]:
        """The signature headers of a request; ``changes`` replace what is signed."""
        path, _, query = target.partition("?")
        said: dict[str, Any] = {
            "keyid": self.name,
            "method": method,
            "path": path,
            "query": query,
            "body": body,
            "created": int(self._server.clock()),
            "nonce": SystemEntropy().draw(16).hex(),
        }
        return sign(self._key, **(said | changes))

    def send(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        /,
        *,
        headers: Mapping[str, str] | None = None,
        accept: str = "*/*",
        **changes: Any,
    ) -> httpx.Response:
        """Sign and send a request."""
        signed = self.headers(method, target, body, **changes)
        every = {"Accept": accept} | signed | dict(headers or {})
        return self._server.http.request(method, target, content=body, headers=every)

    def get(self, target: str, **extra: Any) -> httpx.Response:
        """Sign and send a GET."""
        return self.send("GET", target, **extra)


class TestCarrier:
    """A `Carrier` over a `Caller`: the protocol with nothing clever around it."""

    __test__ = False

    def __init__(self, caller: Caller, federation: FederationId, wait_s: int = 0) -> None:
        self._caller, self._federation, self._wait_s = caller, federation, wait_s

    def charter(self) -> Charter:
        path = f"/v1/federations/{self._federation}"
        return decode(_ok(self._caller.get(path, accept=BINARY)).content, Charter)

    def current(self) -> Current | None:
        path = f"/v1/federations/{self._federation}/sessions/current?wait={self._wait_s}"
        answer = _ok(self._caller.get(path))
        return None if answer.status_code == 204 else decode(answer.content, Current)

    def artefact(self, content: Digest) -> bytes:
        return _ok(self._caller.get(f"/v1/models/{content}")).content

    def put(self, sid: str, step: str, body: bytes) -> None:
        _ok(self._caller.send("PUT", f"/v1/sessions/{sid}/{step}/{self._caller.name}", body))

    def fetch(self, sid: str, resource: str) -> bytes | None:
        answer = _ok(self._caller.get(f"/v1/sessions/{sid}/{resource}?wait={self._wait_s}"))
        return None if answer.status_code == 204 else answer.content


class FixedTrainer:
    """A trainer whose every update is the same known step."""

    def __init__(self, step: float) -> None:
        self._step = step
        self.examples, self.held_out, self.architecture = 2, 2, "four-numbers"

    def losses(self, models: Vector) -> Vector:
        return np.ones((self.examples, len(models)))

    def train(self, model: Vector, entropy: Entropy) -> Vector:
        return model + self._step

    def gradient_step(self, model: Vector, entropy: Entropy, *, share: float) -> Vector:
        return np.full_like(model, self._step)

    def train_locally(self, model: Vector, entropy: Entropy) -> Vector:
        return model + self._step

    def correct(self, model: Vector) -> int:
        return 1


def fixed(step: float) -> Callable[[Config], Trainer]:
    """A maker of `FixedTrainer`."""
    return lambda config: FixedTrainer(step)


def operator(server: LiveServer) -> Caller:
    """A caller with the operator's key."""
    return Caller(server, OPERATOR, FEDERATION_KEY)


def started(server: LiveServer, clients: Sequence[ClientId] = CLIENTS, **changes: Any) -> Config:
    """Found and start a federation behind the server's back, which is quicker."""
    config, initial = make_config(**changes)
    coordinator = server.coordinator
    coordinator.create(sign_config(config, FEDERATION_KEY), initial)
    keys = {client: identity(client).public for client in clients}
    signed = sign_roster(config, keys, FEDERATION_KEY)
    coordinator.start(config.federation, signed, int(server.clock() * 1000))
    return config


def _ok(response: httpx.Response) -> httpx.Response:
    if response.status_code >= 400:
        raise AssertionError(f"{response.status_code}: {response.text}")
    return response
