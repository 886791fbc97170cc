"""The coordinator: loads a state, steps it, saves it with its outbox; the same under every carrier.

Every public method is one transaction of the `Store`. Messages are judged by the protocol machines
(`SumServer`, `EachServer`); `rounds` decides what comes next. There is no clock here: ``now_ms`` is
an argument, milliseconds since the epoch.
"""

from dataclasses import replace

from secure_clove.engine.each import Bodies
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
from secure_clove.engine.state import FederationState, Phase, RoundReport, SessionState
from secure_clove.errors import (
    AbortedError,
    ConfigError,
    ConflictError,
    ModelMismatchError,
    NotFoundError,
    UnknownClientError,
)
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId, Digest, FederationId, digest
from secure_clove.foundation.seeds import Entropy
from secure_clove.secagg.server import SumServer
from secure_clove.secagg.stages import Stage


class Coordinator:
    """Every federation of one store.

    Args:
        store: Where everything is kept.
        entropy: Source of session nonces.
    """

    def __init__(self, store: Store, entropy: Entropy) -> None:
        self._store, self._entropy = store, entropy

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
            state = self._federation(tx, name)
            if state.roster is None:
                return Current(round=0)
            if client not in decode(state.roster.body, Roster).clients:
                raise UnknownClientError("not in the roster of this federation; enrol first")
            if state.phase is Phase.CLOSED:
                return Current(round=state.round, is_closed=True, gift=state.gifts.get(client))
            if client not in state.present:
                rounds = self._rounds(tx, state, now_ms)
                rounds.welcome(client)
                state = rounds.state
                tx.save_federation(name, encode(state))
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
            name, found = self._session(tx, sid)

            def bodies(wanted: str, who: ClientId) -> bytes:
                return body if (wanted, who) == (step, client) else tx.body(sid, wanted, who)

            machine = found.machine.receive(step, client, body, now_ms, bodies)
            if machine is found.machine:
                return False
            tx.save_body(sid, step, client, body)
            stepped = found.moved(machine)
            self._step(tx, name, sid, stepped, now_ms, received=len(body))
        return _stage(stepped) != _stage(found)

    def fetch(self, sid: str, resource: str, client: ClientId) -> bytes | None:
        """Return what a client needs for its next step; None: not yet.

        Raises:
            NotFoundError: no such session or resource.
            UnknownClientError: not in the cohort.
            AbortedError: the session found without a sum.
        """
        with self._store.transaction() as tx:
            _, found = self._session(tx, sid)
            if client not in found.session.cohort:
                raise UnknownClientError("not in the cohort of this session")
            if found.masked is None:
                raise NotFoundError("a session of single replies has nothing to fetch")
            return _serve(found.masked, resource, client, _bodies(tx, sid))

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
                found += [self._session(tx, sid)[1].machine.deadline_ms for sid in state.open]
                if state.phase is Phase.GATHERING and state.present:
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

    def _rounds(self, tx: Transaction, state: FederationState, now_ms: int) -> Rounds:
        return Rounds(tx, state, now_ms=now_ms, entropy=self._entropy)

    def _federation(self, tx: Transaction, name: FederationId) -> FederationState:
        found = tx.federation(name)
        if found is None:
            raise NotFoundError("no such federation; ask its operator for the name")
        return decode(found, FederationState)

    def _session(self, tx: Transaction, sid: str) -> tuple[FederationId, SessionState]:
        found = tx.session(sid)
        if found is None:
            raise NotFoundError("no such session")
        return found[0], decode(found[1], SessionState)

    def _invitation(
        self, tx: Transaction, state: FederationState, client: ClientId
    ) -> Invitation | None:
        for sid in state.open:
            found = self._session(tx, sid)[1]
            if found.awaits(client):
                return Invitation(
                    session=found.session,
                    ask=found.asks[client],
                )
        return None

    def _tick(self, tx: Transaction, name: FederationId, now_ms: int) -> bool:
        before = self._federation(tx, name)
        for sid in before.open:
            found = self._session(tx, sid)[1]
            machine = found.machine.tick(now_ms, _bodies(tx, sid))
            if machine is not found.machine:
                self._step(tx, name, sid, found.moved(machine), now_ms)
        state = self._federation(tx, name)
        rounds = self._rounds(tx, state, now_ms)
        rounds.advance()
        if rounds.state is not state:
            tx.save_federation(name, encode(rounds.state))
        return rounds.state != before

    def _step(
        self,
        tx: Transaction,
        name: FederationId,
        sid: str,
        stepped: SessionState,
        now_ms: int,
        *,
        received: int = 0,
    ) -> None:
        tx.save_session(sid, name, encode(stepped))
        state = self._federation(tx, name)
        if sid not in state.open:
            return
        tally = replace(state.tally, bytes_up=state.tally.bytes_up + received)
        rounds = self._rounds(tx, replace(state, tally=tally), now_ms)
        if stepped.is_over:
            rounds.settle(sid, stepped)
        tx.save_federation(name, encode(rounds.state))


def _serve(machine: SumServer, resource: str, client: ClientId, bodies: Bodies) -> bytes | None:
    if machine.stage is Stage.ABORTED:
        raise AbortedError(machine.reason)
    if not machine.available(resource):
        return None
    match resource:
        case "directory":
            return encode(machine.directory(bodies))
        case "inbox":
            return encode(machine.inbox(client, bodies))
        case "survivors":
            return encode(machine.survivors())
        case _:
            return encode(machine.signatures(bodies))


def _stage(found: SessionState) -> Stage | bool:
    return found.is_over if found.masked is None else found.masked.stage


def _bodies(tx: Transaction, sid: str) -> Bodies:
    return lambda step, client: tx.body(sid, step, client)
