"""The coordinator's arithmetic after R4: rebuild secrets, verify each, take the masks off the sum.

Source: protocol.md, "The coordinator rebuilds from exactly T shares, verifies, unmasks".
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hmac import compare_digest
from itertools import islice

from secure_clove.errors import AbortedError, MalformedError
from secure_clove.foundation.ids import ClientId
from secure_clove.secagg import masks, shamir
from secure_clove.secagg.graph import Graph
from secure_clove.secagg.keys import commitment, pair_mask_key, public_key, self_mask_key
from secure_clove.secagg.messages import Advert, Unmask
from secure_clove.secagg.ring import Words

KEYS_AT_ONCE = 1024
"""How many mask streams are open at a time."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Holders:
    """Whose shares rebuild a secret.

    Attributes:
        clients: Exactly T who answered R4.
        weights: Their Lagrange weights.
    """

    clients: tuple[ClientId, ...]
    weights: tuple[int, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recovery:
    """Everything needed to unmask one sum.

    Attributes:
        sid: Session identifier.
        h1: Hash of the adverts.
        h2: Hash of U2 as the pair masks of R2 use it.
        graph: Of U1.
        adverts: U1 and its keys.
        alive: U3.
        dropped: U2 without U3.
        answered: Who answered R4, T in the circle of each of U2.
        answer: Loads an answer of R4; asked for more than once, but seldom.
    """

    sid: bytes
    h1: bytes
    h2: bytes
    graph: Graph
    adverts: Mapping[ClientId, Advert]
    alive: Collection[ClientId]
    dropped: Collection[ClientId]
    answered: Collection[ClientId]
    answer: Callable[[ClientId], Unmask] = field(repr=False)

    def unmask(self, words: Words) -> None:
        """Take every mask off ``words``, the sum of the masked vectors of U3, in place.

        Raises:
            AbortedError: a rebuilt secret is not the one its owner advertised.
        """
        signed = self._keys()
        while some := list(islice(signed, KEYS_AT_ONCE)):
            add = [key for key, is_added in some if is_added]
            subtract = [key for key, is_added in some if not is_added]
            masks.apply(words, add=add, subtract=subtract)

    def _keys(self) -> Iterator[tuple[bytes, bool]]:
        """Yield the key of every mask in the sum, and whether it is to be added."""
        load = lru_cache(maxsize=4 * self.graph.reach + 2)(self.answer)  # two circles of answers
        for client, holders in self._holders():
            answers = [load(holder) for holder in holders.clients]
            if client in self.alive:
                yield self._self_key(client, answers, holders.weights), False
                continue
            secret = self._mask_secret(client, answers, holders.weights)
            for peer in self.graph.circle(client):
                if peer in self.alive:  # it added the pair mask if it is the higher of the two
                    yield self._pair_key(secret, client, peer), peer < client

    def _holders(self) -> Iterator[tuple[ClientId, Holders]]:
        """Yield U2 down the ring, each with T holders of its shares.

        The first T in ring order of one circle stay holders for many clients further down, so that
        their weights are seldom computed anew.
        """
        places = {client: x for x, client in enumerate(sorted(self.adverts), start=1)}
        found = Holders(clients=(), weights=())
        for client in reversed(self.graph.order):
            if client not in self.alive and client not in self.dropped:
                continue
            circle = self.graph.circle(client)
            if not found.clients or not set(circle).issuperset(found.clients):
                there = [holder for holder in circle if holder in self.answered]
                chosen = tuple(there[: self.graph.threshold])
                weights = shamir.weights([places[holder] for holder in chosen])
                found = Holders(clients=chosen, weights=weights)
            yield client, found

    def _self_key(
        self, client: ClientId, answers: Sequence[Unmask], weights: Sequence[int]
    ) -> bytes:
        seed = _combine("seed", client, [a.seeds[client] for a in answers], weights)
        found = commitment(seed, sid=self.sid, client=client)
        if not compare_digest(found, self.adverts[client].commitment):
            raise _false("seed", client)
        return self_mask_key(seed, sid=self.sid, client=client)

    def _mask_secret(
        self, client: ClientId, answers: Sequence[Unmask], weights: Sequence[int]
    ) -> bytes:
        secret = _combine("key", client, [a.keys[client] for a in answers], weights)
        if not compare_digest(public_key(secret), self.adverts[client].mask_key):
            raise _false("key", client)
        return secret

    def _pair_key(self, secret: bytes, client: ClientId, peer: ClientId) -> bytes:
        public = self.adverts[peer].mask_key
        pair = (client, peer)
        return pair_mask_key(secret, public, sid=self.sid, h1=self.h1, h2=self.h2, pair=pair)


def _combine(what: str, client: ClientId, shares: Sequence[bytes], weights: Sequence[int]) -> bytes:
    try:
        return shamir.combine(shares, weights)
    except (MalformedError, AbortedError) as error:
        raise _false(what, client) from error


def _false(what: str, client: ClientId) -> AbortedError:
    return AbortedError(
        f"R4: the {what} rebuilt for '{client}' is not the one it advertised: a share was false; "
        "run the exchange again in a new attempt"
    )
