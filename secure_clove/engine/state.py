"""What the coordinator keeps between two messages, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from secure_clove.engine.each import EachServer
from secure_clove.engine.messages import REPLY_STEP, Signed
from secure_clove.engine.signal import Signals
from secure_clove.foundation.ids import ClientId, Digest
from secure_clove.secagg.bodies import Bodies
from secure_clove.secagg.server import SumServer
from secure_clove.secagg.session import Session
from secure_clove.secagg.stages import STEPS, TRANSITIONS, Stage


class Phase(Enum):
    """Where a federation stands."""

    ENROLLING = "enrolling"
    GATHERING = "gathering"  # started; waiting for clients before the next round
    RUNNING = "running"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What the running round has counted so far."""

    opened_ms: int = 0
    sessions: int = 0
    cohort: int = 0
    dropouts: tuple[ClientId, ...] = ()
    aborted: int = 0
    bytes_up: int = 0
    signals: Signals = field(default_factory=Signals)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSum:
    """The sum over one group.

    Attributes:
        group: Which group.
        content: Hash of the packed sum.
        clients: How many clients are in it.
        coin: Of its session (protocol.md, R1.6).
        honest: Fewest honest clients that shared noise in it was made for; None after a first
            attempt, of which some replies may be left.
    """

    group: int
    content: Digest
    clients: int
    coin: bytes
    honest: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FederationState:
    """A federation, small enough to be saved with every step; bulk is named by its hash.

    Attributes:
        config: The signed configuration.
        roster: The signed roster, once started.
        phase: Where it stands.
        round: Counted from 1; 0 before the first.
        algorithm: Hash of the algorithm's encoded state.
        exchange: Name of the exchange being held.
        open: Hex sids of the open sessions.
        sums: The finished sums of this exchange.
        replies: Sessions of single replies that finished in this exchange, by hex sid.
        present: Clients that are there: the next cohort.
        gather_until_ms: When the first round begins without the clients that have not shown up.
        held: How often each exchange was held: the coordinator's copy of the ledger.
        before: The assignment of the last round.
        tally: Counts of the running round.
        gifts: After closing, hash of each client's final ask.
    """

    config: Signed
    roster: Signed | None = None
    phase: Phase = Phase.ENROLLING
    round: int = 0
    algorithm: Digest
    exchange: str = ""
    open: tuple[str, ...] = ()
    sums: tuple[GroupSum, ...] = ()
    replies: tuple[str, ...] = ()
    present: tuple[ClientId, ...] = ()
    gather_until_ms: int = 0
    held: Mapping[str, int] = field(default_factory=dict)
    before: Mapping[ClientId, int] = field(default_factory=dict)
    tally: Tally = Tally()
    gifts: Mapping[ClientId, Digest] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionState:
    """One session: its machine and who sits where.

    Attributes:
        machine: The protocol machine, masked or single replies.
        group: Whose sum it computes, of the groups of its exchange.
        asks: Hash of each client's ask.
    """

    masked: SumServer | None = None
    each: EachServer | None = None
    group: int
    asks: Mapping[ClientId, Digest]

    @property
    def machine(self) -> SumServer | EachServer:
        """The one machine there is."""
        machine = self.masked if self.masked is not None else self.each
        if machine is None:
            raise ValueError("a session has exactly one machine")
        return machine

    @property
    def session(self) -> Session:
        """The session object."""
        return self.machine.session

    @property
    def is_over(self) -> bool:
        """Whether nothing more can arrive."""
        if self.masked is not None:
            return self.masked.stage in (Stage.UNMASKED, Stage.ABORTED)
        return self.each is not None and self.each.is_over

    @property
    def missing(self) -> frozenset[ClientId]:
        """Who of the cohort had not answered the last step that anybody answered, once over."""
        steps = [self.each.heard] if self.each else []
        if self.masked is not None:
            found = (self.masked.heard.get(step, {}) for step in STEPS)
            steps = [heard for heard in found if heard]
        return frozenset(self.session.cohort) - (steps[-1].keys() if steps else frozenset())

    def awaits(self, client: ClientId, bodies: Bodies) -> bool:
        """Whether ``client`` can still join: nothing was heard of it and the first step is open."""
        if client not in self.asks or self.is_over:
            return False
        if self.masked is not None and self.masked.stage is not Stage.OPEN:
            return False
        step = REPLY_STEP if self.masked is None else TRANSITIONS[Stage.OPEN].step
        return bodies.digest(step, client) is None

    def moved(self, machine: SumServer | EachServer) -> "SessionState":
        """Return the session after a step of its machine."""
        if isinstance(machine, SumServer):
            return replace(self, masked=machine)
        return replace(self, each=machine)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundReport:
    """One finished round as the coordinator knows it.

    Attributes:
        round: Counted from 1.
        assignment: Model of each client, where the algorithm shows it.
        agreement: Adjusted Rand index with the last round's assignment.
        stable_share: Share of clients that declared stability.
        accuracy_before: Noised held-out accuracy of the models this round began with.
        epsilon_embedding: ε so far of the embeddings, None if unbounded; likewise the others.
        epsilon_update: Of the updates.
        epsilon_metrics: Of the held-out counts.
        epsilon_total: Of everything about one example.
        delta: At which ε is stated.
        snr_embedding: Norm of the signal over that of the noise in the embeddings released in this
            round; None: nothing released, no noise, or none of known law; likewise the others.
        snr_update: Of the summed updates.
        snr_metrics: Of the summed held-out hits.
        cohort: Clients invited.
        dropouts: Clients that were invited and did not finish.
        aborted_attempts: Sessions that ended without a sum.
        bytes_up: Bytes of protocol messages received.
        milliseconds: From opening to closing.
    """

    round: int
    assignment: Mapping[ClientId, int]
    agreement: float | None
    stable_share: float | None
    accuracy_before: float | None
    epsilon_embedding: float | None
    epsilon_update: float | None
    epsilon_metrics: float | None
    epsilon_total: float | None
    delta: float
    snr_embedding: float | None
    snr_update: float | None
    snr_metrics: float | None
    cohort: int
    dropouts: tuple[ClientId, ...]
    aborted_attempts: int
    bytes_up: int
    milliseconds: int
