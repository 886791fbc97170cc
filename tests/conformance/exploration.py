"""Every session that a lying coordinator can play with at most four honest clients.

A client is a value, so a branch costs nothing: each machine is asked once what it makes of each
thing it can be shown. What it answers is then put together into every order of every session.
The coordinator forges whatever nobody signs, and shows whatever was signed for anybody.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations, product

import numpy as np

from secure_clove.errors import CloveError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.secagg.client import SumClient
from secure_clove.secagg.messages import (
    Advert,
    Directory,
    Inbox,
    Shares,
    Signatures,
    Survivors,
    Unmask,
)
from secure_clove.secagg.transcript import threshold
from tests.secagg.party import identity, ids, roster, session

Names = frozenset[ClientId]
View = tuple[Names, Names]
"""U2 and U3 as one client was shown them."""


def subsets(names: Sequence[ClientId]) -> Iterator[Names]:
    sizes = range(len(names) + 1)
    return map(frozenset, chain.from_iterable(combinations(names, size) for size in sizes))


@dataclass
class Deliveries:
    """How often a machine was shown something, and took or refused it."""

    taken: int = 0
    refused: int = 0


@dataclass
class Client:
    """One honest client in each state that it can get into once everybody has seen one U1.

    Attributes:
        shared: After R1.
        masked: After R2, by the U2 it was shown.
        agreed: After R3 with its signature, by the U2 and U3 it was shown.
        answers: What it reveals in R4, by view.
        quorums: For each view, the sets of signatures that it takes: whose, in which view.
    """

    shared: SumClient
    masked: dict[Names, SumClient] = field(default_factory=dict)
    agreed: dict[View, tuple[SumClient, bytes]] = field(default_factory=dict)
    answers: dict[View, Unmask] = field(default_factory=dict)
    quorums: dict[View, set[frozenset[tuple[ClientId, View]]]] = field(default_factory=dict)


class Cast:
    """The clients of one session, opened; what they can be shown, and what they make of it."""

    def __init__(self, count: int) -> None:
        self.names = ids(count)
        self.session = session(count, length=1)
        self.threshold = threshold(count)
        self.deliveries = Deliveries()
        self.opened: dict[ClientId, tuple[SumClient, Advert]] = {
            name: SumClient.open(
                self.session,
                me=name,
                identity=identity(name),
                roster=roster(self.names),
                entropy=SimulatedEntropy(0, "keys", name),
            )
            for name in self.names
        }

    # ---- R1 and R2: what each client makes of a directory and of an inbox

    def share(self, me: ClientId, u1: Names) -> tuple[SumClient, Shares] | None:
        """Show ``me`` a directory with the adverts of ``u1``; None if it refuses."""
        adverts = tuple(self.opened[name][1] for name in sorted(u1))
        entropy = SimulatedEntropy(0, "shares", me, *sorted(u1))
        try:
            found = self.opened[me][0].share(Directory(adverts=adverts), entropy)
        except CloveError:
            self.deliveries.refused += 1
            return None
        self.deliveries.taken += 1
        return found

    def receive(self, client: SumClient, sealed: dict[ClientId, bytes]) -> SumClient | None:
        """Show a client an inbox; None if it refuses."""
        try:
            found = client.receive_shares(Inbox(sealed=sealed))
        except CloveError:
            self.deliveries.refused += 1
            return None
        self.deliveries.taken += 1
        return found

    # ---- every state of every client under one U1

    def clients(self) -> dict[ClientId, Client]:
        """Ask every machine about every view, and about every collection of signatures."""
        all_ = frozenset(self.names)
        shared = {me: self._shared(me, all_) for me in self.names}
        found = {me: Client(shared=machine) for me, (machine, _) in shared.items()}
        for me, client in found.items():
            sealed = {n: said.sealed[me] for n, (_, said) in shared.items() if n != me}
            self._receive_all(me, client, sealed)
            self._agree_all(client)
        for me, client in found.items():
            for view in client.agreed:
                self._unmask_all(me, client, view, found)
        return found

    def _shared(self, me: ClientId, u1: Names) -> tuple[SumClient, Shares]:
        found = self.share(me, u1)
        if found is None:
            raise AssertionError("an honest directory was refused")
        return found

    def _receive_all(self, me: ClientId, client: Client, sealed: dict[ClientId, bytes]) -> None:
        for peers in subsets(sorted(sealed)):
            received = self.receive(client.shared, {peer: sealed[peer] for peer in peers})
            if received is not None:
                vector = np.zeros(1, dtype=np.uint64)
                client.masked[peers | {me}] = received.mask(vector)[0]

    def _agree_all(self, client: Client) -> None:
        for u2, machine in client.masked.items():
            for alive, dropped in product(subsets(self.names), repeat=2):
                try:
                    survivors = Survivors(
                        alive=tuple(sorted(alive)), dropped=tuple(sorted(dropped))
                    )
                    agreed, said = machine.agree(survivors)
                except CloveError:
                    self.deliveries.refused += 1
                    continue
                self.deliveries.taken += 1
                client.agreed[u2, alive] = (agreed, said.signature)

    def _unmask_all(
        self, me: ClientId, client: Client, view: View, everybody: dict[ClientId, Client]
    ) -> None:
        """Show one client every collection of signatures that can exist together with its own."""
        machine = client.agreed[view][0]
        taken = client.quorums.setdefault(view, set())
        slots: list[list[tuple[ClientId, View] | None]] = [
            [None, *((name, seen) for seen in ([view] if name == me else everybody[name].agreed))]
            for name in self.names
        ]
        for chosen in product(*slots):
            signed = [one for one in chosen if one is not None]
            shown = {name: everybody[name].agreed[seen][1] for name, seen in signed}
            try:
                _, answer = machine.unmask(Signatures(signatures=shown))
            except CloveError:
                self.deliveries.refused += 1
                continue
            self.deliveries.taken += 1
            client.answers[view] = answer
            taken.add(frozenset(signed))


# ---- all orders

Local = tuple[str, Names, Names]
"""Where a client stands: at ``shared``, ``masked``, ``agreed`` or ``erased``, with what views."""

NOBODY: Names = frozenset()


@dataclass
class Explored:
    """What was visited.

    Attributes:
        configurations: Different states of all clients together.
        branches: Steps from one of them to another.
        finished: Configurations in which somebody has unmasked.
    """

    configurations: int = 0
    branches: int = 0
    finished: int = 0


class Explorer:
    """Walks through every order in which a coordinator can lead the clients on.

    Args:
        clients: Every honest client in all its states.
        liars: Clients that side with the coordinator: they sign every view and reveal all.
        threshold: T of the session.
    """

    def __init__(self, clients: dict[ClientId, Client], *, liars: Names, threshold: int) -> None:
        self._clients, self._liars, self._threshold = clients, liars, threshold
        self._honest = [name for name in clients if name not in liars]
        self.explored = Explored()

    def walk(self) -> Explored:
        """Visit every configuration once and check each.

        Raises:
            AssertionError: one of them breaks a promise.
        """
        start: tuple[Local, ...] = tuple(("shared", NOBODY, NOBODY) for _ in self._honest)
        seen, waiting = {start}, deque([start])
        while waiting:
            now = waiting.popleft()
            self._check(now)
            for then in self._next(now):
                self.explored.branches += 1
                if then not in seen:
                    seen.add(then)
                    waiting.append(then)
        self.explored.configurations = len(seen)
        return self.explored

    def _next(self, now: tuple[Local, ...]) -> Iterator[tuple[Local, ...]]:
        for place, (stage, u2, u3) in enumerate(now):
            client = self._clients[self._honest[place]]
            if stage == "shared":
                steps = [("masked", u2, NOBODY) for u2 in client.masked]
            elif stage == "masked":
                steps = [("agreed", u2, alive) for seen, alive in client.agreed if seen == u2]
            elif stage == "agreed" and self._can_unmask(client, (u2, u3), now):
                steps = [("erased", u2, u3)]
            else:
                steps = []
            for step in steps:
                yield (*now[:place], step, *now[place + 1 :])

    def _can_unmask(self, client: Client, view: View, now: tuple[Local, ...]) -> bool:
        """Whether the coordinator holds a collection of signatures that this client takes."""
        held = {
            (name, (u2, u3))
            for name, (stage, u2, u3) in zip(self._honest, now, strict=True)
            if stage in ("agreed", "erased")
        }
        return any(
            all(one in held or one[0] in self._liars for one in quorum)
            for quorum in client.quorums[view]
        )

    def _check(self, now: tuple[Local, ...]) -> None:
        done = [
            (self._clients[name].answers[u2, u3], (u2, u3))
            for name, (stage, u2, u3) in zip(self._honest, now, strict=True)
            if stage == "erased"
        ]
        if not done:
            return
        self.explored.finished += 1
        assert len({view for _, view in done}) == 1, "two views of one session were unmasked"
        for target in self._honest:
            seeds = sum(target in answer.seeds for answer, _ in done) + len(self._liars)
            keys = sum(target in answer.keys for answer, _ in done) + len(self._liars)
            assert min(seeds, keys) < self._threshold, "both secrets of one client can be rebuilt"
            assert not any(target in a.seeds and target in a.keys for a, _ in done)
