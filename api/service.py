"""The only joint between routes and the `Coordinator`: threads, waiting, and the clock.

Everything that touches the database runs in a few threads of its own; nothing is held while a
request waits. Whoever changes a session or a federation wakes those who wait for it; another
process on the same database is noticed within `LOOK_S`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from api import database
from api.changes import Changes
from api.nonces import Nonces
from api.settings import Settings
from secure_clove.engine.coordinator import Coordinator
from secure_clove.engine.each import ENVELOPE_BYTES
from secure_clove.engine.messages import REPLY_STEP, Current, Roster
from secure_clove.engine.ports import Transaction
from secure_clove.engine.state import FederationState, SessionState
from secure_clove.errors import NotFoundError
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId, FederationId
from secure_clove.sdk.entropy import SystemEntropy
from secure_clove.secagg.messages import body_limit
from secure_clove.secagg.session import Carriage, Session
from secure_clove.secagg.stages import RESOURCES, STEPS
from secure_clove.stores.sql import SqlStore
from secure_clove.transport.signing import Claim

T = TypeVar("T")
Look = Callable[[], Awaitable[bytes | None]]

LOG = logging.getLogger(__name__)

LOOK_S = 1.0
"""Longest time between two looks of a request that waits."""

TICK_S = 0.2
"""Time between two looks at the earliest deadline."""

THREADS = 4
"""The store does one transaction at a time; more threads only parse and hash beside it."""

MOST_SESSIONS = 4096
"""How many sessions' objects are kept at hand."""


class Service:
    """One coordinator behind one web application.

    Args:
        settings: Of the application.
        clock: Seconds since the epoch.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self.settings = settings
        self.store = SqlStore(settings.data_dir)
        database.SCHEMA.create_all(self.store.engine)
        self.coordinator = Coordinator(self.store, SystemEntropy())
        self._clock = clock
        self._threads = ThreadPoolExecutor(THREADS, "coordinator")
        self.nonces = Nonces(self._threads, self._note)
        self._changes = Changes()
        self._rosters: dict[FederationId, Mapping[ClientId, bytes]] = {}
        self._sessions: dict[str, Session] = {}
        self._rounds: dict[FederationId, int] = {}

    def close(self) -> None:
        """Finish what runs and let go of the database."""
        self._threads.shutdown()
        self.store.close()

    async def run(self, call: Callable[[], T]) -> T:
        """Return what a blocking call returns."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def now_s(self) -> int:
        """Return the time, seconds since the epoch."""
        return int(self._clock())

    def now_ms(self) -> int:
        """Return the time, milliseconds since the epoch."""
        return int(self._clock() * 1000)

    def changed(self, *topics: str) -> None:
        """Wake those who wait for a federation or a session."""
        self._changes.wake(*topics)

    async def tend(self) -> None:
        """Close whatever passes its deadline, until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            try:
                if await self.run(self._tick):
                    self._changes.wake_all()
            except Exception:
                LOG.exception("a deadline could not be kept; trying again")

    def _tick(self) -> bool:
        deadline, now = self.coordinator.deadline(), self.now_ms()
        return deadline is not None and deadline <= now and self.coordinator.tick(now)

    def look(self) -> None:
        """Reach the database.

        Raises:
            StoreError: it cannot be reached.
        """
        self._federations()

    def states(self) -> tuple[FederationState, ...]:
        """Return every federation."""
        with self.store.transaction() as tx:
            return tuple(state_of(tx, name) for name in tx.federations())

    # ---- who is asking

    async def keys(self, federation: FederationId, name: str) -> tuple[bytes, ...]:
        """Return the identity key of a federation's client: none or one.

        Raises:
            NotFoundError: no such federation.
        """
        roster = self._rosters.get(federation)
        if roster is None:
            roster = await self.run(lambda: self._load_keys(federation))
        key = roster.get(ClientId(name))
        return () if key is None else (key,)

    async def keys_anywhere(self, name: str) -> tuple[bytes, ...]:
        """Return the identity keys of the clients of this name in all federations."""
        federations = await self.run(self._federations)
        found = [await self.keys(federation, name) for federation in federations]
        return tuple(key for keys in found for key in keys)

    def _note(self, claims: Sequence[Claim]) -> list[bool]:
        now = self.now_s()
        with self.store.transaction() as tx:
            return database.admit(tx.connection, claims, now)

    def _load_keys(self, federation: FederationId) -> Mapping[ClientId, bytes]:
        """Return the roster, which never changes once there is one, or who has enrolled so far."""
        with self.store.transaction() as tx:
            state = state_of(tx, federation)
            if state.roster is None:
                found = database.enrolled(tx.connection, federation)
                return {client: key for client, key in found.items() if key is not None}
        self._rosters[federation] = decode(state.roster.body, Roster).clients
        return self._rosters[federation]

    def _federations(self) -> tuple[FederationId, ...]:
        with self.store.transaction() as tx:
            return tx.federations()

    # ---- sessions

    async def session(self, sid: str) -> Session:
        """Return a session object, which never changes.

        Raises:
            NotFoundError: no such session.
        """
        if sid not in self._sessions:
            found = await self.run(lambda: self._load_session(sid))
            if len(self._sessions) >= MOST_SESSIONS:
                self._sessions.clear()
            self._sessions[sid] = found
        return self._sessions[sid]

    async def most(self, sid: str, step: str) -> int:
        """Return the most bytes that a message of a session's step may have.

        Raises:
            NotFoundError: no such session or step.
        """
        session = await self.session(sid)
        is_masked = session.carriage is Carriage.MASKED
        steps = tuple(STEPS) if is_masked else (REPLY_STEP,)
        if step not in steps:
            raise NotFoundError(f"this session has the steps {', '.join(steps)} only")
        if is_masked:
            return body_limit(session, step)
        return session.length * session.ring_bits // 8 + ENVELOPE_BYTES

    async def current(
        self, federation: FederationId, client: ClientId, wait_s: float
    ) -> bytes | None:
        """Return the encoded `Current` of a client; None if there is nothing to do yet.

        Raises:
            UnknownClientError: not in the roster.
        """

        def look() -> tuple[int, bytes | None]:
            found = self.coordinator.current(federation, client, self.now_ms())
            return found.round, encode(found) if _is_news(found) else None

        async def look_and_tell() -> bytes | None:
            round_, found = await self.run(look)
            if self._rounds.get(federation) != round_:  # this very look may have begun it
                self._rounds[federation] = round_
                self.changed(federation)
            return found

        return await self._wait(federation, look_and_tell, wait_s)

    async def put(self, sid: str, step: str, client: ClientId, body: bytes) -> None:
        """Take one protocol message; see `Coordinator.put`."""
        now = self.now_ms()
        if await self.run(lambda: self.coordinator.put(sid, step, client, body, now)):
            self.changed(sid, (await self.session(sid)).federation)

    async def fetch(self, sid: str, resource: str, client: ClientId, wait_s: float) -> bytes | None:
        """Return a session's resource, waiting for it; see `Coordinator.fetch`."""
        if resource not in RESOURCES:
            raise NotFoundError(f"a session has the resources {', '.join(RESOURCES)} only")

        async def look() -> bytes | None:
            return await self.run(lambda: self.coordinator.fetch(sid, resource, client))

        return await self._wait(sid, look, wait_s)

    async def _wait(self, topic: str, look: Look, wait_s: float) -> bytes | None:
        """Look until something is found or ``wait_s`` seconds have passed."""
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        while True:
            event = self._changes.event(topic)
            found = await look()
            left = until - loop.time()
            if found is not None or left <= 0:
                return found
            await _first(event, min(left, LOOK_S))

    def _load_session(self, sid: str) -> Session:
        with self.store.transaction() as tx:
            found = tx.session(sid)
        if found is None:
            raise NotFoundError("no such session")
        return decode(found[1], SessionState).session


def state_of(tx: Transaction, federation: FederationId) -> FederationState:
    """Return a federation's state.

    Raises:
        NotFoundError: no such federation.
    """
    found = tx.federation(federation)
    if found is None:
        raise NotFoundError("no such federation; ask its operator for the name")
    return decode(found, FederationState)


def _is_news(found: Current) -> bool:
    return found.is_closed or found.invitation is not None


async def _first(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, at most so long."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
