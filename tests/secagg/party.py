"""A whole secure sum in this process: clients, coordinator, stored bodies, and a clock by hand."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId, Digest, FederationId, digest
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.secagg.client import SumClient
from secure_clove.secagg.keys import Identity
from secure_clove.secagg.messages import Directory, Inbox, Reply, Signatures, Survivors
from secure_clove.secagg.server import Stage, SumServer
from secure_clove.secagg.session import Carriage, Session

Vector = NDArray[np.uint64]

STAGE_MS = 1000
STEPS = ("advert", "shares", "masked", "consistency", "unmask")


def ids(count: int) -> tuple[ClientId, ...]:
    """Names whose order as strings is not their order as numbers."""
    return tuple(sorted(ClientId(f"c{number}") for number in range(8, 8 + count)))


@cache
def identity(client: ClientId) -> Identity:
    return Identity.from_bytes(SimulatedEntropy(1, "identity", client).draw(32))


@cache
def public(client: ClientId) -> bytes:
    return identity(client).public


def roster(clients: Sequence[ClientId]) -> dict[ClientId, bytes]:
    return {client: public(client) for client in clients}


def session(count: int = 5, **changes: Any) -> Session:
    fields: dict[str, Any] = {
        "federation": FederationId("wards"),
        "config": digest(b"config"),
        "roster": digest(b"roster"),
        "round": 1,
        "phase": "train",
        "attempt": 1,
        "carriage": Carriage.MASKED,
        "cohort": ids(count),
        "asks": (digest(b"model"),),
        "length": 6,
        "ring_bits": 32,
        "min_cohort": 3,
        "stage_ms": STAGE_MS,
        "nonce": bytes(32),
    }
    return Session(**(fields | changes))


def inputs(about: Session, seed: int = 0) -> dict[ClientId, Vector]:
    """One vector per client, over the whole ring, top value included."""
    rng = np.random.default_rng(seed)
    top = 2**about.ring_bits - 1
    vectors = {
        client: rng.integers(0, top, about.length, dtype=np.uint64, endpoint=True)
        for client in about.cohort
    }
    for vector in vectors.values():
        vector[0] = top
    return vectors


def plain_sum(
    about: Session, vectors: Mapping[ClientId, Vector], members: Collection[ClientId]
) -> Vector:
    total = np.zeros(about.length, dtype=np.uint64)
    for member in members:
        total = total + vectors[member]
    return total if about.ring_bits == 64 else total % np.uint64(2**32)


class Scripted:
    """Entropy that says what it is told to."""

    is_simulated = True

    def __init__(self, *draws: bytes) -> None:
        self.draws = list(draws)

    def draw(self, count: int) -> bytes:
        drawn = self.draws.pop(0)
        return drawn.ljust(count, b"\0")

    def fork(self, *labels: str | int) -> "Scripted":
        return self


@dataclass
class Held:
    """Bodies in memory, by step and sender; the `Bodies` of a shell that keeps nothing else."""

    stored: dict[tuple[str, ClientId], bytes] = field(default_factory=dict)

    def get(self, step: str, sender: ClientId) -> bytes:
        return self.stored[step, sender]

    def digest(self, step: str, sender: ClientId) -> Digest | None:
        body = self.stored.get((step, sender))
        return None if body is None else digest(body)

    def count(self, step: str) -> int:
        return sum(found == step for found, _ in self.stored)

    def senders(self, step: str) -> dict[ClientId, Digest]:
        return {c: digest(body) for (found, c), body in self.stored.items() if found == step}


class Party:
    """Drives one session step by step; ``restarts`` sends the coordinator through its encoding."""

    def __init__(self, about: Session, *, restarts: bool = False, seed: int = 0) -> None:
        self.session = about
        self.restarts = restarts
        self.entropy = {c: SimulatedEntropy(seed, "keys", c) for c in about.cohort}
        self.vectors = inputs(about, seed)
        self.now = 0
        self.stored: dict[tuple[str, ClientId], bytes] = {}
        self.server = SumServer.open(about, roster(about.cohort), self.now)
        self.clients: dict[ClientId, SumClient] = {}

    @property
    def bodies(self) -> Held:
        return Held(self.stored)

    def send(self, step: str, message: Reply) -> None:
        """One transaction of the shell."""
        body = encode(message)
        self.server = self.server.receive(step, message.sender, body, self.now, self.bodies)
        self.stored[step, message.sender] = body
        if self.restarts:
            self.server = decode(encode(self.server), SumServer)

    def message(self, step: str, client: ClientId) -> Reply:
        """Let one client take one step, and return what it would send."""
        make = {
            "advert": self._advert,
            "shares": self._shares,
            "masked": self._masked,
            "consistency": self._consistency,
            "unmask": self._unmask,
        }
        self.clients[client], message = make[step](client)
        return message

    def step(self, step: str, *, without: Collection[ClientId] = ()) -> None:
        """Let all who are expected, except some, take one step; then let the deadline pass."""
        stage = self.server.stage
        for client in self.server.expected:
            if client not in without:
                self.send(step, self.message(step, client))
        if self.server.stage is stage:
            self.now = self.server.deadline_ms
            self.server = self.server.tick(self.now, self.bodies)

    def until(self, step: str) -> "Party":
        """Run every step before ``step`` with nobody missing."""
        for earlier in STEPS[: STEPS.index(step)]:
            self.step(earlier)
        return self

    def run(self, drops: Mapping[str, Collection[ClientId]]) -> Vector | None:
        """Return the sum, or None if the session aborted."""
        for step in STEPS:
            if self.server.stage is not Stage.ABORTED:
                self.step(step, without=drops.get(step, ()))
        return None if self.server.stage is Stage.ABORTED else self.server.total(self.bodies)

    def heard(self, step: str) -> Mapping[ClientId, Digest]:
        return self.bodies.senders(step)

    def _advert(self, me: ClientId) -> tuple[SumClient, Reply]:
        known = roster(self.session.cohort)
        return SumClient.open(
            self.session, me=me, identity=identity(me), roster=known, entropy=self.entropy[me]
        )

    def _shares(self, me: ClientId) -> tuple[SumClient, Reply]:
        directory = decode(encode(self.server.directory(self.bodies)), Directory)
        return self.clients[me].share(directory, self.entropy[me])

    def _masked(self, me: ClientId) -> tuple[SumClient, Reply]:
        inbox = decode(encode(self.server.inbox(me, self.bodies)), Inbox)
        return self.clients[me].receive_shares(inbox).mask(self.vectors[me])

    def _consistency(self, me: ClientId) -> tuple[SumClient, Reply]:
        survivors = decode(encode(self.server.survivors()), Survivors)
        return self.clients[me].agree(survivors)

    def _unmask(self, me: ClientId) -> tuple[SumClient, Reply]:
        signatures = decode(encode(self.server.signatures(self.bodies)), Signatures)
        return self.clients[me].unmask(signatures)
