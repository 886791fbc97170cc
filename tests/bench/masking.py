"""What a secure sum costs beside the bare key streams that it cannot do without."""

import json
import time
from collections.abc import Callable
from statistics import median

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId, Digest, FederationId, digest
from secure_clove.foundation.trees import Vector
from secure_clove.sdk.entropy import SystemEntropy
from secure_clove.secagg.client import SumClient
from secure_clove.secagg.keys import Identity
from secure_clove.secagg.messages import Directory, Inbox, Reply, Signatures, Survivors
from secure_clove.secagg.quantise import Grid, Quantiser
from secure_clove.secagg.server import SumServer
from secure_clove.secagg.session import Carriage, Session

LENGTH = 1_000_000
CLIENTS = 101
BITS = 32
REPEATS = 9
QUANTISER = Quantiser(parts=((LENGTH, Grid(step=2.0**-16, bound=1.0)),))
SYSTEM = SystemEntropy()
VECTOR: Vector = np.random.default_rng(0).normal(scale=0.1, size=LENGTH)
ZEROS = bytes(LENGTH * BITS // 8)
ROOM = bytearray(len(ZEROS) + 15)


class Kept:
    """Bodies with their hashes, in memory of their own.

    As a store has it: what a session leaves there takes none of the memory that its clients and its
    coordinator use over and over.
    """

    def __init__(self) -> None:
        self._room = np.ones(CLIENTS * (len(ZEROS) + 2**16), dtype=np.uint8)
        self._used = 0
        self._stored: dict[str, dict[ClientId, tuple[slice, Digest]]] = {}

    def add(self, step: str, sender: ClientId, body: bytes) -> None:
        place = slice(self._used, self._used + len(body))
        self._room[place] = np.frombuffer(body, dtype=np.uint8)
        self._used = place.stop
        self._stored.setdefault(step, {})[sender] = place, digest(body)

    def get(self, step: str, sender: ClientId) -> bytes:
        return self._room[self._stored[step][sender][0]].tobytes()

    def digest(self, step: str, sender: ClientId) -> Digest | None:
        return self.senders(step).get(sender)

    def count(self, step: str) -> int:
        return len(self._stored.get(step, {}))

    def senders(self, step: str) -> dict[ClientId, Digest]:
        return {name: found for name, (_, found) in self._stored.get(step, {}).items()}


class Cohort:
    """All clients of one session and its coordinator, whose messages travel as bytes."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.identities = {n: Identity.from_bytes(SYSTEM.draw(32)) for n in session.cohort}
        self.roster = {name: identity.public for name, identity in self.identities.items()}
        self.server = SumServer.open(session, self.roster, 0)
        self.clients: dict[ClientId, SumClient] = {}
        self.bodies = Kept()

    def send(self, step: str, message: Reply) -> None:
        body = encode(message)
        self.server = self.server.receive(step, message.sender, body, 0, self.bodies)
        self.bodies.add(step, message.sender, body)

    def each(self, step: str, move: Callable[[ClientId], tuple[SumClient, Reply]]) -> None:
        for name in self.session.cohort:
            self.clients[name], message = move(name)
            self.send(step, message)

    def share(self) -> None:
        """R0 and R1."""
        self.each("advert", self._advert)
        directory = encode(self.server.directory(self.bodies))
        self.each("shares", lambda me: self.clients[me].share(decode(directory, Directory), SYSTEM))

    def mask(self) -> None:
        """R2."""
        inboxes = {name: encode(inbox) for name, inbox in self.server.inboxes(self.bodies)}
        self.each("masked", lambda me: self._masked(me, inboxes[me]))

    def unmask(self) -> None:
        """R3, R4 and the sum."""
        survivors = encode(self.server.survivors())
        self.each("consistency", lambda me: self.clients[me].agree(decode(survivors, Survivors)))
        signed = encode(self.server.signatures(self.bodies))
        self.each("unmask", lambda me: self.clients[me].unmask(decode(signed, Signatures)))
        self.server.total(self.bodies)

    def _advert(self, me: ClientId) -> tuple[SumClient, Reply]:
        return SumClient.open(
            self.session,
            me=me,
            identity=self.identities[me],
            roster=self.roster,
            entropy=SYSTEM,
        )

    def _masked(self, me: ClientId, inbox: bytes) -> tuple[SumClient, Reply]:
        client = self.clients[me].receive_shares(decode(inbox, Inbox))
        return client.mask(QUANTISER.encode(VECTOR, BITS, SYSTEM))


def cohort() -> Cohort:
    """Return 101 clients that have said nothing yet."""
    names = tuple(ClientId(f"c{number:03d}") for number in range(CLIENTS))
    session = Session(
        federation=FederationId("bench"),
        config=Digest("0" * 64),
        roster=Digest("0" * 64),
        round=1,
        phase="train/0",
        attempt=1,
        carriage=Carriage.MASKED,
        cohort=names,
        asks=(Digest("0" * 64),),
        length=LENGTH,
        ring_bits=BITS,
        min_cohort=3,
        stage_ms=1000,
        nonce=SYSTEM.draw(32),
    )
    return Cohort(session)


def receiver() -> SumClient:
    """Return one of 101 clients that holds the shares of all others."""
    party = cohort()
    party.share()
    me = party.session.cohort[CLIENTS // 2]
    return party.clients[me].receive_shares(party.server.inbox(me, party.bodies))


def keystreams(count: int) -> None:
    """Make ``count`` key streams of a vector's length, in the fastest way that CTR mode has."""
    for _ in range(count):
        key = algorithms.AES(SYSTEM.draw(32))
        Cipher(key, modes.CTR(bytes(16))).encryptor().update_into(ZEROS, ROOM)


def keep_memory() -> None:
    """Make the allocator keep what is freed, as in a client's process, where a model was trained.

    glibc keeps up to twice the largest block it ever saw freed. Without, every R2 gets 16 MB from
    the system anew, whose page faults take a tenth of its time on a virtual machine.
    """
    np.ones(31 * 2**17)


def cpu_seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def mask_ratio() -> dict[str, float]:
    """A client's whole R2 over the bare key streams of one self mask and 100 pair masks.

    R2 is: quantise, agree on 100 keys, mask, hash and sign. Ratio of the medians of turns.
    """
    client = receiver()
    keep_memory()

    def whole() -> None:
        client.mask(QUANTISER.encode(VECTOR, BITS, SYSTEM))

    def bare() -> None:
        keystreams(CLIENTS)

    for warm in (whole, bare):
        warm()
    pairs = [(cpu_seconds(whole), cpu_seconds(bare)) for _ in range(REPEATS)]
    ours, floor = (median(column) for column in zip(*pairs, strict=True))
    return {"ratio": ours / floor, "seconds": ours, "floor_seconds": floor}


def wire_ratio() -> float:
    """Bytes of a masked update as it is sent, over the bytes of its ring elements."""
    _, masked = receiver().mask(QUANTISER.encode(VECTOR, BITS, SYSTEM))
    return len(encode(masked)) / len(ZEROS)


def round_of_101() -> dict[str, float]:
    """CPU seconds of all steps of all 101 clients and of the coordinator, in this process."""
    party = cohort()
    found = {
        "R0-R1": cpu_seconds(party.share),
        "R2": cpu_seconds(party.mask),
        "R3-R4": cpu_seconds(party.unmask),
    }
    streams = CLIENTS * CLIENTS + CLIENTS  # and the coordinator takes off every self mask
    floor = cpu_seconds(lambda: keystreams(streams))
    total = sum(found.values())
    return {**found, "total": total, "floor": floor, "ratio": total / floor}


if __name__ == "__main__":
    measured = {
        "mask_ratio": mask_ratio(),
        "wire_ratio": wire_ratio(),
        "round_of_101": round_of_101(),
    }
    print(json.dumps(measured, indent=2))  # noqa: T201  this is what it is for
