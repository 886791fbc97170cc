"""What the engine needs from outside, as protocols. Layer L4 fills them."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from secure_clove.engine.messages import Charter, Current
from secure_clove.foundation.ids import ClientId, Digest, FederationId
from secure_clove.foundation.seeds import Entropy
from secure_clove.foundation.trees import Vector
from secure_clove.privacy.ledger import Entry


class Trainer(Protocol):
    """A client's data and model, behind which torch (or anything else) works."""

    @property
    def examples(self) -> int:
        """Count of training examples."""

    @property
    def held_out(self) -> int:
        """Count of held-out examples."""

    @property
    def architecture(self) -> str:
        """Identifier of the model architecture."""

    def losses(self, models: Vector) -> Vector:
        """Return per-example losses ``(n, K)`` of models ``(K, d)``."""

    def train(self, model: Vector, entropy: Entropy) -> Vector:
        """Return the model after local training with the plan's clipping and noise."""

    def gradient_step(self, model: Vector, entropy: Entropy, *, share: float) -> Vector:
        """Return by how much one private step moves the model, times the examples, on its grid.

        The noise has ``share`` of the plan's standard deviation.
        """

    def train_locally(self, model: Vector, entropy: Entropy) -> Vector:
        """Return the model after local training without noise; the result must stay here."""

    def correct(self, model: Vector) -> int:
        """Count the held-out examples that the model gets right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A line of the client's protocol log: this attempt at this exchange was answered.

    The pair (round, exchange) may be answered again only in a later attempt, with the same reply.
    """

    federation: FederationId
    round: int
    exchange: str
    attempt: int
    sid: str


class Journal(Protocol):
    """A client's own memory, on its own disk."""

    def entries(self) -> tuple[Entry, ...]:
        """Return the ledger, oldest first."""

    def marks(self, federation: FederationId) -> tuple[Mark, ...]:
        """Return the protocol log of one federation, oldest first."""

    def commit(self, entries: Iterable[Entry], mark: Mark) -> None:
        """Write ledger entries and the log line in one durable transaction.

        Raises:
            StoreError: the mark is there already, or nothing could be written.
        """

    def own(self, federation: FederationId) -> bytes | None:
        """Return the algorithm's client state, if any was kept."""

    def keep(self, federation: FederationId, own: bytes) -> None:
        """Keep the algorithm's client state."""

    def pin(self, federation: FederationId, key: bytes) -> bytes:
        """Return the federation key known for this name, remembering ``key`` if there is none."""


class Carrier(Protocol):
    """How a participant reaches its coordinator."""

    def charter(self) -> Charter:
        """Fetch the signed configuration and roster."""

    def current(self) -> Current | None:
        """Fetch what there is to do; None: nothing yet."""

    def artefact(self, content: Digest) -> bytes:
        """Fetch bytes by their hash."""

    def put(self, sid: str, step: str, body: bytes) -> None:
        """Send one protocol message."""

    def fetch(self, sid: str, resource: str) -> bytes | None:
        """Fetch what the next step needs; None: not yet.

        Raises:
            AbortedError: the session ended without a sum.
        """


class Transaction(Protocol):
    """One atomic view of the coordinator's store."""

    def federation(self, name: FederationId) -> bytes | None:
        """Return the saved state of a federation."""

    def federation_stamp(self, name: FederationId) -> Digest | None:
        """Return the content hash of a federation's saved state, without reading the state."""

    def federations(self) -> tuple[FederationId, ...]:
        """Return the names of all federations."""

    def save_federation(self, name: FederationId, state: bytes) -> None:
        """Save the state of a federation."""

    def arrive(self, name: FederationId, client: ClientId) -> bool:
        """Note that a client is there; return False if that was noted already."""

    def arrivals(self, name: FederationId) -> int:
        """Return how many clients are noted, however many, in the same time."""

    def take_arrivals(self, name: FederationId) -> tuple[ClientId, ...]:
        """Return the clients that are noted and forget the notes."""

    def session(self, sid: str) -> tuple[FederationId, bytes] | None:
        """Return a session's federation and saved state."""

    def session_stamp(self, sid: str) -> Digest | None:
        """Return the content hash of a session's saved state, without reading the state."""

    def sessions(self, federation: FederationId) -> tuple[str, ...]:
        """Return the hex sids of every session a federation ever had."""

    def save_session(self, sid: str, federation: FederationId, state: bytes) -> None:
        """Save the state of a session."""

    def body(self, sid: str, step: str, client: ClientId) -> bytes:
        """Return a stored message.

        Raises:
            NotFoundError: none was stored.
        """

    def body_digest(self, sid: str, step: str, client: ClientId) -> Digest | None:
        """Return the content hash of a stored message; None if none was stored."""

    def body_count(self, sid: str, step: str) -> int:
        """Return how many messages of a step were stored, however many, in the same time."""

    def body_senders(self, sid: str, step: str) -> Mapping[ClientId, Digest]:
        """Return the senders of a step's stored messages, with their content hashes."""

    def body_bytes(self, sid: str) -> int:
        """Return how many bytes the stored messages of a session have together."""

    def save_body(self, sid: str, step: str, client: ClientId, body: bytes) -> None:
        """Store a message, once.

        Raises:
            StoreError: one was stored under these names before.
        """

    def inbox(self, sid: str, client: ClientId) -> bytes | None:
        """Return what waits for one client of a session; None if nothing does."""

    def save_inboxes(self, sid: str, inboxes: Iterable[tuple[ClientId, bytes]]) -> None:
        """Store what waits for each client of a session, once."""

    def artefact(self, content: Digest) -> bytes:
        """Return bytes by their hash.

        Raises:
            NotFoundError: no such artefact.
        """

    def save_artefact(self, data: bytes) -> Digest:
        """Store bytes under their hash, which is returned."""

    def announce(self, federation: FederationId, kind: str, body: bytes) -> None:
        """Append an event to the outbox; it becomes visible with the commit."""

    def events(self, federation: FederationId, after: int = 0) -> tuple["Event", ...]:
        """Return the events numbered above ``after``, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a federation's outbox, numbered from 1 across the store."""

    number: int
    kind: str
    body: bytes


class Store(Protocol):
    """Where the coordinator keeps everything."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a transaction: committed on leaving, undone on an exception."""


Ring = NDArray[np.uint64]
"""Elements of the ring of a session."""
