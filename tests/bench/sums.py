"""What a large masked sum costs its coordinator: CPU as clients grow in number, memory of vectors.

The coordinator is the real one with its store in a folder. Clients are simulated: they say what
honest clients would, with true keys and signatures, but leave out what the coordinator never looks
into: envelopes are empty, shares are those of a constant polynomial, and pair masks are put on only
where one of the two drops out, since all others cancel.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from math import log
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from secure_clove.engine.coordinator import Coordinator
from secure_clove.engine.messages import CONFIG_TAG, ROSTER_TAG, Roster, Signed
from secure_clove.engine.pipeline import from_ring, pack, to_ring, unpack
from secure_clove.engine.plan import Config
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.secagg import masks, ring
from secure_clove.secagg.client import advertise
from secure_clove.secagg.envelope import SEALED_BYTES
from secure_clove.secagg.graph import Graph, draw
from secure_clove.secagg.keys import Identity, SessionKeys, pair_mask_key, self_mask_key
from secure_clove.secagg.messages import (
    Advert,
    Consistency,
    Directory,
    Masked,
    Reply,
    Shares,
    Survivors,
    Unmask,
)
from secure_clove.secagg.session import Session
from secure_clove.secagg.transcript import (
    consistency_statement,
    early_h2,
    hash_adverts,
    hash_u2,
    hash_u3,
    masked_statement,
)
from secure_clove.stores.sql import SqlStore
from tests.engine.builders import NAME, config, identity

P = ParamSpec("P")
T = TypeVar("T")

DISTINCT = 4
"""How many different inputs there are; every client masks and signs its own copy."""

SIZES = (1000, 3000, 10_000)


class Stopwatch:
    """CPU seconds of this process inside some calls."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(
        self, what: str, call: Callable[P, T], /, *arguments: P.args, **named: P.kwargs
    ) -> T:
        began = time.process_time()
        found = call(*arguments, **named)
        self.seconds[what] = self.seconds.get(what, 0.0) + time.process_time() - began
        return found


class Crowd:
    """The clients of one federation: names, keys, and what they say in its one session.

    Args:
        count: How many there are, of which every hundredth drops out after it has shared.
        settings: Of the federation.
    """

    def __init__(self, count: int, settings: Config) -> None:
        entropy = SimulatedEntropy(0, "crowd")
        self.names = tuple(ClientId(f"c{number:05d}") for number in range(count))
        self.dropped = frozenset(self.names[::100])
        self.alive = tuple(name for name in self.names if name not in self.dropped)
        self.identities = {n: Identity.from_bytes(entropy.draw(32)) for n in self.names}
        self.keys = {name: SessionKeys.draw(entropy) for name in self.names}
        self.settings = settings
        self.session: Session
        self.graph: Graph
        self.adverts: dict[ClientId, Advert]
        self.h1 = b""

    def inputs(self) -> list[NDArray[np.uint64]]:
        """Return the distinct inputs as ring elements."""
        rng = np.random.default_rng(0)
        bits, (train,) = self.session.ring_bits, self.settings.build().exchanges
        update = rng.normal(size=(DISTINCT, self.settings.parameters))
        counts = {"examples": np.ones(()), "correct": np.ones(()), "held_out": np.ones(())}
        return [
            to_ring(
                self.settings,
                train,
                {"update": row, **counts},
                bits=bits,
                honest=1,
                entropy=SimulatedEntropy(0, "rounding"),
            )
            for row in update
        ]

    def input(self, name: ClientId) -> int:
        """Return which of the inputs is a client's."""
        return int(name[1:]) % DISTINCT

    def advert(self, name: ClientId) -> Advert:
        return advertise(self.session.sid, name, self.identities[name], self.keys[name])

    def learn(self, directory: Directory) -> None:
        """Take the directory, as every client would."""
        self.h1 = hash_adverts(directory.adverts)
        self.adverts = {advert.sender: advert for advert in directory.adverts}
        self.graph = draw(self.adverts, self.session.sid, self.h1)
        self.h2 = hash_u2(self.names)
        self.vectors = self.inputs()

    def shares(self, name: ClientId) -> Shares:
        empty = bytes(SEALED_BYTES)
        sealed = {peer: empty for peer in self.graph.circle(name) if peer != name}
        return Shares(sender=name, sealed=sealed)

    def masked(self, name: ClientId) -> Masked:
        session, me = self.session, self.keys[name]
        h2 = early_h2(self.graph, self.h2)
        own = self_mask_key(me.seed, sid=session.sid, client=name)
        lost = [peer for peer in self.graph.circle(name) if peer in self.dropped]
        pairs = {
            peer: pair_mask_key(
                me.mask_secret,
                self.adverts[peer].mask_key,
                sid=session.sid,
                h1=self.h1,
                h2=h2,
                pair=(name, peer),
            )
            for peer in lost
        }
        add = [own, *(key for peer, key in pairs.items() if peer < name)]
        subtract = [key for peer, key in pairs.items() if peer > name]
        vector = self.vectors[self.input(name)]
        words = ring.narrow(vector, length=session.length, bits=session.ring_bits)
        masks.apply(words, add=add, subtract=subtract)
        values = ring.view(words)
        statement = masked_statement(session.sid, self.h1, h2, values)
        signature = self.identities[name].sign(*statement)
        return Masked(sender=name, values=values, signature=signature)

    def consistency(self, name: ClientId, told: Survivors) -> Consistency:
        h3 = hash_u3(told.alive)
        statement = consistency_statement(self.session.sid, self.h1, self.h2, h3)
        return Consistency(sender=name, signature=self.identities[name].sign(*statement))

    def unmask(self, name: ClientId) -> Unmask:
        seeds, keys = {}, {}
        for peer in self.graph.circle(name):
            if peer in self.dropped:
                keys[peer] = b"\0" + self.keys[peer].mask_secret
            else:
                seeds[peer] = b"\0" + self.keys[peer].seed
        return Unmask(sender=name, seeds=seeds, keys=keys)

    def total(self) -> dict[str, Any]:
        """Return what the sum over all who do not drop out must be."""
        words = ring.zeros(self.session.length, 64)
        for name in self.alive:
            words += self.vectors[self.input(name)]
        bits, (train,) = self.session.ring_bits, self.settings.build().exchanges
        residues = ring.reduce(words.view(np.int64), bits)
        return from_ring(self.settings, train, residues, bits=bits, clients=len(self.alive))


class Table:
    """A coordinator and a crowd around one masked session of FedAvg.

    Args:
        count: Clients.
        length: Parameters of the model.
        folder: Of the coordinator's store.
    """

    def __init__(self, count: int, length: int, folder: Path) -> None:
        initial = pack({"models": np.zeros((1, length))})
        settings = config(
            initial,
            algorithm="fedavg",
            parameters=length,
            clusters=1,
            rounds=1,
            max_examples=1,
            update_step=2.0**-8,
            stage_ms=1000,
        )
        self.crowd = Crowd(count, settings)
        self.store = SqlStore(folder)
        self.coordinator = Coordinator(self.store, SimulatedEntropy(0, "nonce"))
        self.spent = Stopwatch()
        self.now = 0
        key = identity("federation")
        self.coordinator.create(Signed.seal(settings, CONFIG_TAG, key), initial)
        keys = {name: found.public for name, found in self.crowd.identities.items()}
        roster = Roster(federation=NAME, config=settings.hash, clients=keys)
        self.coordinator.start(NAME, Signed.seal(roster, ROSTER_TAG, key), self.now)

    def gather(self) -> None:
        """Let everybody show up, so that the round begins."""
        for name in self.crowd.names:
            self.spent("gather", self.coordinator.current, NAME, name, self.now)

    def run(self) -> None:
        """Hold the session: every client fetches what it needs and sends what it must."""
        crowd, names, alive = self.crowd, self.crowd.names, self.crowd.alive
        for name in names:
            found = self.spent("invite", self.coordinator.current, NAME, name, self.now)
            if found.invitation is not None:
                crowd.session = found.invitation.session
            self.put("advert", crowd.advert(name))
        crowd.learn(decode(self.fetch("directory", names), Directory))
        for name in names:
            self.put("shares", crowd.shares(name))
        self.fetch("inbox", names)
        for name in alive:
            self.put("masked", crowd.masked(name))
        self.now += 1000  # those who dropped out are waited for
        self.spent("masked", self.coordinator.tick, self.now)
        told = decode(self.fetch("survivors", alive), Survivors)
        for name in alive:
            self.put("consistency", crowd.consistency(name, told))
        self.fetch("signatures", alive)
        for name in alive[:-1]:
            self.put("unmask", crowd.unmask(name))
        self.put("total", crowd.unmask(alive[-1]))

    def put(self, what: str, message: Reply) -> None:
        step = "unmask" if what == "total" else what
        body, sid = encode(message), self.crowd.session.sid.hex()
        self.spent(what, self.coordinator.put, sid, step, message.sender, body, self.now)

    def fetch(self, what: str, names: Iterable[ClientId]) -> bytes:
        """Return what the last of ``names`` gets."""
        sid, body = self.crowd.session.sid.hex(), None
        for name in names:
            body = self.spent(what, self.coordinator.fetch, sid, what, name)
        if body is None:
            raise ValueError(f"there is no {what}")
        return body

    def check(self) -> None:
        """Refuse a sum that is not that of all who did not drop out.

        Raises:
            ValueError: it is another one.
        """
        (kept,) = self.coordinator.state(NAME).sums
        found, expected = unpack(self.coordinator.artefact(kept.content)), self.crowd.total()
        if kept.clients != len(self.crowd.alive) or any(
            not np.array_equal(found[part], expected[part]) for part in expected
        ):
            raise ValueError("the coordinator's sum is not the sum of the inputs")


def server_growth(sizes: Iterable[int] = SIZES) -> dict[str, Any]:
    """Return the coordinator's CPU seconds of one masked session, for d = 1000, by clients.

    ``ratio`` is its growth over that of n log n, from the smallest size on: at most 1 means that
    the work grows no faster.
    """
    seconds = {}
    memory = Path("/dev/shm")  # noqa: S108  so that no disk is waited for
    for count in sizes:
        with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
            table = Table(count, 1000, Path(folder))
            table.gather()
            table.run()
            table.check()
            table.store.close()
        seconds[count] = {what: round(s, 3) for what, s in table.spent.seconds.items()}
    totals = {count: sum(parts.values()) for count, parts in seconds.items()}
    least = min(totals)
    unit = totals[least] / (least * log(least))
    ratio = {count: total / (count * log(count)) / unit for count, total in totals.items()}
    return {"seconds": totals, "ratio": ratio, "parts": seconds}


def server_memory(count: int = 1000, length: int = 1_000_000) -> dict[str, float]:
    """Return by how many MiB a process grows at most that receives and totals long vectors.

    It makes the vectors too, one at a time.
    """
    code = f"from tests.bench.sums import hold; hold({count}, {length})"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(run.stdout)
    return found


def hold(count: int, length: int) -> None:
    """Hold a session; print the growth of this process's resident memory, as Linux tells it."""
    with TemporaryDirectory() as folder:
        table = Table(count, length, Path(folder))
        before = _memory()["VmRSS"]
        table.gather()
        table.run()
        table.check()
        table.store.close()
    peak = _memory()["VmHWM"]
    vector = length * table.crowd.session.ring_bits / 8 / 2**20
    found = {"mib": (peak - before) / 1024, "before_mib": before / 1024, "vector_mib": vector}
    sys.stdout.write(json.dumps(found))


def _memory() -> dict[str, int]:
    """Return the fields of this process's status that are in KiB."""
    lines = Path(f"/proc/{os.getpid()}/status").read_text().splitlines()
    fields = [line.split() for line in lines if line.endswith(" kB")]
    return {name.rstrip(":"): int(value) for name, value, _ in fields}
