"""Coordinator side of a session whose replies travel on their own, each noised by its client."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from secure_clove.engine.messages import REPLY_STEP, Reply
from secure_clove.errors import (
    ConflictError,
    MalformedError,
    NotFoundError,
    StageClosedError,
    UnknownClientError,
)
from secure_clove.foundation.codec import decode
from secure_clove.foundation.ids import ClientId, Digest, digest
from secure_clove.secagg import ring
from secure_clove.secagg.bodies import Bodies, Including
from secure_clove.secagg.keys import verify
from secure_clove.secagg.session import Session

ENVELOPE_BYTES = 512
"""Room for a reply's sender, signature and framing beside its values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EachServer:
    """One session of single replies. A value: save it, restart, carry on.

    Attributes:
        session: The session object.
        sid: Its identifier, which takes a hash over the whole cohort.
        roster: Identity key of every client of the cohort.
        deadline_ms: When the session closes.
        reach: Largest absolute value, in grid steps, that an honest reply can hold.
        heard: Content hash of each reply, once it has closed.
        is_over: Whether it has closed.
    """

    session: Session
    sid: bytes
    roster: Mapping[ClientId, bytes]
    deadline_ms: int
    reach: int
    heard: Mapping[ClientId, Digest] = field(default_factory=dict)
    is_over: bool = False

    @classmethod
    def open(
        cls, session: Session, roster: Mapping[ClientId, bytes], now_ms: int, *, reach: int
    ) -> "EachServer":
        """Open the session; it closes when all have answered or at its deadline."""
        keys = {client: roster[client] for client in session.cohort}
        return cls(
            session=session,
            sid=session.sid,
            roster=keys,
            deadline_ms=now_ms + session.stage_ms,
            reach=reach,
        )

    def receive(
        self, step: str, sender: ClientId, body: bytes, now_ms: int, bodies: Bodies
    ) -> "EachServer":
        """Take one reply; return this very state unless it was the last one.

        When it does not raise, the shell stores the body if there was none.

        Raises:
            NotFoundError: such a session has only the step "reply".
            UnknownClientError: the sender is not in the cohort.
            ConflictError: another reply was taken before.
            StageClosedError: the session is over.
            MalformedError, TooLargeError, BadSignatureError: the reply itself is wrong.
        """
        if step != REPLY_STEP:
            raise NotFoundError(f"this session has no step '{step[:16]}'")
        if sender not in self.roster:
            raise UnknownClientError("the sender is not in the cohort of this session")
        first = bodies.digest(step, sender)
        if first is not None:
            if first == digest(body):
                return self
            raise ConflictError("another reply of this client was taken before")
        if self.is_over or now_ms >= self.deadline_ms:
            raise StageClosedError("the session has closed")
        self._check(sender, body)
        if bodies.count(step) + 1 < len(self.roster):
            return self
        return self._closed(Including(stored=bodies, step=step, sender=sender, body=body))

    def tick(self, now_ms: int, bodies: Bodies) -> "EachServer":
        """Close the session if its deadline has passed."""
        late = not self.is_over and now_ms >= self.deadline_ms
        return self._closed(bodies) if late else self

    def _closed(self, bodies: Bodies) -> "EachServer":
        return replace(self, heard=bodies.senders(REPLY_STEP), is_over=True)

    def _check(self, sender: ClientId, body: bytes) -> None:
        bits, length = self.session.ring_bits, self.session.length
        size = length * bits // 8
        reply = decode(body, Reply, limit=size + ENVELOPE_BYTES)
        if reply.sender != sender:
            raise MalformedError("the reply names another sender")
        if len(reply.values) != size:
            raise MalformedError(f"a reply of this session has {size} bytes of values")
        values = ring.lift(
            ring.widen(ring.from_bytes(reply.values, length=length, bits=bits)), bits
        )
        if values.max() > self.reach or values.min() < -self.reach:
            raise MalformedError("a value is outside the range of this exchange")
        key = self.roster[sender]
        verify(key, reply.signature, self.sid, REPLY_STEP, reply.values)
