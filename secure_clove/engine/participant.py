"""One client's side of a federation: what it checks, computes, charges, writes down and sends.

`Participant.step` moves as far as the coordinator allows and returns; whoever calls it decides how
to wait. Order matters and is the protocol's: policy and budget before computing, the ledger and the
log on disk before the masked vector leaves (protocol.md R2, privacy.md "Accounting").
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from secure_clove.algorithms.base import Exchange, Use
from secure_clove.engine.admission import (
    Membership,
    check_invitation,
    check_log,
    enter,
    exchange_of,
    open_config,
)
from secure_clove.engine.asks import Ask
from secure_clove.engine.guard import Guard
from secure_clove.engine.messages import REPLY_STEP, Invitation, Reply
from secure_clove.engine.ongoing import Answer, Live, honest_in
from secure_clove.engine.pipeline import to_ring
from secure_clove.engine.plan import Config, releases
from secure_clove.engine.policy import Policy, check_allowance, check_config
from secure_clove.engine.ports import Carrier, Journal, Mark, Ring, Trainer
from secure_clove.engine.progress import Outcome, Progress, silent
from secure_clove.errors import (
    AbortedError,
    LocalProtocolError,
    ModelMismatchError,
    RemoteProtocolError,
    StageClosedError,
)
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId, Digest, digest
from secure_clove.foundation.seeds import Entropy
from secure_clove.foundation.trees import Tree, Vector
from secure_clove.privacy.ledger import Ledger
from secure_clove.secagg import ring
from secure_clove.secagg.client import SumClient
from secure_clove.secagg.keys import Identity, public_coin
from secure_clove.secagg.messages import Directory, Inbox, Signatures, Survivors
from secure_clove.secagg.session import Carriage, Session

NOTHING = np.zeros(0, dtype=np.uint64)
"""In the place of a reply that waits for a coin."""


class Participant:
    """One client in one federation.

    Args:
        me: Its enrolled name.
        identity: Its signing key.
        carrier: The way to the coordinator.
        make_trainer: Builds the trainer a configuration asks for.
        policy: Its own limits.
        journal: Its own disk.
        noise: Source of released noise.
        keys: Source of session keys and nonces, always the operating system's.
        watch: Called with every `Progress`.
        one_at_a_time: Whether to fetch, evaluate and let go of the models of an embedding one after
            another instead of holding all of them. The same bytes are fetched and sent.
    """

    def __init__(
        self,
        me: ClientId,
        identity: Identity,
        *,
        carrier: Carrier,
        make_trainer: Callable[[Config], Trainer],
        policy: Policy,
        journal: Journal,
        noise: Entropy,
        keys: Entropy,
        watch: Callable[[Progress], None] = silent,
        one_at_a_time: bool = False,
    ) -> None:
        self.me, self._identity, self._carrier = me, identity, carrier
        self._make_trainer, self._policy, self._journal = make_trainer, policy, journal
        self._noise, self._keys, self._watch = noise, keys, watch
        self._one_at_a_time = one_at_a_time
        self._membership: Membership | None = None
        self._trainer: Trainer | None = None
        self._answer: Answer | None = None
        self._live: Live | None = None
        self.model: Vector | None = None

    @property
    def config(self) -> Config:
        """The accepted configuration.

        Raises:
            LocalProtocolError: not joined yet.
        """
        return self._joined[0].config

    @property
    def ledger(self) -> Ledger:
        """What this client has released so far, under its policy."""
        entries, policy = self._journal.entries(), self._policy
        return Ledger(entries=entries, limit=policy.max_epsilon, delta=policy.delta)

    def step(self) -> Outcome:
        """Do the next thing there is to do.

        Raises:
            PrivacyError: the policy or the budget forbids it; nothing was computed or sent.
            ProtocolError: the coordinator broke the protocol; nothing more is sent to the session.
            DataError: the data or the model cannot be used.
        """
        if self._membership is None:
            return self._join()
        if self._live is not None:
            return self._continue(self._live)
        current = self._carrier.current()
        if current is None:
            return Outcome.WAITING
        if current.is_closed:
            if current.gift is not None:
                self._evaluate(self._read(current.gift), current.round + 1, "closed")
            return Outcome.CLOSED
        if current.invitation is None:
            return Outcome.WAITING
        try:
            return self._begin(current.invitation)
        except (StageClosedError, AbortedError):  # too late for this session: wait for the next
            self._live = None
            return Outcome.MOVED

    # ---- joining

    def _join(self) -> Outcome:
        charter = self._carrier.charter()
        config = open_config(charter, self._policy, self._journal)
        if self._trainer is None:
            self._trainer = self._make_trainer(config)
            check_config(self._policy, config, self._trainer)
            self.ledger.verify()
        self._membership = enter(charter, config, self.me, self._identity.public)
        return Outcome.WAITING if self._membership is None else Outcome.MOVED

    @property
    def _joined(self) -> tuple[Membership, Trainer]:
        if self._membership is None or self._trainer is None:
            raise LocalProtocolError("not joined yet")
        return self._membership, self._trainer

    # ---- beginning a session

    def _begin(self, invitation: Invitation) -> Outcome:
        session = invitation.session
        membership, _ = self._joined
        exchange = check_invitation(invitation, membership, self._policy, self.me)
        kept = self._kept(session.round, exchange.name)
        marks = self._journal.marks(session.federation)
        if not check_log(marks, session, has_reply=kept is not None):
            return Outcome.WAITING
        check_allowance(membership.config, session, exchange, marks)
        self._charged(session, exchange)  # refuses before anything is computed
        answer = self._answer_to(invitation, exchange)
        if answer.is_spent:
            return Outcome.WAITING
        if session.carriage is Carriage.EACH:
            self._send_alone(session, exchange, answer.elements(session.ring_bits))
            return Outcome.MOVED
        machine, advert = SumClient.open(
            session,
            me=self.me,
            identity=self._identity,
            roster=membership.roster.clients,
            entropy=self._keys,
        )
        self._live = Live(
            sid=session.sid.hex(),
            session=session,
            machine=machine,
            answer=answer,
            waits_for="directory",
        )
        self._put("advert", advert)
        return Outcome.MOVED

    def _kept(self, round_: int, exchange: str) -> Answer | None:
        kept = self._answer
        return kept if kept and (kept.round, kept.exchange) == (round_, exchange) else None

    def _answer_to(self, invitation: Invitation, exchange: Exchange[Any, Any]) -> Answer:
        """Compute the reply, or return the one computed for an earlier attempt."""
        session = invitation.session
        kept = self._kept(session.round, exchange.name)
        if kept is not None:
            kept.check(invitation)
            return kept
        config, trainer = self.config, self._joined[1]
        ask, honest = self._read(invitation.ask), honest_in(session)
        self._say(session, "begun")
        if Use.HELD_OUT in exchange.uses:
            self._evaluate(ask, session.round, session.phase)
        guard = Guard(
            trainer,
            uses=exchange.uses,
            plan=config.privacy,
            entropy=self._noise.fork(config.federation, session.round, exchange.name),
            honest=honest,
        )
        own, reply = exchange.work(self._own(), ask, guard)
        self._answer = Answer(
            round=session.round,
            exchange=exchange.name,
            ask=invitation.ask,
            vector=NOTHING if exchange.toss else self._on_ring(session, exchange, reply),
            bits=session.ring_bits,
            own=own,
            honest=honest if config.shares_noise else 1,
        )
        return self._answer

    def _vector(self, live: Live, exchange: Exchange[Any, Any]) -> Ring:
        """Return the reply; the coin that it may have waited for is known by now."""
        if exchange.toss is None:
            return live.answer.elements(live.session.ring_bits)
        coin = public_coin(live.session.sid, live.machine.h1)
        return self._on_ring(live.session, exchange, exchange.toss(live.answer.own, coin))

    def _on_ring(self, session: Session, exchange: Exchange[Any, Any], reply: Tree) -> Ring:
        entropy = self._noise.fork(self.config.federation, session.round, exchange.name)
        bits, honest = session.ring_bits, honest_in(session)
        return to_ring(self.config, exchange, reply, bits=bits, honest=honest, entropy=entropy)

    # ---- releasing

    def _charged(self, session: Session, exchange: Exchange[Any, Any]) -> Ledger:
        """Return the ledger with this exchange entered; a restart with the same reply is free."""
        config = self.config
        return self.ledger.charge(
            *releases(config, exchange),
            federation=config.federation,
            round=session.round,
            phase=exchange.name,
            attempt=1,
        )

    def _commit(self, session: Session, exchange: Exchange[Any, Any]) -> None:
        """Write ledger and log to disk; only then may a reply leave."""
        before, after = self._journal.entries(), self._charged(session, exchange).entries
        mark = Mark(
            federation=session.federation,
            round=session.round,
            exchange=exchange.name,
            attempt=session.attempt,
            sid=session.sid.hex(),
        )
        self._journal.commit(after[len(before) :], mark)
        if self._answer is not None:
            self._journal.keep(session.federation, encode(self._answer.own))

    def _send_alone(self, session: Session, exchange: Exchange[Any, Any], vector: Ring) -> None:
        self._commit(session, exchange)
        words = ring.narrow(vector, length=session.length, bits=session.ring_bits)
        values = ring.to_bytes(words)
        signature = self._identity.sign(session.sid, REPLY_STEP, values)
        reply = Reply(sender=self.me, values=values, signature=signature)
        self._carrier.put(session.sid.hex(), REPLY_STEP, encode(reply))
        self._say(session, REPLY_STEP)

    # ---- the steps of a masked session

    def _continue(self, live: Live) -> Outcome:
        try:
            body = self._carrier.fetch(live.sid, live.waits_for)
            if body is None:
                return Outcome.WAITING
            self._answer_step(live, body)
        except (AbortedError, StageClosedError):
            self._live = None
        except RemoteProtocolError:
            self._live = None
            raise
        return Outcome.MOVED

    def _answer_step(self, live: Live, body: bytes) -> None:
        match live.waits_for:
            case "directory":
                machine, shares = live.machine.share(decode(body, Directory), self._keys)
                self._live = replace(live, machine=machine, waits_for="inbox")
                self._put("shares", shares)
            case "inbox":
                machine = live.machine.receive_shares(decode(body, Inbox))
                exchange = self.config.exchange(exchange_of(live.session))
                vector = self._vector(live, exchange)
                self._commit(live.session, exchange)
                machine, masked = machine.mask(vector)
                self._live = replace(live, machine=machine, waits_for="survivors")
                self._put("masked", masked)
            case "survivors":
                machine, signed = live.machine.agree(decode(body, Survivors))
                self._live = replace(live, machine=machine, waits_for="signatures")
                self._put("consistency", signed)
            case _:
                _, unmask = live.machine.unmask(decode(body, Signatures))
                self._answer = replace(live.answer, is_spent=True)
                self._put("unmask", unmask)
                self._live = None

    def _put(self, step: str, message: object) -> None:
        live = self._live
        if live is None:
            raise LocalProtocolError("no session to send to")
        self._carrier.put(live.sid, step, encode(message))
        self._say(live.session, step)

    # ---- models

    def _fetch(self, content: Digest) -> bytes:
        data = self._carrier.artefact(content)
        if digest(data) != content:
            raise ModelMismatchError("the model received is not the one the session names")
        return data

    def _read(self, content: Digest) -> Tree:
        """Return an ask, with all its rows or ready to fetch them one by one."""
        most = self.config.build().initial_models
        ask = Ask(self._fetch(content), self._fetch, most_rows=most)
        return ask if self._one_at_a_time else dict(ask)

    def _own(self) -> Any:  # noqa: ANN401  every algorithm has its own state type
        config = self.config
        algorithm, kept = config.build(), self._journal.own(config.federation)
        return algorithm.enrol() if kept is None else decode(kept, algorithm.own)

    def _evaluate(self, ask: Tree, round_: int, phase: str) -> None:
        config, trainer = self.config, self._joined[1]
        self.model = config.build().mine(self._own(), ask)
        if trainer.held_out:
            accuracy = trainer.correct(self.model) / trainer.held_out
            self._watch(
                Progress(
                    client=self.me, round=round_, phase=phase, step="evaluated", accuracy=accuracy
                )
            )

    def _say(self, session: Session, step: str) -> None:
        self._watch(Progress(client=self.me, round=session.round, phase=session.phase, step=step))
