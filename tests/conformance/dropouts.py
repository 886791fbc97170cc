"""Random dropouts: sessions of 3 to 40 clients, of which some go silent at every step.

One cohort serves several patterns: what was said before two patterns part ways is said once.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import Rng, stream
from secure_clove.secagg.messages import Reply
from secure_clove.secagg.server import Stage
from tests.secagg.party import STEPS, Party, plain_sum, session

SIZES = range(3, 41)
WAYS = {"advert": 1, "shares": 2, "masked": 3, "consistency": 1, "unmask": 3}
"""Into how many patterns a session parts at each step."""

WORDS = 4


@dataclass
class Tally:
    """How patterns of dropouts ended.

    Attributes:
        sums: In the exact sum over who was in it.
        aborts: Without a sum, saying how many answers were missing.
        wrong: In anything else.
        cohorts: Sessions begun.
        sizes: Cohort sizes met.
        distinct: Patterns that differ in size, ring or who was silent when.
    """

    sums: int = 0
    aborts: int = 0
    wrong: int = 0
    cohorts: int = 0
    sizes: set[int] = field(default_factory=set)
    distinct: set[object] = field(default_factory=set)

    @property
    def patterns(self) -> int:
        return self.sums + self.aborts + self.wrong

    def __str__(self) -> str:
        return (
            f"{self.patterns} patterns of dropouts ({len(self.distinct)} distinct) in "
            f"{self.cohorts} cohorts of {min(self.sizes)} to {max(self.sizes)} clients: "
            f"{self.sums} exact sums, {self.aborts} clean aborts, {self.wrong} wrong sums"
        )


def random_dropouts(count: int, seed: int = 0) -> Tally:
    """Return how at least ``count`` random patterns of dropouts ended."""
    rng, tally = stream(seed, "dropouts"), Tally()
    weights = 1 / np.array(SIZES)
    while tally.patterns < count:
        size = int(rng.choice(SIZES, p=weights / weights.sum()))
        bits = int(rng.choice([32, 64]))
        tally.cohorts += 1
        tally.sizes.add(size)
        about = session(size, length=WORDS, ring_bits=bits)
        for party, silent in _played(Party(about, seed=tally.cohorts), 0, (), rng):
            tally.distinct.add((size, bits, silent))
            _judge(party, tally, bearable=_bearable(size, silent))
    return tally


Silent = tuple[frozenset[ClientId], ...]


def _played(party: Party, at: int, silent: Silent, rng: Rng) -> Iterator[tuple[Party, Silent]]:
    """Play a session from one step on; yield it once for each pattern."""
    if at == len(STEPS) or party.server.stage is Stage.ABORTED:
        yield party, silent
        return
    step, said = STEPS[at], {}
    for client in party.server.expected:
        said[client] = party.message(step, client)
    for lost in _ways(list(said), WAYS[step], rng):
        branch = _branch(party)
        _deliver(branch, step, {c: message for c, message in said.items() if c not in lost})
        yield from _played(branch, at + 1, (*silent, lost), rng)


def _ways(expected: list[ClientId], count: int, rng: Rng) -> list[frozenset[ClientId]]:
    """Return up to ``count`` different answers to who goes silent."""
    drawn = dict.fromkeys(_lost(expected, rng) for _ in range(2 * count))
    return list(drawn)[:count]


def _lost(expected: list[ClientId], rng: Rng) -> frozenset[ClientId]:
    """Nobody as often as not; otherwise up to a few more than a whole session can bear."""
    if rng.random() < 0.5:
        return frozenset()
    most = max(1, round(len(expected) * rng.choice([0.1, 0.2, 0.4])))
    chosen = rng.choice(len(expected), size=int(rng.integers(1, most + 1)), replace=False)
    return frozenset(expected[index] for index in chosen)


def _branch(party: Party) -> Party:
    """Return a session that goes on from here without touching this one."""
    found = copy.copy(party)
    found.clients, found.stored = dict(party.clients), dict(party.stored)
    return found


def _deliver(party: Party, step: str, said: dict[ClientId, Reply]) -> None:
    """Let the messages arrive, and the deadline pass if one is missing."""
    stage = party.server.stage
    for message in said.values():
        party.send(step, message)
    if party.server.stage is stage:
        party.now = party.server.deadline_ms
        party.server = party.server.tick(party.now, party.bodies)


def _bearable(size: int, silent: Silent) -> bool:
    """Whether three advertise and floor(2 |U1| / 3) + 1 answer every later step."""
    left = [size - sum(map(len, silent[: at + 1])) for at in range(len(STEPS))]
    return left[0] >= 3 and left[-1] >= 2 * left[0] // 3 + 1


def _judge(party: Party, tally: Tally, *, bearable: bool) -> None:
    """Count an end; an abort that was not called for is as wrong as a false sum."""
    if party.server.stage is Stage.ABORTED:
        is_clean = not bearable and "are needed" in party.server.reason
        tally.aborts, tally.wrong = tally.aborts + is_clean, tally.wrong + (not is_clean)
        return
    expected = plain_sum(party.session, party.vectors, party.server.u3)
    is_exact = bearable and np.array_equal(party.server.total(party.bodies), expected)
    tally.sums, tally.wrong = tally.sums + is_exact, tally.wrong + (not is_exact)
