"""What a client has released, as a hash chain that cannot be edited unnoticed, and its limit.

Pure: charging returns a new ledger, or refuses before anything is computed. A store persists the
entries, and commits an entry before the message leaves (privacy.md, "Accounting"). The chain shows
edits, insertions, reorderings and removals in the middle; a changed or missing last entry shows
when `Ledger.head` is compared with the coordinator's copy.
"""

import math
from dataclasses import dataclass, replace

from secure_clove.errors import BudgetExceededError, ConfigError, LocalProtocolError, StoreError
from secure_clove.foundation.codec import encode
from secure_clove.foundation.ids import Digest, FederationId, digest
from secure_clove.privacy.accounting import Totals, totals
from secure_clove.privacy.events import Name, Release

GENESIS = digest(b"secure_clove/ledger/1")
"""What the first entry points back to."""

ROUNDING = 1e-9
"""Relative excess over the limit that is put down to rounding."""

Key = tuple[FederationId, int, str, int, Name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One charged release.

    Attributes:
        sequence: Position in the ledger, from 0.
        previous: Hash of the entry before.
        federation: For which federation.
        round: Counted from 1.
        phase: Name of the exchange and its group, such as ``losses`` or ``train/2``.
        attempt: Counted from 1.
        release: What left and how it was noised.
    """

    sequence: int
    previous: Digest
    federation: FederationId
    round: int
    phase: str
    attempt: int
    release: Release

    def __post_init__(self) -> None:
        """Refuse positions that do not exist."""
        if self.sequence < 0 or min(self.round, self.attempt) < 1:
            raise ConfigError("sequence counts from 0, round and attempt count from 1")

    @property
    def key(self) -> Key:
        """What may be charged only once."""
        return self.federation, self.round, self.phase, self.attempt, self.release.name

    @property
    def hash(self) -> Digest:
        """SHA-256 of the canonical bytes, which hold the hash of the entry before."""
        return digest(encode(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A client's releases over all federations and the most they may cost together.

    Attributes:
        entries: Oldest first.
        limit: Largest ε in total; infinity allows releases without noise.
        delta: δ in (0, 1) at which ε is counted.
    """

    entries: tuple[Entry, ...] = ()
    limit: float
    delta: float

    def __post_init__(self) -> None:
        """Refuse a limit that is not a number, and a δ out of range."""
        object.__setattr__(self, "limit", float(self.limit))
        if math.isnan(self.limit) or self.limit < 0:
            raise ConfigError(f"the limit must be at least 0, found {self.limit}")
        if not 0 < self.delta < 1:
            raise ConfigError(f"delta must lie between 0 and 1, found {self.delta}")

    @property
    def head(self) -> Digest:
        """Hash of the last entry: it stands for the whole ledger."""
        return self.entries[-1].hash if self.entries else GENESIS

    @property
    def shares_noise(self) -> bool:
        """Whether some release was protected by noise that several clients share."""
        return any(entry.release.is_shared for entry in self.entries)

    def totals(self) -> Totals:
        """Return the ε spent so far."""
        return totals((entry.release for entry in self.entries), self.delta)

    def charge(
        self,
        *releases: Release,
        federation: FederationId,
        round: int,
        phase: str,
        attempt: int,
    ) -> "Ledger":
        """Return the ledger with ``releases`` entered: all of them, or none.

        A release is charged once: the same one again, after a crash say, changes nothing.

        Args:
            releases: What is about to leave, at most one of a name.
            federation: For which federation.
            round: Counted from 1.
            phase: Name of the exchange and its group.
            attempt: Counted from 1; each attempt is charged.

        Raises:
            BudgetExceededError: the total would pass the limit; nothing is entered.
            LocalProtocolError: another release is in the ledger under this key.
        """
        if len({release.name for release in releases}) < len(releases):
            raise LocalProtocolError("a charge holds at most one release of a name")
        grown = self
        for release in releases:
            entry = grown._next(release, federation, round, phase, attempt)
            if self._is_new(entry):
                grown = replace(grown, entries=(*grown.entries, entry))
        if grown is not self:
            grown._check_limit()
        return grown

    def verify(self) -> None:
        """Check that every entry stands where it was written and points to the one before.

        Raises:
            StoreError: the chain is broken; the message names the first entry that does not fit.
        """
        previous = GENESIS
        for index, entry in enumerate(self.entries):
            if entry.sequence != index or entry.previous != previous:
                raise StoreError(
                    f"the privacy ledger is broken at entry {index}: an entry was changed, moved "
                    "or removed; restore the ledger from a backup before taking part again"
                )
            previous = entry.hash

    def _next(
        self, release: Release, federation: FederationId, round: int, phase: str, attempt: int
    ) -> Entry:
        return Entry(
            sequence=len(self.entries),
            previous=self.head,
            federation=federation,
            round=round,
            phase=phase,
            attempt=attempt,
            release=release,
        )

    def _is_new(self, candidate: Entry) -> bool:
        for entry in self.entries:
            if entry.key == candidate.key:
                if entry.release != candidate.release:
                    raise LocalProtocolError(
                        f"this {entry.release.name} was charged with other noise in round "
                        f"{entry.round}, phase '{entry.phase}', attempt {entry.attempt}; a new "
                        "release needs a new attempt"
                    )
                return False
        return True

    def _check_limit(self) -> None:
        after = self.totals().total
        if after > self.limit * (1 + ROUNDING):
            raise BudgetExceededError(after=after, limit=self.limit, delta=self.delta)
