"""What a malicious coordinator can try against the participants of one masked session.

An attack arms a `LyingCoordinator` and names the error with which every participant that meets the
lie must refuse it. Seven clients take part, so T = 5; each has its own lie told where it matters.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from secure_clove.engine.asks import Asks
from secure_clove.engine.messages import Current
from secure_clove.errors import (
    BadSignatureError,
    CloveError,
    CohortTooSmallError,
    MalformedError,
    ModelMismatchError,
    PolicyRefusedError,
    RemoteProtocolError,
    UnknownClientError,
)
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId, Digest, digest
from secure_clove.secagg.keys import Identity, public_key
from secure_clove.secagg.messages import Advert, Directory, Inbox, Shares, Signatures, Survivors
from tests.conformance.liars import STEPS, LyingCoordinator, Shown, altered

NAMES = tuple(ClientId(f"c{number:02}") for number in range(7))
TARGET = NAMES[3]
HALF = NAMES[:4]
"""Who is shown one thing, the target among them; the rest is shown another."""

USURPER = Identity.from_bytes(b"u" * 32)
FOREIGN_KEY = public_key(b"f" * 32)
PICKLE = b"cposix\nsystem\n(S'touch /tmp/secure-clove-was-here'\ntR."


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One thing to try.

    Attributes:
        arm: Tells the coordinator what to lie about.
        error: With which the lie is refused.
        most: The last step that any participant may still take.
    """

    arm: Callable[[LyingCoordinator], None]
    error: type[CloveError]
    most: str


def up_to(step: str) -> Sequence[str]:
    """Return the steps up to one, none for no step."""
    return STEPS[: STEPS.index(step) + 1] if step else ()


def others(me: ClientId, names: Sequence[ClientId] = NAMES) -> list[ClientId]:
    return [name for name in names if name != me]


# ---- the directory


def directory(change: Callable[[ClientId, dict[ClientId, Advert]], Shown]) -> Any:
    def arm(boss: LyingCoordinator) -> None:
        boss.lies["directory"] = lambda me, true: change(me, {a.sender: a for a in true.adverts})

    return arm


def listed(adverts: Mapping[ClientId, Advert]) -> Directory:
    return Directory(adverts=tuple(adverts[name] for name in sorted(adverts)))


def peer(me: ClientId) -> ClientId:
    """Somebody else."""
    return others(me)[0]


def swapped_key(me: ClientId, adverts: dict[ClientId, Advert]) -> Shown:
    false = replace(adverts[peer(me)], mask_key=FOREIGN_KEY)
    return listed(adverts | {peer(me): false})


def swapped_and_signed(me: ClientId, adverts: dict[ClientId, Advert]) -> Shown:
    signature = USURPER.sign(b"whatever the coordinator likes")
    false = replace(adverts[peer(me)], mask_key=FOREIGN_KEY, signature=signature)
    return listed(adverts | {peer(me): false})


def swapped_own(me: ClientId, adverts: dict[ClientId, Advert]) -> Shown:
    return listed(adverts | {me: replace(adverts[me], mask_key=FOREIGN_KEY)})


def invented(me: ClientId, adverts: dict[ClientId, Advert]) -> Shown:
    mallory = ClientId("mallory")
    return listed(adverts | {mallory: replace(adverts[me], sender=mallory)})


def two_keys_in_one(me: ClientId, adverts: dict[ClientId, Advert]) -> Shown:
    one, other = others(me)[:2]
    return listed(adverts | {one: replace(adverts[one], mask_key=adverts[other].mask_key)})


def adverts_twice(me: ClientId, adverts: dict[ClientId, Advert]) -> Shown:
    mine, one = adverts[me], adverts[peer(me)]
    return encode({"adverts": sorted([mine, one, one], key=lambda advert: advert.sender)})


def as_numbers(me: ClientId, adverts: dict[ClientId, Advert]) -> Shown:
    """Descending, as ids such as 10 and 9 are for who takes them for numbers."""
    return encode({"adverts": [adverts[name] for name in sorted(adverts, reverse=True)]})


def only_two(me: ClientId, adverts: dict[ClientId, Advert]) -> Shown:
    return listed({name: adverts[name] for name in (me, peer(me))})


# ---- the inbox


def inbox(change: Callable[[LyingCoordinator, ClientId, dict[ClientId, bytes]], Shown]) -> Any:
    def arm(boss: LyingCoordinator) -> None:
        boss.lies["inbox"] = lambda me, true: change(boss, me, dict(true.sealed))

    return arm


def sealed_by(boss: LyingCoordinator, client: ClientId) -> Mapping[ClientId, bytes]:
    (sid,) = boss.sessions
    return decode(boss.said(sid, "shares")[client], Shares).sealed


def reflected(boss: LyingCoordinator, me: ClientId, sealed: dict[ClientId, bytes]) -> Shown:
    return Inbox(sealed=sealed_by(boss, me))


def redirected(boss: LyingCoordinator, me: ClientId, sealed: dict[ClientId, bytes]) -> Shown:
    one, other = others(me)[:2]
    return Inbox(sealed=sealed | {one: sealed_by(boss, one)[other]})


def from_myself(boss: LyingCoordinator, me: ClientId, sealed: dict[ClientId, bytes]) -> Shown:
    return Inbox(sealed=sealed | {me: sealed[peer(me)]})


def below_t(boss: LyingCoordinator, me: ClientId, sealed: dict[ClientId, bytes]) -> Shown:
    return Inbox(sealed={name: sealed[name] for name in others(me)[:3]})


# ---- survivors


def survivors(change: Callable[[ClientId], Shown]) -> Any:
    def arm(boss: LyingCoordinator) -> None:
        boss.lies["survivors"] = lambda me, _: change(me)

    return arm


def forged(alive: Sequence[ClientId], dropped: Sequence[ClientId], **more: Any) -> bytes:
    """Return a list of survivors as no honest coordinator could even encode it."""
    return encode({"alive": list(alive), "dropped": list(dropped), **more})


def halves(me: ClientId) -> Survivors:
    """Half of the clients are told that the target is alive, the others that it dropped out."""
    if me in HALF:
        return Survivors(alive=NAMES, dropped=())
    return Survivors(alive=tuple(others(TARGET)), dropped=(TARGET,))


def split(signers: Callable[[ClientId], Sequence[ClientId]]) -> Callable[[LyingCoordinator], None]:
    def arm(boss: LyingCoordinator) -> None:
        def shown(me: ClientId, true: Signatures) -> Shown:
            return Signatures(signatures={n: true.signatures[n] for n in signers(me)})

        survivors(halves)(boss)
        boss.lies["signatures"] = shown

    return arm


def own_half(me: ClientId) -> Sequence[ClientId]:
    return HALF if me in HALF else NAMES[4:]


def in_view(me: ClientId) -> Sequence[ClientId]:
    return NAMES if me in HALF else others(TARGET)


# ---- signatures


def signatures(change: Callable[[dict[ClientId, bytes]], Shown]) -> Any:
    def arm(boss: LyingCoordinator) -> None:
        boss.lies["signatures"] = lambda _, true: change(dict(true.signatures))

    return arm


def three(signed: dict[ClientId, bytes]) -> Shown:
    """As many as the smallest cohort; T is five."""
    return Signatures(signatures={name: signed[name] for name in NAMES[:3]})


def counted_twice(signed: dict[ClientId, bytes]) -> Shown:
    few = encode({"signatures": {name: signed[name] for name in NAMES[:3]}})
    again = b"".join(encode(name) + encode(signed[name]) for name in NAMES[1:3])
    return few.replace(b"\x83", b"\x85", 1) + again


def one_forged(signed: dict[ClientId, bytes]) -> Shown:
    return Signatures(signatures=signed | {TARGET: USURPER.sign("R3")})


def lent(signed: dict[ClientId, bytes]) -> Shown:
    return Signatures(signatures=signed | {TARGET: signed[NAMES[0]]})


# ---- the session itself


def invitation(change: Callable[[ClientId, Current], Current]) -> Any:
    def arm(boss: LyingCoordinator) -> None:
        told = boss.invitation

        def invite(me: ClientId, true: Current) -> Current | None:
            found = told(me, true)
            return None if found is None else change(me, found)

        boss.invitation = invite

    return arm


def split_session(**changes: Any) -> Callable[[LyingCoordinator], None]:
    """Show half of the clients another session, and put all adverts into one directory."""

    def arm(boss: LyingCoordinator) -> None:
        boss.is_split = True
        invitation(lambda me, c: c if me in HALF else altered(c, **changes))(boss)

    return arm


def other_models(boss: LyingCoordinator) -> None:
    """Ask half of the clients about a model of the coordinator's own, with its right hash."""

    def save(data: bytes) -> Digest:
        boss.artefacts[digest(data)] = data
        return digest(data)

    ask = Asks(save).save({"model": np.array([100.0, -100.0])})

    def change(me: ClientId, current: Current) -> Current:
        if me in HALF or current.invitation is None:
            return current
        found = altered(current, asks=(ask,))
        assert found.invitation is not None
        return replace(found, invitation=replace(found.invitation, ask=ask))

    boss.is_split = True
    invitation(change)(boss)


def false_model(boss: LyingCoordinator) -> None:
    """Serve other bytes under every hash that is asked for."""

    class Everything(dict[Digest, bytes]):
        def get(self, *_: object) -> bytes:
            return b"another model"

    boss.artefacts = Everything()


def pickles(resource: str) -> Callable[[LyingCoordinator], None]:
    def arm(boss: LyingCoordinator) -> None:
        boss.lies[resource] = lambda me, true: PICKLE

    return arm


ATTACKS: Mapping[str, Attack] = {
    name: Attack(arm=arm, error=error, most=most)
    for name, arm, error, most in [
        ("split views of U3, each half its own signatures", split(own_half), RemoteProtocolError,
         "consistency"),
        ("split views of U3, all signatures", split(in_view), BadSignatureError, "consistency"),
        ("a client alive and dead in one list", survivors(lambda me: forged(NAMES, [TARGET])),
         MalformedError, "masked"),
        ("a client neither alive nor dead", survivors(
            lambda me: forged(others(peer(me)), [])), RemoteProtocolError, "masked"),
        ("a list of survivors without the reader", survivors(
            lambda me: forged(others(me), [me])), RemoteProtocolError, "masked"),
        ("a survivor counted twice", survivors(
            lambda me: forged([*NAMES[:5], NAMES[4]], NAMES[5:])), MalformedError, "masked"),
        ("a threshold sent along", survivors(lambda me: forged(NAMES, [], threshold=2)),
         MalformedError, "masked"),
        ("U3 below the threshold", survivors(lambda me: forged(
            sorted([me, *others(me)[:3]]), others(me)[3:])), CohortTooSmallError, "masked"),
        ("as many signatures as the smallest cohort", signatures(three), RemoteProtocolError,
         "consistency"),
        ("signatures counted twice", signatures(counted_twice), MalformedError, "consistency"),
        ("one signature forged", signatures(one_forged), BadSignatureError, "consistency"),
        ("one signature lent to another", signatures(lent), BadSignatureError, "consistency"),
        ("a swapped key", directory(swapped_key), BadSignatureError, "advert"),
        ("a swapped key, signed by the coordinator", directory(swapped_and_signed),
         BadSignatureError, "advert"),
        ("the reader's own key swapped", directory(swapped_own), RemoteProtocolError, "advert"),
        ("an invented client", directory(invented), UnknownClientError, "advert"),
        ("one key under two names", directory(two_keys_in_one), BadSignatureError, "advert"),
        ("adverts counted twice", directory(adverts_twice), MalformedError, "advert"),
        ("ids in another order than that of strings", directory(as_numbers), MalformedError,
         "advert"),
        ("U1 of two", directory(only_two), CohortTooSmallError, "advert"),
        ("reflected shares", inbox(reflected), BadSignatureError, "shares"),
        ("shares that were meant for another", inbox(redirected), BadSignatureError, "shares"),
        ("shares from the reader itself", inbox(from_myself), UnknownClientError, "shares"),
        ("U2 below the threshold", inbox(below_t), CohortTooSmallError, "shares"),
        ("other models for half of the cohort", other_models, BadSignatureError, "advert"),
        ("a model other than the session names", false_model, ModelMismatchError, ""),
        ("another nonce for half of the cohort", split_session(nonce=b"n" * 32),
         BadSignatureError, "advert"),
        ("other deadlines for half of the cohort", split_session(stage_ms=5),
         BadSignatureError, "advert"),
        ("a cohort of two", invitation(lambda me, c: altered(
            c, cohort=tuple(sorted([me, peer(me)])))), PolicyRefusedError, ""),
        ("a smaller smallest cohort", invitation(lambda me, c: altered(c, min_cohort=2)),
         RemoteProtocolError, ""),
        ("another configuration", invitation(lambda me, c: altered(c, config=digest(b"less"))),
         RemoteProtocolError, ""),
        ("a smaller ring, in which sums overflow", invitation(
            lambda me, c: altered(c, ring_bits=64 if _bits(c) == 32 else 32)),
         RemoteProtocolError, ""),
        ("a fourth attempt", invitation(lambda me, c: altered(c, attempt=4)), PolicyRefusedError,
         ""),
        *((f"a pickle for {name}", pickles(name), MalformedError, before) for name, before in (
            ("directory", "advert"), ("inbox", "shares"), ("survivors", "masked"),
            ("signatures", "consistency"))),
    ]
}  # fmt: skip
"""By name; `tests.conformance.test_pitfalls` plays each and counts them all."""


def _bits(current: Current) -> int:
    return current.invitation.session.ring_bits if current.invitation else 0
