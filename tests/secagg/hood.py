"""A session above 256 clients around one real client; the others only say what it needs to hear."""

from collections.abc import Iterable
from functools import cache

from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.secagg.client import SumClient
from secure_clove.secagg.envelope import SEALED_BYTES, Address, Entrusted, seal
from secure_clove.secagg.graph import Graph
from secure_clove.secagg.keys import agree, commitment, public_key
from secure_clove.secagg.messages import (
    Advert,
    Consistency,
    Directory,
    Inbox,
    Masked,
    Shares,
    Signatures,
    Survivors,
)
from secure_clove.secagg.transcript import (
    advert_statement,
    consistency_statement,
    early_h2,
    hash_u2,
    hash_u3,
    masked_statement,
)
from tests.secagg.party import Party, identity, ids, inputs, roster, session

NAMES = ids(257)
ME = NAMES[0]
ABOUT = session(len(NAMES), length=3)
ENTROPY = SimulatedEntropy(3)


class Hood:
    """Everybody has advertised and shared; whoever is asked for from then on says what is true."""

    def __init__(self) -> None:
        self.party = Party(ABOUT)
        for name in NAMES[1:]:
            self.party.send("advert", _advert(name))
        self.opened, mine = SumClient.open(
            ABOUT, me=ME, identity=identity(ME), roster=roster(NAMES), entropy=ENTROPY
        )
        self.party.send("advert", mine)
        directory = decode(encode(self.party.server.directory(self.party.bodies)), Directory)
        self.advertised = self.party.server
        self.client, self.shares = self.opened.share(directory, ENTROPY)
        self.party.send("shares", self.shares)
        for name in NAMES[1:]:
            self.party.send("shares", self.sealed(name))
        self.shared = self.party.server

    @property
    def graph(self) -> Graph:
        return self.client.graph

    @property
    def circle(self) -> tuple[ClientId, ...]:
        return self.graph.circle(ME)

    @property
    def far(self) -> ClientId:
        """Somebody whose circle has nobody in common with mine."""
        mine = set(self.circle)
        return next(c for c in NAMES if not mine & set(self.graph.circle(c)))

    def inbox(self) -> Inbox:
        return self.shared.inbox(ME, self.party.bodies)

    def masked(self) -> SumClient:
        client = self.client.receive_shares(self.inbox())
        return client.mask(inputs(ABOUT)[ME])[0]

    def sealed(self, name: ClientId) -> Shares:
        """Envelopes of another client, of which only the one for me opens."""
        sealed = {c: bytes(SEALED_BYTES) for c in self.graph.circle(name) if c != name}
        if ME in sealed:
            shares = Entrusted(key=bytes(33), seed=bytes(33))
            address = Address(sid=ABOUT.sid, h1=self.advertised.h1, source=name, target=ME)
            agreed = agree(_secret("share", name), self.client.adverts[ME].share_key)
            sealed[ME] = seal(shares, address, key=address.key(agreed))
        return Shares(sender=name, sealed=sealed)

    def vector(self, name: ClientId) -> Masked:
        values = memoryview(bytes(4 * ABOUT.length))
        h2 = early_h2(self.graph, self.shared.h2)
        statement = masked_statement(ABOUT.sid, self.shared.h1, h2, values)
        return Masked(sender=name, values=values, signature=identity(name).sign(*statement))

    def signatures(self, told: Survivors, signers: Iterable[ClientId]) -> Signatures:
        u2 = (*told.alive, *told.dropped)
        hashes = self.shared.h1, hash_u2(u2), hash_u3(told.alive)
        statement = consistency_statement(ABOUT.sid, *hashes)
        return Signatures(signatures={name: identity(name).sign(*statement) for name in signers})

    def consistency(self, name: ClientId, told: Survivors) -> Consistency:
        return Consistency(sender=name, signature=self.signatures(told, [name]).signatures[name])


@cache
def hood() -> Hood:
    """Return the one that all tests look at; whoever takes a step gets a value of its own."""
    return Hood()


def survivors(dropped: Iterable[ClientId] = ()) -> Survivors:
    lost = set(dropped)
    alive = tuple(name for name in NAMES if name not in lost)
    return Survivors(alive=alive, dropped=tuple(sorted(lost)))


def _secret(purpose: str, name: ClientId) -> bytes:
    return SimulatedEntropy(2, purpose, name).draw(32)


def _advert(name: ClientId) -> Advert:
    parts = {
        "share_key": public_key(_secret("share", name)),
        "mask_key": public_key(_secret("mask", name)),
        "commitment": commitment(_secret("seed", name), sid=ABOUT.sid, client=name),
    }
    signature = identity(name).sign(*advert_statement(ABOUT.sid, name, **parts))
    return Advert(sender=name, signature=signature, **parts)
