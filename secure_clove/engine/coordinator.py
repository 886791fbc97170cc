"""The coordinator: loads a state, steps it, saves it with its outbox; the same under every carrier.

Every public method is one transaction of the `Store`. Messages are judged by the protocol machines
(`SumServer`, `EachServer`); `rounds` decides what comes next. There is no clock here: ``now_ms`` is
an argument, milliseconds since the epoch.
"""

from dataclasses import dataclass, replace
from typing import Self

from secure_clove.engine.messages import (
    CONFIG_TAG,
    ROSTER_TAG,
    Charter,
    Current,
    Invitation,
    Roster,
    Signed,
)
from secure_clove.engine.pipeline import unpack
from secure_clove.engine.plan import Config, check_roster
from secure_clove.engine.ports import Store, Transaction
from secure_clove.engine.rounds import Rounds
from secure_clove.engine.sessions import Sessions, StoredBodies
from secure_clove.engine.state import FederationState, Phase, RoundReport, SessionState
from secure_clove.errors import (
    ConfigError,
    ConflictError,
    ModelMismatchError,
    NotFoundError,
    UnknownClientError,
)
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId, Digest, FederationId, digest
from secure_clove.foundation.seeds import Entropy


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A federation as it was read last; found again by content hash, so it is no state.

    Attributes:
        stamp: Content hash of its saved state.
        state: The federation.
        clients: Everybody in the roster.
        present: Who counts as present.
    """

    stamp: Digest
    state: FederationState
    clients: frozenset[ClientId]
    present: frozenset[ClientId]

    @classmethod
    def read(cls, stamp: Digest, state: FederationState) -> Self:
        """Return what is looked up often."""
        roster = decode(state.roster.body, Roster).clients if state.roster else {}
        present = frozenset(state.present)
        return cls(stamp=stamp, state=state, clients=frozenset(roster), present=present)


class Coordinator:
    """Every federation of one store.

    Args:
        store: Where everything is kept.
        entropy: Source of session nonces.
    """

    def __init__(self, store: Store, entropy: Entropy) -> None:
        self._store, self._entropy = store, entropy
        self._sessions = Sessions()
        self._known: dict[FederationId, Known] = {}

    # ---- operator

    def create(self, signed: Signed, initial: bytes) -> FederationId:
        """Take a signed configuration and the initial models it names.

        Raises:
            BadSignatureError: the configuration is not signed by its key.
            ModelMismatchError: the models are not those the configuration names.
            ConfigError: the initial models do not fit.
            ConflictError: another federation has this name.
        """
        config = signed.open(Config, CONFIG_TAG, signed.key)
        if digest(initial) != config.initial:
            raise ModelMismatchError("the initial models are not those the configuration names")
        models = unpack(initial).get("models")
        if models is None:
            raise ConfigError("the initial models must lie under the name 'models'")
        inner = encode(config.build().start(models))
        with self._store.transaction() as tx:
            known = tx.federation(config.federation)
            if known is not None:
                if decode(known, FederationState).config == signed:
                    return config.federation
                raise ConflictError("another federation has this name; choose a new one")
            tx.save_artefact(initial)
            state = FederationState(config=signed, algorithm=tx.save_artefact(inner))
            tx.save_federation(config.federation, encode(state))
        return config.federation

    def start(self, name: FederationId, signed: Signed, now_ms: int) -> None:
        """Take the signed roster and wait for its clients.

        Raises:
            BadSignatureError: the roster is not signed by the federation's key.
            ConfigError: it is another federation's, too small, or has fewer clients than clusters.
            ConflictError: the federation was started with another roster.
        """
        with self._store.transaction() as tx:
            state = self._federation(tx, name)
            roster = signed.open(Roster, ROSTER_TAG, state.config.key)
            config = decode(state.config.body, Config)
            if roster.federation != name or roster.config != config.hash:
                raise ConfigError("the roster belongs to another federation or configuration")
            check_roster(config, len(roster.clients))
            if state.phase is not Phase.ENROLLING:
                if state.roster == signed:
                    return
                raise ConflictError("the federation was started with another roster")
            started = replace(
                state,
                roster=signed,
                phase=Phase.GATHERING,
                gather_until_ms=now_ms + config.stage_ms,
            )
            tx.save_federation(name, encode(started))

    # ---- participants

    def charter(self, name: FederationId) -> Charter:
        """Return the signed configuration, and the signed roster once there is one."""
        with self._store.transaction() as tx:
            state = self._federation(tx, name)
        return Charter(config=state.config, roster=state.roster)

    def current(self, name: FederationId, client: ClientId, now_ms: int) -> Current:
        """Return what there is to do for ``client``, who thereby counts as present.

        Raises:
            UnknownClientError: not in the roster.
        """
        with self._store.transaction() as tx:
            known = self._look_up(tx, name)
            state = known.state
            if state.roster is None:
                return Current(round=0)
            if client not in known.clients:
                raise UnknownClientError("not in the roster of this federation; enrol first")
            if state.phase is Phase.CLOSED:
                return Current(round=state.round, is_closed=True, gift=state.gifts.get(client))
            if client not in known.present and tx.arrive(name, client):
                state = self._arrived(tx, name, known, now_ms)
            return Current(round=state.round, invitation=self._invitation(tx, state, client))

    def put(self, sid: str, step: str, client: ClientId, body: bytes, now_ms: int) -> bool:
        """Take one protocol message. The same message again changes nothing.

        Returns:
            Whether the session is at another stage now, so that whoever waits should look again.

        Raises:
            NotFoundError: no such session or step.
            RemoteProtocolError: whatever the protocol machine finds wrong; nothing was stored.
        """
        with self._store.transaction() as tx:
            name, found = self._sessions.load(tx, sid)
            bodies = StoredBodies(tx, sid)
            is_new = bodies.digest(step, client) is None
            machine = found.machine.receive(step, client, body, now_ms, bodies)
            if is_new:
                tx.save_body(sid, step, client, body)
            has_moved = machine is not found.machine
            if has_moved:
                self._step(tx, name, sid, found.moved(machine), now_ms)
        return has_moved

    def fetch(self, sid: str, resource: str, client: ClientId) -> bytes | None:
        """Return what a client needs for its next step; None: not yet.

        Raises:
            NotFoundError: no such session or resource.
            UnknownClientError: not in the cohort.
            StageClosedError: the client missed an earlier step.
            AbortedError: the session ended without a sum.
        """
        with self._store.transaction() as tx:
            return self._sessions.serve(tx, sid, resource, client)

    def artefact(self, content: Digest) -> bytes:
        """Return bytes by their hash."""
        with self._store.transaction() as tx:
            return tx.artefact(content)

    # ---- time and observation

    def tick(self, now_ms: int) -> bool:
        """Close what is past its deadline; return whether anything moved."""
        moved = False
        with self._store.transaction() as tx:
            for name in tx.federations():
                moved |= self._tick(tx, name, now_ms)
        return moved

    def deadline(self) -> int | None:
        """Return the earliest deadline of any open session or gathering, milliseconds."""
        with self._store.transaction() as tx:
            found = []
            for name in tx.federations():
                state = self._federation(tx, name)
                open_ = (self._sessions.load(tx, sid)[1] for sid in state.open)
                found += [session.machine.deadline_ms for session in open_]
                is_begun = state.present or tx.arrivals(name)
                if state.phase is Phase.GATHERING and is_begun:
                    found.append(state.gather_until_ms)
        return min(found, default=None)

    def state(self, name: FederationId) -> FederationState:
        """Return the saved state of a federation."""
        with self._store.transaction() as tx:
            return self._federation(tx, name)

    def reports(self, name: FederationId) -> tuple[RoundReport, ...]:
        """Return the finished rounds, oldest first."""
        with self._store.transaction() as tx:
            self._federation(tx, name)
            events = tx.events(name)
        return tuple(decode(e.body, RoundReport) for e in events if e.kind == "round")

    # ---- inside a transaction

    def _rounds(
        self, tx: Transaction, name: FederationId, state: FederationState, now_ms: int
    ) -> Rounds:
        rounds = Rounds(tx, state, now_ms=now_ms, entropy=self._entropy)
        rounds.welcome(tx.take_arrivals(name))
        return rounds

    def _arrived(
        self, tx: Transaction, name: FederationId, known: Known, now_ms: int
    ) -> FederationState:
        """Begin the round if the client that has just arrived is the last one waited for."""
        state = known.state
        is_late = now_ms >= state.gather_until_ms
        is_first = state.round == 0
        if state.phase is not Phase.GATHERING or not (is_late or is_first):
            return state
        if not is_late and len(known.present) + tx.arrivals(name) < len(known.clients):
            return state
        rounds = self._rounds(tx, name, state, now_ms)
        rounds.advance()
        tx.save_federation(name, encode(rounds.state))
        return rounds.state

    def _federation(self, tx: Transaction, name: FederationId) -> FederationState:
        return self._look_up(tx, name).state

    def _look_up(self, tx: Transaction, name: FederationId) -> Known:
        known, stamp = self._known.get(name), tx.federation_stamp(name)
        if known is not None and known.stamp == stamp:
            return known
        found = tx.federation(name)
        if found is None or stamp is None:
            raise NotFoundError("no such federation; ask its operator for the name")
        self._known[name] = Known.read(stamp, decode(found, FederationState))
        return self._known[name]

    def _invitation(
        self, tx: Transaction, state: FederationState, client: ClientId
    ) -> Invitation | None:
        for sid in state.open:
            found = self._sessions.load(tx, sid)[1]
            if found.awaits(client, StoredBodies(tx, sid)):
                return Invitation(session=found.session, ask=found.asks[client])
        return None

    def _tick(self, tx: Transaction, name: FederationId, now_ms: int) -> bool:
        before, has_closed = self._federation(tx, name), False
        for sid in before.open:
            found = self._sessions.load(tx, sid)[1]
            machine = found.machine.tick(now_ms, StoredBodies(tx, sid))
            if machine is not found.machine:
                has_closed = True
                self._step(tx, name, sid, found.moved(machine), now_ms)
        state = self._federation(tx, name)
        rounds = self._rounds(tx, name, state, now_ms)
        rounds.advance()
        if rounds.state is not state:
            tx.save_federation(name, encode(rounds.state))
        return has_closed or rounds.state != before

    def _step(
        self, tx: Transaction, name: FederationId, sid: str, stepped: SessionState, now_ms: int
    ) -> None:
        self._sessions.save(tx, sid, name, stepped)
        state = self._federation(tx, name)
        if not stepped.is_over or sid not in state.open:
            return
        received = state.tally.bytes_up + tx.body_bytes(sid)
        tally = replace(state.tally, bytes_up=received)
        rounds = self._rounds(tx, name, replace(state, tally=tally), now_ms)
        rounds.settle(sid, stepped)
        tx.save_federation(name, encode(rounds.state))
