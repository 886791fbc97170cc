"""Coordinator side of a session whose replies travel on their own, each noised by its client."""

from collections.abc import Callable, Mapping
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
from secure_clove.secagg.keys import verify
from secure_clove.secagg.session import Session

Bodies = Callable[[str, ClientId], bytes]
"""Loads a stored message by step and sender."""

ENVELOPE_BYTES = 512
"""Room for a reply's sender, signature and framing beside its values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EachServer:
    """One session of single replies. A value: save it, restart, carry on.

    Attributes:
        session: The session object.
        roster: Identity key of every client.
        deadline_ms: When the session closes.
        reach: Largest absolute value, in grid steps, that an honest reply can hold.
        heard: Content hash of each reply.
        is_over: Whether it has closed.
    """

    session: Session
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
        deadline = now_ms + session.stage_ms
        return cls(session=session, roster=roster, deadline_ms=deadline, reach=reach)

    def receive(
        self, step: str, sender: ClientId, body: bytes, now_ms: int, bodies: Bodies
    ) -> "EachServer":
        """Take one reply; the same one again changes nothing.

        Raises:
            NotFoundError: such a session has only the step "reply".
            UnknownClientError: the sender is not in the cohort.
            ConflictError: another reply was taken before.
            StageClosedError: the session is over.
            MalformedError, TooLargeError, BadSignatureError: the reply itself is wrong.
        """
        if step != REPLY_STEP:
            raise NotFoundError(f"this session has no step '{step[:16]}'")
        if sender not in self.session.cohort:
            raise UnknownClientError("the sender is not in the cohort of this session")
        content = digest(body)
        if sender in self.heard:
            if self.heard[sender] == content:
                return self
            raise ConflictError("another reply of this client was taken before")
        if self.is_over or now_ms >= self.deadline_ms:
            raise StageClosedError("the session has closed")
        self._check(sender, body)
        heard = {**self.heard, sender: content}
        return replace(self, heard=heard, is_over=len(heard) == len(self.session.cohort))

    def tick(self, now_ms: int, bodies: Bodies) -> "EachServer":
        """Close the session if its deadline has passed."""
        late = not self.is_over and now_ms >= self.deadline_ms
        return replace(self, is_over=True) if late else self

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
        verify(key, reply.signature, self.session.sid, REPLY_STEP, reply.values)
