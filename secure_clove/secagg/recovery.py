"""The coordinator's arithmetic after R4: rebuild secrets, verify each, take the masks off the sum.

Source: protocol.md, "The coordinator rebuilds from exactly T shares, verifies, unmasks".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hmac import compare_digest

from secure_clove.errors import AbortedError, MalformedError
from secure_clove.foundation.ids import ClientId
from secure_clove.secagg import masks, shamir
from secure_clove.secagg.keys import commitment, pair_mask_key, public_key, self_mask_key
from secure_clove.secagg.messages import Advert, Unmask
from secure_clove.secagg.ring import Words


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recovery:
    """Everything needed to unmask one sum.

    Attributes:
        sid: Session identifier.
        h1: Hash of the adverts.
        h2: Hash of U2.
        adverts: U1 and its keys.
        alive: U3.
        dropped: U2 without U3.
        answers: Exactly T answers of R4, by sender.
    """

    sid: bytes
    h1: bytes
    h2: bytes
    adverts: Mapping[ClientId, Advert]
    alive: Sequence[ClientId]
    dropped: Sequence[ClientId]
    answers: Mapping[ClientId, Unmask] = field(repr=False)

    def unmask(self, words: Words) -> None:
        """Take every mask off ``words``, the sum of the masked vectors of U3, in place.

        Raises:
            AbortedError: a rebuilt secret is not the one its owner advertised.
        """
        weights = self._weights()
        add: list[bytes] = []
        subtract = [self._self_key(client, weights) for client in self.alive]
        for client in self.dropped:
            secret = self._mask_secret(client, weights)
            for peer in self.alive:  # the peer added the pair mask if it is the higher of the two
                side = subtract if client < peer else add
                side.append(self._pair_key(secret, client, peer))
        masks.apply(words, add=add, subtract=subtract)

    def _weights(self) -> tuple[int, ...]:
        position = {client: x for x, client in enumerate(sorted(self.adverts), start=1)}
        return shamir.weights([position[client] for client in self.answers])

    def _self_key(self, client: ClientId, weights: Sequence[int]) -> bytes:
        seed = _combine("seed", client, [a.seeds[client] for a in self.answers.values()], weights)
        found = commitment(seed, sid=self.sid, client=client)
        if not compare_digest(found, self.adverts[client].commitment):
            raise _false("seed", client)
        return self_mask_key(seed, sid=self.sid, client=client)

    def _mask_secret(self, client: ClientId, weights: Sequence[int]) -> bytes:
        secret = _combine("key", client, [a.keys[client] for a in self.answers.values()], weights)
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
