"""A coordinator that may lie about everything, between real participants that the SDK runs.

It passes on nothing: it collects what the participants send, shows each of them what it likes, and
at the end tries to rebuild their inputs from all that it heard, with the independent verifier's
arithmetic.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from secure_clove.engine.messages import Charter, Current
from secure_clove.engine.ports import Carrier
from secure_clove.engine.progress import Outcome
from secure_clove.errors import CloveError, TransportError
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId, Digest
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
from tests.conformance import plain
from tests.engine.builders import LOUD, Toy

STEPS = ("advert", "shares", "masked", "consistency", "unmask")
AFTER = {"directory": "advert", "inbox": "shares", "survivors": "masked"}
AFTER["signatures"] = "consistency"
"""The step that everybody takes before a resource is shown."""

Shown = Directory | Inbox | Survivors | Signatures | bytes
Lie = Callable[[ClientId, Any], Shown]
Invite = Callable[[ClientId, Current], Current | None]


@dataclass
class Puppet:
    """One participant's way to the liar."""

    inner: Carrier
    boss: "LyingCoordinator"
    me: ClientId

    def charter(self) -> Charter:
        return self.inner.charter()

    def current(self) -> Current | None:
        found = self.inner.current()
        return None if found is None else self.boss.invite(self.me, found)

    def artefact(self, content: Digest) -> bytes:
        return self.boss.artefacts.get(content) or self.inner.artefact(content)

    def put(self, sid: str, step: str, body: bytes) -> None:
        self.boss.hear(sid, step, self.me, body)

    def fetch(self, sid: str, resource: str) -> bytes | None:
        return self.boss.show(sid, resource, self.me)


@dataclass
class LyingCoordinator:
    """Honest until told otherwise.

    Attributes:
        lies: What is shown instead of a resource.
        ignored: Whose messages of a step it pretends never came.
        invitation: What a participant is told there is to do.
        artefacts: Models of its own making.
        heard: Everything, in order: session, step, client, body.
        shown: What each client was shown, by session and resource.
        sessions: Session objects by sid.
        is_split: Whether clients of different sessions are led as if they were in one.
        cuts: Steps whose messages arrive and whose senders are told that the line broke.
    """

    lies: dict[str, Lie] = field(default_factory=dict)
    ignored: dict[str, Collection[ClientId]] = field(default_factory=dict)
    invitation: Invite = lambda _, current: current
    artefacts: dict[Digest, bytes] = field(default_factory=dict)
    heard: list[tuple[str, str, ClientId, bytes]] = field(default_factory=list)
    shown: dict[tuple[str, str, ClientId], Any] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    is_split: bool = False
    cuts: set[str] = field(default_factory=set)

    # ---- what the carriers ask

    def invite(self, me: ClientId, true: Current) -> Current | None:
        found = self.invitation(me, true)
        if found is not None and found.invitation is not None:
            session = found.invitation.session
            self.sessions[session.sid.hex()] = session
        return found

    def hear(self, sid: str, step: str, me: ClientId, body: bytes) -> None:
        self.heard.append((sid, step, me, body))
        if step in self.cuts:
            raise TransportError("the line broke")

    def show(self, sid: str, resource: str, me: ClientId) -> bytes | None:
        if not self._is_complete(sid, AFTER[resource]):
            return None
        true = self._truth(sid, resource, me)
        found = self.lies[resource](me, true) if resource in self.lies else true
        self.shown[sid, resource, me] = found
        return found if isinstance(found, bytes) else encode(found)

    # ---- the truth

    def _sids(self, sid: str) -> list[str]:
        """Return the sessions whose clients are led together: all of them if they were split."""
        return list(self.sessions) if self.is_split else [sid]

    def said(self, sid: str, step: str) -> dict[ClientId, bytes]:
        """Return the first body of each client, but for those that are ignored."""
        found: dict[ClientId, bytes] = {}
        for where, what, who, body in self.heard:
            if where in self._sids(sid) and what == step and who not in self.ignored.get(step, ()):
                found.setdefault(who, body)
        return dict(sorted(found.items()))

    def _expected(self, sid: str, step: str) -> set[ClientId]:
        before = {later: earlier for earlier, later in pairwise(STEPS)}.get(step)
        everybody = set(self.sessions[sid].cohort) if before is None else self.said(sid, before)
        return set(everybody) - set(self.ignored.get(step, ()))

    def _is_complete(self, sid: str, step: str) -> bool:
        return self._expected(sid, step) <= self.said(sid, step).keys()

    def _truth(self, sid: str, resource: str, me: ClientId) -> Shown:
        if resource == "directory":
            adverts = (decode(body, Advert) for body in self.said(sid, "advert").values())
            return Directory(adverts=tuple(adverts))
        shares = self.said(sid, "shares")
        if resource == "inbox":
            peers = {n: decode(body, Shares).sealed for n, body in shares.items() if n != me}
            return Inbox(sealed={name: sealed[me] for name, sealed in peers.items()})
        alive = tuple(self.said(sid, "masked"))
        if resource == "survivors":
            return Survivors(alive=alive, dropped=tuple(n for n in shares if n not in alive))
        signed = self.said(sid, "consistency").items()
        return Signatures(signatures={n: decode(b, Consistency).signature for n, b in signed})

    def count(self, step: str, sid: str | None = None) -> int:
        return sum(what == step and sid in (None, where) for where, what, *_ in self.heard)

    # ---- what it can make of all that

    def recovered(self) -> dict[ClientId, list[int]]:
        """Return the inputs that can be rebuilt, in ring elements."""
        found = {}
        for sid, step, client, body in self.heard:
            if step == "masked" and sid in self.sessions:
                words = Thief(self, sid).stolen(client, decode(body, Masked))
                if words is not None:
                    found[client] = words
        return found


class Thief:
    """Everything that the answers of one session give away."""

    def __init__(self, boss: LyingCoordinator, sid: str) -> None:
        self.session, self.sid = boss.sessions[sid], bytes.fromhex(sid)
        self.adverts = {n: decode(b, Advert) for n, b in boss.said(sid, "advert").items()}
        self.u2 = sorted(boss.said(sid, "shares"))
        self.h1 = plain.framed_hash("U1", *(encode(a) for a in self.adverts.values()))
        self.h2 = plain.framed_hash("U2", *self.u2)
        answers = [
            decode(b, Unmask) for s, step, _, b in boss.heard if (s, step) == (sid, "unmask")
        ]
        self.seeds = self._rebuilt(answers, "seeds")
        self.keys = self._rebuilt(answers, "keys")

    def _rebuilt(self, answers: Iterable[Unmask], kind: str) -> dict[ClientId, bytes]:
        """Rebuild every secret of which enough different clients gave a share."""
        names, found = sorted(self.adverts), {}
        threshold = 2 * len(names) // 3 + 1
        for owner in names:
            shares: Mapping[int, bytes] = {
                names.index(a.sender) + 1: getattr(a, kind)[owner]
                for a in answers
                if owner in getattr(a, kind)
            }
            chosen = sorted(shares)[:threshold]
            if len(chosen) == threshold:
                found[owner] = plain.combine([shares[x] for x in chosen], chosen)
        return found

    def stolen(self, client: ClientId, masked: Masked) -> list[int] | None:
        """Return the input under ``masked``, or None if one of its masks is not known."""
        streams = [self._self_stream(client), *(self._pair(client, p) for p in self.u2)]
        size = self.session.ring_bits // 8
        raw = [masked.values[i : i + size] for i in range(0, len(masked.values), size)]
        words = [int.from_bytes(word, "little") for word in raw]
        for stream in streams:
            if stream is None:
                return None
            words = [word - mask for word, mask in zip(words, stream, strict=True)]
        return [word % 2**self.session.ring_bits for word in words]

    def _stream(self, key: bytes) -> list[int]:
        return plain.stream_words(key, self.session.ring_bits, range(self.session.length))

    def _self_stream(self, client: ClientId) -> list[int] | None:
        seed = self.seeds.get(client)
        if seed is None:
            return None
        return self._stream(plain.hkdf(seed, self.sid, plain.frame("self", client)))

    def _pair(self, client: ClientId, peer: ClientId) -> list[int] | None:
        """Return what the mask of a pair adds to the vector of ``client``."""
        if client == peer:
            return [0] * self.session.length
        mine, theirs = self.keys.get(client), self.keys.get(peer)
        secret, public = (mine, peer) if mine is not None else (theirs, client)
        if secret is None:
            return None
        common = plain.x25519(secret, self.adverts[public].mask_key)
        info = plain.frame("mask", *sorted((client, peer)), self.h1, self.h2)
        sign = 1 if peer < client else -1
        return [sign * word for word in self._stream(plain.hkdf(common, self.sid, info))]


@dataclass
class Stage:
    """A federation whose every participant talks to one liar."""

    boss: LyingCoordinator
    toy: Toy

    def play(self) -> dict[ClientId, CloveError]:
        """Let everybody go on until nobody moves; return who refused what."""
        refusals: dict[ClientId, CloveError] = {}
        is_moving = True
        while is_moving:
            is_moving = False
            for name, participant in self.toy.participants.items():
                if name in refusals:
                    continue
                try:
                    is_moving |= participant.step() is Outcome.MOVED
                except CloveError as error:
                    refusals[name], is_moving = error, True
        return refusals


def staged(clients: int = 7, **changes: Any) -> Stage:
    """Return a private federation of averaging, started, and the liar in its middle."""
    boss = LyingCoordinator()
    settings = {"algorithm": "fedavg", "privacy": LOUD, "rounds": 1} | changes
    toy = Toy(clients=clients, changes=settings, wrap=lambda n, c: Puppet(c, boss, n))
    boss.invitation = once_per_session()
    toy.start()
    return Stage(boss=boss, toy=toy)


def once_per_session() -> Invite:
    """Invite each client once: the honest coordinator behind hears no advert and invites again."""
    invited: set[ClientId] = set()

    def invite(me: ClientId, true: Current) -> Current | None:
        if true.invitation is None or me in invited:
            return None
        invited.add(me)
        return true

    return invite


def altered(current: Current, **changes: Any) -> Current:
    """Return what there is to do with another session object."""
    if current.invitation is None:
        return current
    session = replace(current.invitation.session, **changes)
    return replace(current, invitation=replace(current.invitation, session=session))
