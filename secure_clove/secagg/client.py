"""The client's half of one secure sum: R0 to R4 with every check of the protocol, no I/O.

A `SumClient` is a value that each step replaces. Drop the old one: keys live in memory only, and
they go as soon as no later step needs them. Source: protocol.md, "Messages of SCA-Full".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Self

import numpy as np
from numpy.typing import NDArray

from secure_clove.errors import LocalProtocolError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import Entropy
from secure_clove.secagg import masks, ring, shamir
from secure_clove.secagg.checks import (
    check_directory,
    check_inbox,
    check_invited,
    check_signatures,
    check_survivors,
)
from secure_clove.secagg.envelope import Address, Entrusted, seal, unseal
from secure_clove.secagg.graph import Graph, draw
from secure_clove.secagg.keys import (
    Identity,
    SessionKeys,
    agree,
    commitment,
    pair_mask_key,
    private_key,
    public_key,
    self_mask_key,
)
from secure_clove.secagg.messages import (
    Advert,
    Consistency,
    Directory,
    Inbox,
    Masked,
    Shares,
    Signatures,
    Survivors,
    Unmask,
)
from secure_clove.secagg.session import Session
from secure_clove.secagg.transcript import (
    advert_statement,
    consistency_statement,
    early_h2,
    hash_adverts,
    hash_u2,
    hash_u3,
    masked_statement,
    threshold,
)


class ClientStage(Enum):
    """What a client has done last; it only ever moves down this list."""

    ADVERTISED = "advertised"
    SHARED = "shared"
    RECEIVED = "received"
    MASKED = "masked"
    AGREED = "agreed"
    ERASED = "erased"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SumClient:
    """One client in one session.

    Attributes:
        session: What is summed, among whom.
        sid: Its identifier, which takes a hash over the whole cohort.
        me: This client.
        roster: 32-byte Ed25519 key of every client of the cohort.
        stage: What was done last.
        identity: Signing key; gone once R4 is answered.
        keys: This session's secrets; gone once the vector is masked.
        adverts: U1 with its keys, from R1 on.
        graph: Of U1, from R1 on; before, I stand on it alone.
        held: Shares entrusted by U2 around me, mine included; gone once R4 is answered.
        opening: Keys of my neighbours' envelopes to me, from R1 until they are opened.
        h1: Hash of the adverts, from R1 on.
        u2: Whose shares I hold, from R2 on; all of U2 from R3 on.
        u3: Who is in the sum by the list I signed, from R3 on.
    """

    session: Session
    sid: bytes
    me: ClientId
    roster: Mapping[ClientId, bytes]
    stage: ClientStage
    identity: Identity | None = field(repr=False)
    keys: SessionKeys | None = field(repr=False)
    adverts: Mapping[ClientId, Advert]
    graph: Graph
    held: Mapping[ClientId, Entrusted] = field(default_factory=dict, repr=False)
    opening: Mapping[ClientId, bytes] = field(default_factory=dict, repr=False)
    h1: bytes = b""
    u2: tuple[ClientId, ...] = ()
    u3: tuple[ClientId, ...] = ()

    @classmethod
    def open(
        cls,
        session: Session,
        *,
        me: ClientId,
        identity: Identity,
        roster: Mapping[ClientId, bytes],
        entropy: Entropy,
    ) -> tuple[Self, Advert]:
        """R0: return the client and its advert, with keys made for this session.

        The engine has checked the session against the client's own policy, budget, models and log.

        Args:
            session: Carried masked, with ``me`` in its cohort.
            me: This client.
            identity: Its signing key, the one in the roster.
            roster: 32-byte Ed25519 keys, for the whole cohort at least.
            entropy: Where the keys come from.

        Raises:
            LocalProtocolError: the session is not a masked one, or the roster has another key.
            UnknownClientError: ``me`` is not in the cohort, or one of the cohort not in the roster.
            CohortTooSmallError: fewer than ``min_cohort`` clients, or fewer than three.
        """
        check_invited(session, me, identity, roster)
        keys = SessionKeys.draw(entropy)
        sid = session.sid
        advert = advertise(sid, me, identity, keys)
        client = cls(
            session=session,
            sid=sid,
            me=me,
            roster={client: roster[client] for client in session.cohort},
            stage=ClientStage.ADVERTISED,
            identity=identity,
            keys=keys,
            adverts={me: advert},
            graph=draw([me], sid, b""),
        )
        return client, advert

    @property
    def threshold(self) -> int:
        """T of all signatures, computed here from U1 and from nothing the coordinator says."""
        return threshold(len(self.adverts))

    def share(self, directory: Directory, entropy: Entropy) -> tuple[Self, Shares]:
        """R1: check everybody's keys and entrust each neighbour with a share of my two secrets.

        Raises:
            LocalProtocolError: not the next step.
            UnknownClientError: an advert from outside the cohort.
            BadSignatureError: an advert not signed by its sender for this very session.
            RemoteProtocolError: my advert is missing or altered, or two public keys are equal.
            CohortTooSmallError: U1 holds fewer than ``min_cohort`` clients, or fewer than three.
        """
        keys = self._keys_at(ClientStage.ADVERTISED)
        mine = self.adverts[self.me]
        check_directory(directory, mine, session=self.session, roster=self.roster)
        adverts = {advert.sender: advert for advert in directory.adverts}
        h1 = hash_adverts(adverts.values())
        graph = draw(adverts, self.sid, h1)
        client = replace(self, stage=ClientStage.SHARED, adverts=adverts, graph=graph, h1=h1)
        entrusted = client._split(keys, entropy)
        kept = {self.me: entrusted.pop(self.me)}
        secret = private_key(keys.share_secret)
        sealed, opening = {}, {}
        for peer, shares in entrusted.items():
            agreed = agree(secret, adverts[peer].share_key)  # once for both ways
            there, back = client._address(self.me, peer), client._address(peer, self.me)
            sealed[peer] = seal(shares, there, key=there.key(agreed))
            opening[peer] = back.key(agreed)
        client = replace(client, held=kept, opening=opening)
        return client, Shares(sender=self.me, sealed=sealed)

    def receive_shares(self, inbox: Inbox) -> Self:
        """R2, the checks: open what each neighbour entrusted to me; that fixes U2.

        Raises:
            LocalProtocolError: not the next step.
            UnknownClientError: an envelope from outside my neighbours, or from myself.
            CohortTooSmallError: U2 holds too few clients as far as I can see.
            BadSignatureError: an envelope does not open under the key for this direction.
            MalformedError: an envelope holds no shares.
        """
        self._keys_at(ClientStage.SHARED)
        check_inbox(inbox, self.me, session=self.session, graph=self.graph)
        u2 = tuple(sorted([self.me, *inbox.sealed]))
        opened = {
            peer: unseal(sealed, self._address(peer, self.me), key=self.opening[peer])
            for peer, sealed in inbox.sealed.items()
        }
        held = {**self.held, **opened}
        return replace(self, stage=ClientStage.RECEIVED, u2=u2, held=held, opening={})

    def mask(self, vector: NDArray[np.uint64]) -> tuple[Self, Masked]:
        """R2, the message: hide ``vector`` under my own mask and one per neighbour.

        The engine commits (run, round, phase) to the log and the release to the ledger before it
        calls this or sends the result.

        Args:
            vector: ``(session.length,)`` uint64, every element below 2**ring_bits.

        Raises:
            LocalProtocolError: not the next step, or the vector has another type, shape or range.
        """
        keys = self._keys_at(ClientStage.RECEIVED)
        identity = self._identity_at(ClientStage.RECEIVED)
        size = self.session.length
        words = ring.narrow(vector, length=size, bits=self.session.ring_bits)
        lower = self._pair_keys(keys, [peer for peer in self.u2 if peer < self.me])
        higher = self._pair_keys(keys, [peer for peer in self.u2 if peer > self.me])
        own = self_mask_key(keys.seed, sid=self.sid, client=self.me)
        masks.apply(words, add=[own, *lower], subtract=higher)
        values = ring.view(words)
        h2 = early_h2(self.graph, hash_u2(self.u2))
        statement = masked_statement(self.sid, self.h1, h2, values)
        client = replace(self, stage=ClientStage.MASKED, keys=None)
        masked = Masked(sender=self.me, values=values, signature=identity.sign(*statement))
        return client, masked

    def agree(self, survivors: Survivors) -> tuple[Self, Consistency]:
        """R3: check U3 and sign it, once.

        Raises:
            LocalProtocolError: not the next step.
            RemoteProtocolError: U3 leaves me out, U2 is not within U1, or is not the one around me
                that I was shown in R2.
            CohortTooSmallError: U3 holds fewer than T or ``min_cohort`` clients, or too few of them
                are around a client of U2.
        """
        identity = self._identity_at(ClientStage.MASKED)
        nearby = frozenset(self.u2)
        check_survivors(survivors, self.me, session=self.session, graph=self.graph, nearby=nearby)
        u2 = tuple(sorted([*survivors.alive, *survivors.dropped]))
        client = replace(self, stage=ClientStage.AGREED, u2=u2, u3=survivors.alive)
        signature = identity.sign(*client._consistency())
        return client, Consistency(sender=self.me, signature=signature)

    def unmask(self, signatures: Signatures) -> tuple[Self, Unmask]:
        """R4: give one share of each that I hold, which kind by the U3 I signed; then forget all.

        Raises:
            LocalProtocolError: not the next step.
            UnknownClientError: a signer from outside U3.
            BadSignatureError: somebody signed other adverts, another U2 or another U3 than I did.
            RemoteProtocolError: fewer than T signatures.
        """
        self._identity_at(ClientStage.AGREED)
        alive = frozenset(self.u3)
        check_signatures(
            signatures,
            self._consistency(),
            alive=alive,
            roster=self.roster,
            count=len(self.adverts),
        )
        seeds = {peer: held.seed for peer, held in self.held.items() if peer in alive}
        keys = {peer: held.key for peer, held in self.held.items() if peer not in alive}
        client = replace(self, stage=ClientStage.ERASED, identity=None, held={})
        return client, Unmask(sender=self.me, seeds=seeds, keys=keys)

    def _split(self, keys: SessionKeys, entropy: Entropy) -> dict[ClientId, Entrusted]:
        places = {peer: x for x, peer in enumerate(sorted(self.adverts), start=1)}
        holders, least = self.graph.circle(self.me), self.graph.threshold
        xs, secrets = [places[holder] for holder in holders], (keys.mask_secret, keys.seed)
        shares = [shamir.split(s, least, xs=xs, entropy=entropy) for s in secrets]
        return {h: Entrusted(key=k, seed=s) for h, k, s in zip(holders, *shares, strict=True)}

    def _pair_keys(self, keys: SessionKeys, peers: Sequence[ClientId]) -> list[bytes]:
        h2 = early_h2(self.graph, hash_u2(self.u2))
        bound = {"sid": self.sid, "h1": self.h1, "h2": h2}
        secret, publics = (
            private_key(keys.mask_secret),
            {peer: self.adverts[peer].mask_key for peer in peers},
        )
        return [pair_mask_key(secret, publics[p], pair=(self.me, p), **bound) for p in peers]

    def _address(self, source: ClientId, target: ClientId) -> Address:
        return Address(sid=self.sid, h1=self.h1, source=source, target=target)

    def _consistency(self) -> tuple[str | bytes, ...]:
        h2, h3 = hash_u2(self.u2), hash_u3(self.u3)
        return consistency_statement(self.sid, self.h1, h2, h3)

    def _keys_at(self, stage: ClientStage) -> SessionKeys:
        if self.stage is not stage or self.keys is None:
            raise _out_of_turn(self.stage, stage)
        return self.keys

    def _identity_at(self, stage: ClientStage) -> Identity:
        if self.stage is not stage or self.identity is None:
            raise _out_of_turn(self.stage, stage)
        return self.identity


def advertise(sid: bytes, me: ClientId, identity: Identity, keys: SessionKeys) -> Advert:
    """Return what R0 sends for these keys."""
    share_key, mask_key = public_key(keys.share_secret), public_key(keys.mask_secret)
    seal_of_seed = commitment(keys.seed, sid=sid, client=me)
    statement = advert_statement(
        sid, me, share_key=share_key, mask_key=mask_key, commitment=seal_of_seed
    )
    return Advert(
        sender=me,
        share_key=share_key,
        mask_key=mask_key,
        commitment=seal_of_seed,
        signature=identity.sign(*statement),
    )


def _out_of_turn(stage: ClientStage, wanted: ClientStage) -> LocalProtocolError:
    return LocalProtocolError(f"this step follows '{wanted.value}', but I am at '{stage.value}'")
