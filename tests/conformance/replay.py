"""A whole session recomputed in plain integers: every message of honest clients, and every refusal.

No import from the library. The draws of each client are part of the vector, in the order in which
it made them: share secret, mask secret, self seed, then the coefficients of both sharings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from tests.conformance import plain, verifier
from tests.conformance.plain import frame, framed_hash, pack, refuse_unless, unpack
from tests.conformance.verifier import raw, threshold


@dataclass
class Secrets:
    """One client of the vector."""

    name: str
    identity: bytes
    draws: list[bytes]
    held: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)

    @property
    def share(self) -> bytes:
        return self.draws[0]

    @property
    def mask(self) -> bytes:
        return self.draws[1]

    @property
    def seed(self) -> bytes:
        return self.draws[2]


class Replay:
    """One session from its vector.

    Args:
        given: ``session``, ``identities``, ``draws``, ``inputs`` and who is ``silent`` at a step.
    """

    def __init__(self, given: Any) -> None:
        self.given = given
        self.sid = raw(verifier.session(given["session"])["sid"])
        self.bits, self.length = given["session"]["ring_bits"], given["session"]["length"]
        self.clients = {
            name: Secrets(name, raw(given["identities"][name]), [raw(d) for d in draws])
            for name, draws in given["draws"].items()
        }
        self.roster = {n: plain.ed25519_public(c.identity) for n, c in self.clients.items()}
        self.u1 = self._without("advert", given["session"]["cohort"])
        self.u2 = self._without("shares", self.u1)
        self.u3 = self._without("masked", self.u2)
        self.u4 = self._without("consistency", self.u3)
        self.adverts = {name: self._advert(self.clients[name]) for name in self.u1}
        self.h1 = framed_hash("U1", *(pack(self.adverts[name]) for name in self.u1))
        self.h2 = framed_hash("U2", *self.u2)
        self.h3 = framed_hash("U3", *self.u3)
        self.threshold = threshold(len(self.u1))

    def _without(self, step: str, names: Sequence[str]) -> list[str]:
        return sorted(set(names) - set(self.given["silent"].get(step, ())))

    # ---- what everybody says

    def result(self) -> Any:
        shares = {name: self._shares(self.clients[name]) for name in self.u2}
        masked = {name: self._masked(self.clients[name]) for name in self.u3}
        signed = {name: self._consistency(self.clients[name]) for name in self.u4}
        unmask = {name: self._unmask(self.clients[name], shares) for name in self.u4}
        inbox = {name: pack({"sealed": self.inbox(name, shares)}) for name in self.u2}
        said = {
            "advert": {name: pack(advert) for name, advert in self.adverts.items()},
            "shares": {name: pack(message) for name, message in shares.items()},
            "masked": {name: pack(message) for name, message in masked.items()},
            "consistency": {name: pack(message) for name, message in signed.items()},
            "unmask": {name: pack(message) for name, message in unmask.items()},
        }
        shown = {
            "directory": pack({"adverts": [self.adverts[name] for name in self.u1]}),
            "survivors": pack({"alive": self.u3, "dropped": self.dropped}),
            "signatures": pack({"signatures": {n: m["signature"] for n, m in signed.items()}}),
        }
        hashes = {"sid": self.sid, "h1": self.h1, "h2": self.h2, "h3": self.h3}
        return {
            "threshold": self.threshold,
            "hashes": {name: value.hex() for name, value in hashes.items()},
            "messages": {
                s: {n: body.hex() for n, body in all_.items()} for s, all_ in said.items()
            },
            "inboxes": {name: body.hex() for name, body in inbox.items()},
            "resources": {name: body.hex() for name, body in shown.items()},
            "total": self.unmasked(masked, unmask),
        }

    @property
    def dropped(self) -> list[str]:
        return [name for name in self.u2 if name not in self.u3]

    def _advert(self, me: Secrets) -> dict[str, Any]:
        keys = [plain.x25519_public(secret) for secret in (me.share, me.mask)]
        committed = framed_hash("bc", self.sid, me.name, me.seed)
        signature = plain.sign(me.identity, self.sid, "R0", me.name, *keys, committed)
        return {
            "sender": me.name,
            "share_key": keys[0],
            "mask_key": keys[1],
            "commitment": committed,
            "signature": signature,
        }

    def _share_key(self, source: str, target: str) -> bytes:
        info = frame("share", source, target, self.h1)
        public = self.adverts[target]["share_key"]
        return plain.hkdf(plain.x25519(self.clients[source].share, public), self.sid, info)

    def _shares(self, me: Secrets) -> dict[str, Any]:
        draws = iter(me.draws[3:])
        keys = plain.split(me.mask, self.threshold, len(self.u1), draws)
        seeds = plain.split(me.seed, self.threshold, len(self.u1), draws)
        for peer, key, seed in zip(self.u1, keys, seeds, strict=True):
            self.clients[peer].held[me.name] = (key, seed)
        sealed = {
            peer: plain.aead_seal(
                self._share_key(me.name, peer),
                bytes(12),
                key + seed,
                frame(self.sid, self.h1, me.name, peer),
            )
            for peer, key, seed in zip(self.u1, keys, seeds, strict=True)
            if peer != me.name
        }
        return {"sender": me.name, "sealed": sealed}

    def inbox(self, me: str, shares: Mapping[str, Any]) -> dict[str, bytes]:
        return {peer: shares[peer]["sealed"][me] for peer in self.u2 if peer != me}

    def _pair_key(self, secret: bytes, mine: str, peer: str) -> bytes:
        info = frame("mask", *sorted((mine, peer)), self.h1, self.h2)
        return plain.hkdf(plain.x25519(secret, self.adverts[peer]["mask_key"]), self.sid, info)

    def _stream(self, key: bytes) -> list[int]:
        return plain.stream_words(key, self.bits, range(self.length))

    def _self_stream(self, name: str, seed: bytes) -> list[int]:
        return self._stream(plain.hkdf(seed, self.sid, frame("self", name)))

    def _masked(self, me: Secrets) -> dict[str, Any]:
        words = list(self.given["inputs"][me.name])
        terms = [(1, self._self_stream(me.name, me.seed))]
        for peer in self.u2:
            if peer != me.name:
                sign = 1 if peer < me.name else -1
                terms.append((sign, self._stream(self._pair_key(me.mask, me.name, peer))))
        values = [x + sum(s * t[i] for s, t in terms) for i, x in enumerate(words)]
        size = self.bits // 8
        data = b"".join((v % 2**self.bits).to_bytes(size, "little") for v in values)
        said = (self.sid, "R2", self.h1, self.h2, sha256(data).digest())
        return {"sender": me.name, "values": data, "signature": plain.sign(me.identity, *said)}

    def _consistency(self, me: Secrets) -> dict[str, Any]:
        said = (self.sid, "R3", self.h1, self.h2, self.h3)
        return {"sender": me.name, "signature": plain.sign(me.identity, *said)}

    def _unmask(self, me: Secrets, shares: Mapping[str, Any]) -> dict[str, Any]:
        seeds = {peer: me.held[peer][1] for peer in self.u3}
        keys = {peer: me.held[peer][0] for peer in self.dropped}
        return {"sender": me.name, "seeds": seeds, "keys": keys}

    # ---- S4 and S5

    def unmasked(self, masked: Mapping[str, Any], unmask: Mapping[str, Any]) -> list[int]:
        """Return the sum, from exactly T answers."""
        chosen = sorted(unmask)[: self.threshold]
        xs = [self.u1.index(name) + 1 for name in chosen]
        size, terms = self.bits // 8, []
        for name in self.u3:
            seed = plain.combine([unmask[c]["seeds"][name] for c in chosen], xs)
            committed = framed_hash("bc", self.sid, name, seed)
            refuse_unless(committed == self.adverts[name]["commitment"], "a false seed")
            terms.append((-1, self._self_stream(name, seed)))
        for name in self.dropped:
            secret = plain.combine([unmask[c]["keys"][name] for c in chosen], xs)
            public = plain.x25519_public(secret)
            refuse_unless(public == self.adverts[name]["mask_key"], "a false key")
            for peer in self.u3:  # the peer added the pair mask if it is the higher of the two
                sign = -1 if name < peer else 1
                terms.append((sign, self._stream(self._pair_key(secret, name, peer))))
        found = []
        for i in range(self.length):
            cut = slice(i * size, (i + 1) * size)
            raws = (masked[name]["values"][cut] for name in self.u3)
            total = sum(int.from_bytes(word, "little") for word in raws)
            found.append((total + sum(s * t[i] for s, t in terms)) % 2**self.bits)
        return found

    # ---- what a client refuses (R1 to R4) and what the coordinator refuses (S3)

    def fetched(self, me: str, resource: str, body: bytes) -> None:
        kind = resource.capitalize()
        verifier.message({"kind": kind, "body": body.hex()})
        getattr(self, f"_check_{resource}")(me, unpack(body))

    def _check_directory(self, me: str, body: Any) -> None:
        adverts = {advert["sender"]: advert for advert in body["adverts"]}
        refuse_unless(set(adverts) <= set(self.roster), "R1.1")
        refuse_unless(adverts.get(me) == self.adverts[me], "R1.2")
        refuse_unless(len(adverts) >= max(3, self.given["session"]["min_cohort"]), "R1.3")
        for name, a in adverts.items():
            said = (self.sid, "R0", name, a["share_key"], a["mask_key"], a["commitment"])
            plain.check_signature(self.roster[name], a["signature"], *said)
        keys = [a[kind] for a in adverts.values() for kind in ("share_key", "mask_key")]
        refuse_unless(len(set(keys)) == len(keys), "R1.5")
        for name, a in adverts.items():
            if name != me:
                plain.x25519(self.clients[me].share, a["share_key"])

    def _check_inbox(self, me: str, body: Any) -> None:
        sealed = body["sealed"]
        refuse_unless(set(sealed) <= set(self.u1) - {me}, "R2.1")
        refuse_unless(len(sealed) + 1 >= self._fewest, "R2.2")
        for peer, envelope in sealed.items():
            key = self._share_key(peer, me)
            associated = frame(self.sid, self.h1, peer, me)
            found = plain.aead_open(key, bytes(12), envelope, associated)
            plain.element(found[:33])
            plain.element(found[33:])

    def _check_survivors(self, me: str, body: Any) -> None:
        alive = set(body["alive"])
        refuse_unless(alive <= set(self.u2) and me in alive, "R3.1")
        refuse_unless(set(body["dropped"]) == set(self.u2) - alive, "R3.2")
        refuse_unless(len(alive) >= self._fewest, "R3.3")

    def _check_signatures(self, me: str, body: Any) -> None:
        refuse_unless(set(body["signatures"]) <= set(self.u3), "R4.1")
        for name, signature in body["signatures"].items():
            said = (self.sid, "R3", self.h1, self.h2, self.h3)
            plain.check_signature(self.roster[name], signature, *said)
        refuse_unless(len(body["signatures"]) >= self.threshold, "R4.3")

    @property
    def _fewest(self) -> int:
        return max(self.threshold, int(self.given["session"]["min_cohort"]))

    def received(self, step: str, sender: str, body: bytes) -> None:
        kind = {"unmask": "Unmask", "advert": "Advert", "shares": "Shares", "masked": "Masked"}
        verifier.message({"kind": kind.get(step, "Consistency"), "body": body.hex()})
        found = unpack(body)
        refuse_unless(found["sender"] == sender and sender in self.roster, "another sender")
        if step == "shares":
            refuse_unless(set(found["sealed"]) == set(self.u1) - {sender}, "the envelopes")
        elif step == "unmask":
            refuse_unless(list(found["seeds"]) == self.u3, "the seeds")
            refuse_unless(list(found["keys"]) == self.dropped, "the keys")
        else:
            plain.check_signature(self.roster[sender], found["signature"], *self._said(step, found))

    def _said(self, step: str, body: Any) -> tuple[str | bytes, ...]:
        if step == "advert":
            keys = (body["share_key"], body["mask_key"], body["commitment"])
            return (self.sid, "R0", body["sender"], *keys)
        if step == "masked":
            size = self.length * self.bits // 8
            refuse_unless(len(body["values"]) == size, "the vector's length")
            return (self.sid, "R2", self.h1, self.h2, sha256(body["values"]).digest())
        return (self.sid, "R3", self.h1, self.h2, self.h3)


def run(given: Any) -> Any:
    """Return everything said and shown in the session, and its sum."""
    return Replay(given).result()


def fetched(given: Any, about: Any) -> None:
    """Refuse what a client is shown instead of the truth; ``about`` is the session's vector."""
    replay = Replay(about)
    replay.fetched(given["client"], given["resource"], raw(given["body"]))


def received(given: Any, about: Any) -> None:
    """Refuse what the coordinator is sent instead of the truth."""
    replay = Replay(about)
    replay.received(given["step"], given["sender"], raw(given["body"]))


def totalled(given: Any, about: Any) -> None:
    """Refuse to total a session in which one answer is ``body`` instead of the true one."""
    replay = Replay(about)
    said = replay.result()["messages"]
    said["unmask"][given["sender"]] = given["body"]
    bodies = {s: {n: unpack(raw(b)) for n, b in all_.items()} for s, all_ in said.items()}
    replay.unmasked(bodies["masked"], bodies["unmask"])
