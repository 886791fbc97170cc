"""The coordinator's half of one secure sum: a value that every message replaces, no I/O.

It holds content hashes, never bodies: those lie in the store and are read through ``bodies``. So it
is small, is saved in the transaction that stores the body, and a restart changes nothing.
Source: protocol.md, "Messages of SCA-Full".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from secure_clove.errors import (
    AbortedError,
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
from secure_clove.secagg.messages import (
    Advert,
    Consistency,
    Directory,
    Inbox,
    Masked,
    Reply,
    Shares,
    Signatures,
    Survivors,
    Unmask,
    body_limit,
)
from secure_clove.secagg.recovery import Recovery
from secure_clove.secagg.session import Session
from secure_clove.secagg.stages import RESOURCES, STEPS, TRANSITIONS, Stage
from secure_clove.secagg.transcript import (
    check_session,
    consistency_statement,
    fewest,
    fewest_adverts,
    hash_adverts,
    hash_u2,
    hash_u3,
    masked_statement,
    said,
    threshold,
)

Bodies = Callable[[str, ClientId], bytes]
"""Loads the stored body of a step from a sender."""

__all__ = ["Bodies", "Stage", "SumServer"]

M = TypeVar("M", Advert, Shares, Masked, Consistency, Unmask)


@dataclass(frozen=True, slots=True, kw_only=True)
class SumServer:
    """One session at the coordinator.

    Attributes:
        session: What is summed, among whom.
        roster: 32-byte Ed25519 key of every client of the cohort.
        stage: Where it stands.
        deadline_ms: When the stage closes, in milliseconds of the shell's clock.
        heard: For each step, the content hash of each client's body.
        h1: Hash of the adverts, once U1 is fixed.
        reason: Why it was aborted.
    """

    session: Session
    roster: Mapping[ClientId, bytes]
    stage: Stage = Stage.OPEN
    deadline_ms: int
    heard: Mapping[str, Mapping[ClientId, Digest]] = field(default_factory=dict)
    h1: bytes = b""
    reason: str = ""

    @classmethod
    def open(cls, session: Session, roster: Mapping[ClientId, bytes], now_ms: int) -> Self:
        """Return a session that waits for adverts.

        Raises:
            LocalProtocolError: its replies do not travel masked.
            UnknownClientError: one of the cohort is not in the roster.
            CohortTooSmallError: fewer than ``min_cohort`` clients, or fewer than three.
        """
        check_session(session, roster)
        keys = {client: roster[client] for client in session.cohort}
        return cls(session=session, roster=keys, deadline_ms=now_ms + session.stage_ms)

    @property
    def u1(self) -> tuple[ClientId, ...]:
        """Who has advertised keys."""
        return self._who("advert")

    @property
    def u2(self) -> tuple[ClientId, ...]:
        """Who has shared its secrets."""
        return self._who("shares")

    @property
    def u3(self) -> tuple[ClientId, ...]:
        """Who has sent a masked vector, and so is in the sum."""
        return self._who("masked")

    @property
    def u4(self) -> tuple[ClientId, ...]:
        """Who has signed U3."""
        return self._who("consistency")

    @property
    def u5(self) -> tuple[ClientId, ...]:
        """Who has answered the request to unmask."""
        return self._who("unmask")

    @property
    def expected(self) -> tuple[ClientId, ...]:
        """Whose messages this stage waits for, heard or not; nobody's once nothing is collected."""
        before = {
            Stage.OPEN: self.session.cohort,
            Stage.ADVERTISED: self.u1,
            Stage.SHARED: self.u2,
            Stage.MASKED: self.u3,
            Stage.CONSISTENT: self.u4,
        }
        return before.get(self.stage, ())

    def receive(
        self, step: str, sender: ClientId, body: bytes, now_ms: int, bodies: Bodies
    ) -> Self:
        """Take one message; return the next state, or this very one if the body was heard before.

        Nothing is stored when it raises; otherwise the shell stores the body with the new state.

        Args:
            step: ``advert``, ``shares``, ``masked``, ``consistency`` or ``unmask``.
            sender: Who the transport says is speaking.
            body: The encoded message.
            now_ms: The shell's clock.
            bodies: Loads stored bodies; this one need not be among them yet.

        Raises:
            NotFoundError: no such step.
            UnknownClientError: the sender is not in the cohort.
            ConflictError: another body than the first one.
            AbortedError: the session has ended without a sum.
            StageClosedError: too early, too late, or the sender missed an earlier step.
            TooLargeError: more bytes than the step allows.
            MalformedError: not a message of this step, or not shaped as the session demands.
            BadSignatureError: not signed by the sender for this very session and these sets.
        """
        if step not in STEPS:
            raise NotFoundError(f"a secure sum has no step '{step[:16]}'")
        if sender not in self.roster:
            raise UnknownClientError("the sender is not in the cohort of this session")
        first = self._heard(step).get(sender)
        if first is not None:
            if first == digest(body):
                return self
            raise ConflictError(f"another '{step}' was accepted before; send that one again")
        return self.tick(now_ms, bodies)._accept(step, sender, body, now_ms, bodies)

    def tick(self, now_ms: int, bodies: Bodies) -> Self:
        """Close the stage if its deadline has passed; too few answers abort the session."""
        if self.stage not in TRANSITIONS or now_ms < self.deadline_ms:
            return self
        return self._close(now_ms, bodies)

    def abort(self, reason: str) -> Self:
        """Return the session ended without a sum; ``reason`` is shown to clients."""
        return replace(self, stage=Stage.ABORTED, reason=reason)

    def available(self, resource: str) -> bool:
        """Say whether a client can fetch ``resource`` now.

        Raises:
            NotFoundError: no such resource.
        """
        if resource not in RESOURCES:
            raise NotFoundError(f"a secure sum has no resource '{resource}'")
        order = [*TRANSITIONS, Stage.UNMASKED]
        return self.stage in order[order.index(RESOURCES[resource]) :]

    def directory(self, bodies: Bodies) -> Directory:
        """Return the signed adverts of U1.

        Raises:
            AbortedError: the session has ended without a sum.
            StageClosedError: U1 is not fixed yet.
        """
        self._demand_resource("directory")
        return Directory(adverts=self._adverts(bodies))

    def inbox(self, client: ClientId, bodies: Bodies) -> Inbox:
        """Return the envelopes for one client of U2, from all others of U2.

        Raises:
            AbortedError: the session has ended without a sum.
            StageClosedError: U2 is not fixed yet, or ``client`` is not in it.
        """
        self._demand_resource("inbox")
        if client not in self.u2:
            raise StageClosedError("this client missed an earlier step")
        peers = [peer for peer in self.u2 if peer != client]
        return Inbox(sealed={p: _load(bodies, Shares, p).sealed[client] for p in peers})

    def survivors(self) -> Survivors:
        """Return U3 and the rest of U2; raises as `directory` does."""
        self._demand_resource("survivors")
        return Survivors(alive=self.u3, dropped=self._dropped())

    def signatures(self, bodies: Bodies) -> Signatures:
        """Return the signatures on U3; raises as `directory` does."""
        self._demand_resource("signatures")
        signed = {client: _load(bodies, Consistency, client).signature for client in self.u4}
        return Signatures(signatures=signed)

    def total(self, bodies: Bodies) -> NDArray[np.uint64]:
        """Return the sum of the vectors of U3, ``(session.length,)``, mod 2**ring_bits.

        Raises:
            StageClosedError: not ready to total.
            AbortedError: the session has ended without a sum, or a rebuilt secret is false.
        """
        self._demand(Stage.UNMASKED)
        chosen = self.u5[: threshold(len(self.u1))]
        recovery = Recovery(
            sid=self.session.sid,
            h1=self.h1,
            h2=hash_u2(self.u2),
            adverts={advert.sender: advert for advert in self._adverts(bodies)},
            alive=self.u3,
            dropped=self._dropped(),
            answers={client: _load(bodies, Unmask, client) for client in chosen},
        )
        words = ring.zeros(self.session.length, self.session.ring_bits)
        for client in self.u3:
            words += self._words(_load(bodies, Masked, client).values)
        recovery.unmask(words)
        return ring.widen(words)

    def _accept(
        self, step: str, sender: ClientId, body: bytes, now_ms: int, bodies: Bodies
    ) -> Self:
        self._demand(STEPS[step])
        if sender not in self.expected:
            raise StageClosedError("the sender missed an earlier step and is out of this session")
        kind = TRANSITIONS[self.stage].kind
        message = decode(body, kind, limit=body_limit(self.session, step))
        if message.sender != sender:
            raise MalformedError("the message names another sender than who brought it")
        self._check(message)
        heard = {**self.heard, step: {**self._heard(step), sender: digest(body)}}
        state = replace(self, heard=heard)
        if set(heard[step]) < set(self.expected):
            return state
        return state._close(now_ms, _with(bodies, step, sender, body))

    def _check(self, message: Reply) -> None:
        public = self.roster[message.sender]
        match message:
            case Advert():
                verify(public, message.signature, *said(self.session.sid, message))
            case Shares():
                _exactly("envelope", message.sealed, set(self.u1) - {message.sender})
            case Masked():
                self._words(message.values)
                h2 = hash_u2(self.u2)
                statement = masked_statement(self.session.sid, self.h1, h2, message.values)
                verify(public, message.signature, *statement)
            case Consistency():
                h2, h3 = hash_u2(self.u2), hash_u3(self.u3)
                statement = consistency_statement(self.session.sid, self.h1, h2, h3)
                verify(public, message.signature, *statement)
            case Unmask():
                _exactly("seed share", message.seeds, self.u3)
                _exactly("key share", message.keys, self._dropped())

    def _close(self, now_ms: int, bodies: Bodies) -> Self:
        rule = TRANSITIONS[self.stage]
        count, least = len(self._heard(rule.step)), self._least()
        if count < least:
            return self.abort(
                f"{count} of {len(self.expected)} clients answered {rule.number} ({rule.step}) "
                f"before the deadline, at least {least} are needed"
            )
        h1 = hash_adverts(self._adverts(bodies)) if self.stage is Stage.OPEN else self.h1
        deadline = now_ms + self.session.stage_ms
        return replace(self, stage=rule.then, h1=h1, deadline_ms=deadline)

    def _least(self) -> int:
        if self.stage is Stage.OPEN:
            return fewest_adverts(self.session)
        if self.stage in (Stage.ADVERTISED, Stage.SHARED):
            return fewest(self.session, len(self.u1))
        return threshold(len(self.u1))

    def _demand(self, stage: Stage) -> None:
        if self.stage is Stage.ABORTED:
            raise AbortedError(self.reason)
        if self.stage is not stage:
            raise StageClosedError(f"the session is '{self.stage.value}', not '{stage.value}'")

    def _demand_resource(self, resource: str) -> None:
        if not self.available(resource):
            self._demand(RESOURCES[resource])

    def _heard(self, step: str) -> Mapping[ClientId, Digest]:
        return self.heard.get(step, {})

    def _who(self, step: str) -> tuple[ClientId, ...]:
        return tuple(sorted(self._heard(step)))

    def _dropped(self) -> tuple[ClientId, ...]:
        return tuple(client for client in self.u2 if client not in self._heard("masked"))

    def _adverts(self, bodies: Bodies) -> tuple[Advert, ...]:
        return tuple(_load(bodies, Advert, client) for client in self.u1)

    def _words(self, values: bytes) -> ring.Words:
        return ring.from_bytes(values, length=self.session.length, bits=self.session.ring_bits)


def _load(bodies: Bodies, kind: type[M], client: ClientId) -> M:
    step = next(rule.step for rule in TRANSITIONS.values() if rule.kind is kind)
    return decode(bodies(step, client), kind)


def _with(bodies: Bodies, step: str, sender: ClientId, body: bytes) -> Bodies:
    return lambda s, c: body if (s, c) == (step, sender) else bodies(s, c)


def _exactly(
    what: str, found: Mapping[ClientId, bytes], wanted: Sequence[ClientId] | set[ClientId]
) -> None:
    if found.keys() != set(wanted):
        raise MalformedError(f"exactly one {what} for each of {len(wanted)} clients expected")
