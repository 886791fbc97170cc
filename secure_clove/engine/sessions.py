"""The sessions of a coordinator: read from the store, decoded once a stage, served to clients.

Nothing here is state: what is kept between two transactions is found again by content hash, and
after a restart it is made anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from secure_clove.engine.ports import Transaction
from secure_clove.engine.state import SessionState
from secure_clove.errors import AbortedError, NotFoundError, StageClosedError, UnknownClientError
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId, Digest, FederationId, digest
from secure_clove.secagg.server import SumServer
from secure_clove.secagg.stages import Stage

MOST_SEATS = 32_768
"""How many clients the sessions kept at hand have together; one session is kept in any case."""


@dataclass(frozen=True, slots=True)
class StoredBodies:
    """The bodies of one session, during one transaction; see `secure_clove.secagg.bodies.Bodies`.

    Attributes:
        tx: The transaction.
        sid: Hex session identifier.
    """

    tx: Transaction
    sid: str

    def get(self, step: str, sender: ClientId) -> bytes:
        """Return one body."""
        return self.tx.body(self.sid, step, sender)

    def digest(self, step: str, sender: ClientId) -> Digest | None:
        """Return the content hash of one body."""
        return self.tx.body_digest(self.sid, step, sender)

    def count(self, step: str) -> int:
        """Return how many have answered a step."""
        return self.tx.body_count(self.sid, step)

    def senders(self, step: str) -> Mapping[ClientId, Digest]:
        """Return who has answered a step."""
        return self.tx.body_senders(self.sid, step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A session as it was read last.

    Attributes:
        stamp: Content hash of its saved state.
        federation: Whose session it is.
        state: The session.
    """

    stamp: Digest
    federation: FederationId
    state: SessionState


class Sessions:
    """Every session of one store."""

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}
        self._encoded: dict[tuple[str, str], bytes] = {}

    def load(self, tx: Transaction, sid: str) -> tuple[FederationId, SessionState]:
        """Return a session and whose it is.

        Raises:
            NotFoundError: no such session.
        """
        stamp = tx.session_stamp(sid)
        known = self._known.get(sid)
        if known is None or known.stamp != stamp:
            found = tx.session(sid)
            if found is None:
                raise NotFoundError("no such session")
            known = self._keep(sid, found[0], found[1], decode(found[1], SessionState))
        self._known[sid] = self._known.pop(sid)  # the one used last
        return known.federation, known.state

    def save(self, tx: Transaction, sid: str, name: FederationId, state: SessionState) -> None:
        """Save a session that has moved on, and what its clients fetch one by one."""
        encoded = encode(state)
        tx.save_session(sid, name, encoded)
        self._keep(sid, name, encoded, state)
        if state.masked is not None and state.masked.stage is Stage.SHARED:
            inboxes = state.masked.inboxes(StoredBodies(tx, sid))
            tx.save_inboxes(sid, ((client, encode(inbox)) for client, inbox in inboxes))

    def serve(self, tx: Transaction, sid: str, resource: str, client: ClientId) -> bytes | None:
        """Return what a client needs for its next step; None: not yet.

        Raises:
            NotFoundError: no such session or resource.
            UnknownClientError: not in the cohort.
            StageClosedError: the client missed an earlier step.
            AbortedError: the session ended without a sum.
        """
        _, found = self.load(tx, sid)
        if client not in found.asks:
            raise UnknownClientError("not in the cohort of this session")
        machine = found.masked
        if machine is None:
            raise NotFoundError("a session of single replies has nothing to fetch")
        if machine.stage is Stage.ABORTED:
            raise AbortedError(machine.reason)
        if not machine.available(resource):
            return None
        if resource != "inbox":
            return self._encode(tx, sid, resource, machine)
        inbox = tx.inbox(sid, client)
        if inbox is None:
            raise StageClosedError("this client missed an earlier step")
        return inbox

    def _encode(self, tx: Transaction, sid: str, resource: str, machine: SumServer) -> bytes:
        """Return a resource that all clients get alike, encoded once."""
        key = (sid, resource)
        if key not in self._encoded:
            bodies = StoredBodies(tx, sid)
            match resource:
                case "directory":
                    made: object = machine.directory(bodies)
                case "survivors":
                    made = machine.survivors()
                case _:
                    made = machine.signatures(bodies)
            self._encoded[key] = encode(made)
        return self._encoded[key]

    def _keep(
        self, sid: str, federation: FederationId, encoded: bytes, state: SessionState
    ) -> Known:
        known = Known(stamp=digest(encoded), federation=federation, state=state)
        self._known.pop(sid, None)
        self._known[sid] = known
        self._forget_oldest()
        return known

    def _forget_oldest(self) -> None:
        seats = sum(len(known.state.asks) for known in self._known.values())
        while seats > MOST_SEATS and len(self._known) > 1:
            sid = next(iter(self._known))
            seats -= len(self._known.pop(sid).state.asks)
            for key in [key for key in self._encoded if key[0] == sid]:
                del self._encoded[key]
