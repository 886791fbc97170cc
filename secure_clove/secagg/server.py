"""The coordinator's half of one secure sum: a value that every closing stage replaces, no I/O.

It says who has answered the stages that are closed, by content hash. Who has answered the running
one lies in the store with the bodies, and both are read through `Bodies`. So a message leaves the
state as it is unless it is the last of its stage; a restart between any two changes nothing.
Source: protocol.md, "Messages of SCA-Full".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

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
from secure_clove.secagg.bodies import Bodies, Including, load
from secure_clove.secagg.graph import NOBODY, Graph, draw
from secure_clove.secagg.judge import Rules, judge
from secure_clove.secagg.messages import (
    Advert,
    Consistency,
    Directory,
    Inbox,
    Masked,
    Shares,
    Signatures,
    Survivors,
    Unmask,
    body_limit,
    longest_name,
)
from secure_clove.secagg.quorum import shortage
from secure_clove.secagg.recovery import Recovery
from secure_clove.secagg.session import Session
from secure_clove.secagg.stages import BEFORE, RESOURCES, STEPS, TRANSITIONS, Stage
from secure_clove.secagg.transcript import (
    check_session,
    early_h2,
    hash_adverts,
    hash_u2,
    hash_u3,
    threshold,
)

__all__ = ["Bodies", "Stage", "SumServer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SumServer:
    """One session at the coordinator.

    Attributes:
        session: What is summed, among whom.
        sid: Its identifier, which takes a hash over the whole cohort.
        longest: Bytes of the longest client id, which takes a look at each.
        roster: 32-byte Ed25519 key of every client of the cohort.
        stage: Where it stands.
        deadline_ms: When the stage closes, in milliseconds of the shell's clock.
        heard: For each step that has closed, the content hash of each client's body.
        graph: Of U1, once it is fixed.
        h1: Hash of the adverts, once U1 is fixed.
        h2: Hash of U2, once it is fixed.
        h3: Hash of U3, once it is fixed.
        reason: Why it was aborted.
    """

    session: Session
    sid: bytes
    longest: int
    roster: Mapping[ClientId, bytes]
    stage: Stage = Stage.OPEN
    deadline_ms: int
    heard: Mapping[str, Mapping[ClientId, Digest]] = field(default_factory=dict)
    graph: Graph = NOBODY
    h1: bytes = b""
    h2: bytes = b""
    h3: bytes = b""
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
        return cls(
            session=session,
            sid=session.sid,
            longest=longest_name(session),
            roster=keys,
            deadline_ms=now_ms + session.stage_ms,
        )

    @property
    def u1(self) -> tuple[ClientId, ...]:
        """Who advertised keys; nobody before the stage has closed, and so below."""
        return tuple(sorted(self._heard("advert")))

    @property
    def u2(self) -> tuple[ClientId, ...]:
        """Who shared its secrets."""
        return tuple(sorted(self._heard("shares")))

    @property
    def u3(self) -> tuple[ClientId, ...]:
        """Who sent a masked vector, and so is in the sum."""
        return tuple(sorted(self._heard("masked")))

    @property
    def u4(self) -> tuple[ClientId, ...]:
        """Who signed U3."""
        return tuple(sorted(self._heard("consistency")))

    @property
    def u5(self) -> tuple[ClientId, ...]:
        """Who answered the request to unmask."""
        return tuple(sorted(self._heard("unmask")))

    @property
    def expected(self) -> tuple[ClientId, ...]:
        """Whose messages this stage waits for, heard or not; nobody's once nothing is collected."""
        return tuple(sorted(self._expected)) if self.stage in TRANSITIONS else ()

    def receive(
        self, step: str, sender: ClientId, body: bytes, now_ms: int, bodies: Bodies
    ) -> Self:
        """Take one message; return the next state, this very one unless a stage has closed.

        When it does not raise, the shell stores the body if there was none, and the state if it is
        another one, in one transaction.

        Args:
            step: ``advert``, ``shares``, ``masked``, ``consistency`` or ``unmask``.
            sender: Who the transport says is speaking.
            body: The encoded message.
            now_ms: The shell's clock.
            bodies: Everything stored before.

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
        first = bodies.digest(step, sender)
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
        """Return the envelopes for one client of U2, from all its neighbours in U2.

        Raises:
            AbortedError: the session has ended without a sum.
            StageClosedError: U2 is not fixed yet, or ``client`` is not in it.
        """
        self._demand_resource("inbox")
        u2 = self._heard("shares")
        if client not in u2:
            raise StageClosedError("this client missed an earlier step")
        peers = [peer for peer in self.graph.circle(client) if peer in u2 and peer != client]
        return Inbox(sealed={p: load(bodies, Shares, p).sealed[client] for p in peers})

    def inboxes(self, bodies: Bodies) -> Iterator[tuple[ClientId, Inbox]]:
        """Yield the inbox of each of U2, reading every body once; raises as `directory` does."""
        self._demand_resource("inbox")
        sealed: dict[ClientId, dict[ClientId, bytes]] = {client: {} for client in self.u2}
        for sender in self.u2:
            for client, envelope in load(bodies, Shares, sender).sealed.items():
                if client in sealed:
                    sealed[client][sender] = envelope
        for client in self.u2:
            yield client, Inbox(sealed=sealed.pop(client))

    def survivors(self) -> Survivors:
        """Return U3 and the rest of U2; raises as `directory` does."""
        self._demand_resource("survivors")
        return Survivors(alive=self.u3, dropped=self._dropped())

    def signatures(self, bodies: Bodies) -> Signatures:
        """Return T signatures on U3, which is what a client needs; raises as `directory` does."""
        self._demand_resource("signatures")
        some = self.u4[: threshold(len(self.graph.order))]
        return Signatures(signatures={c: load(bodies, Consistency, c).signature for c in some})

    def total(self, bodies: Bodies) -> NDArray[np.uint64]:
        """Return the sum of the vectors of U3, ``(session.length,)``, mod 2**ring_bits.

        One body is in memory at a time.

        Raises:
            StageClosedError: not ready to total.
            AbortedError: the session has ended without a sum, or a rebuilt secret is false.
        """
        self._demand(Stage.UNMASKED)
        size, bits = self.session.length, self.session.ring_bits
        words = ring.zeros(size, bits)
        for client in self.u3:
            values = load(bodies, Masked, client).values
            words += ring.from_bytes(values, length=size, bits=bits)
        self._recovery(bodies).unmask(words)
        return ring.widen(words)

    def _recovery(self, bodies: Bodies) -> Recovery:
        return Recovery(
            sid=self.sid,
            h1=self.h1,
            h2=early_h2(self.graph, self.h2),
            graph=self.graph,
            adverts={advert.sender: advert for advert in self._adverts(bodies)},
            alive=self._heard("masked").keys(),
            dropped=frozenset(self._dropped()),
            answered=self._heard("unmask").keys(),
            answer=lambda client: load(bodies, Unmask, client),
        )

    def _accept(
        self, step: str, sender: ClientId, body: bytes, now_ms: int, bodies: Bodies
    ) -> Self:
        self._demand(STEPS[step])
        if sender not in self._expected:
            raise StageClosedError("the sender missed an earlier step and is out of this session")
        kind = TRANSITIONS[self.stage].kind
        limit = body_limit(self.session, step, longest=self.longest)
        message = decode(body, kind, limit=limit)
        if message.sender != sender:
            raise MalformedError("the message names another sender than who brought it")
        judge(message, self._rules)
        if bodies.count(step) + 1 < len(self._expected):
            return self
        return self._close(now_ms, Including(stored=bodies, step=step, sender=sender, body=body))

    @property
    def _rules(self) -> Rules:
        return Rules(
            session=self.session,
            sid=self.sid,
            roster=self.roster,
            graph=self.graph,
            h1=self.h1,
            h2=self.h2,
            h3=self.h3,
            u2=self._heard("shares"),
            u3=self._heard("masked"),
        )

    def _close(self, now_ms: int, bodies: Bodies) -> Self:
        rule = TRANSITIONS[self.stage]
        heard = {**self.heard, rule.step: bodies.senders(rule.step)}
        closed = replace(self, heard=heard)
        expected, session, graph = len(self._expected), self.session, self.graph
        reason = shortage(self.stage, heard, expected=expected, session=session, graph=graph)
        if reason:
            return closed.abort(reason)
        fixed = closed._fixed(bodies)
        return replace(fixed, stage=rule.then, deadline_ms=now_ms + self.session.stage_ms)

    def _fixed(self, bodies: Bodies) -> Self:
        """Return the state with what follows from the set that this stage has fixed."""
        match self.stage:
            case Stage.OPEN:
                h1 = hash_adverts(self._adverts(bodies))
                return replace(self, h1=h1, graph=draw(self.u1, self.sid, h1))
            case Stage.ADVERTISED:
                return replace(self, h2=hash_u2(self.u2))
            case Stage.SHARED:
                return replace(self, h3=hash_u3(self.u3))
            case _:
                return self

    def _demand(self, stage: Stage) -> None:
        if self.stage is Stage.ABORTED:
            raise AbortedError(self.reason)
        if self.stage is not stage:
            raise StageClosedError(f"the session is '{self.stage.value}', not '{stage.value}'")

    def _demand_resource(self, resource: str) -> None:
        if not self.available(resource):
            self._demand(RESOURCES[resource])

    @property
    def _expected(self) -> Mapping[ClientId, object]:
        """Whose messages this stage waits for: who answered the one before."""
        return self._heard(BEFORE[self.stage]) if BEFORE[self.stage] else self.roster

    def _heard(self, step: str) -> Mapping[ClientId, Digest]:
        return self.heard.get(step, {})

    def _dropped(self) -> tuple[ClientId, ...]:
        return tuple(client for client in self.u2 if client not in self._heard("masked"))

    def _adverts(self, bodies: Bodies) -> tuple[Advert, ...]:
        return tuple(load(bodies, Advert, client) for client in self.u1)
