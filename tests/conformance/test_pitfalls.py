"""Every pitfall of the protocol, with the attacker against the participants that the SDK runs.

| pitfall | test |
| --- | --- |
| both shares for one client | attacks "split views of U3, ..."; test_exploration |
| overlapping alive and dead sets | attack "a client alive and dead in one list" |
| duplicates counted toward a threshold | attacks "... counted twice" |
| a threshold taken from the server | attacks "a threshold sent along", "as many signatures ..." |
| split U3 views | attacks "split views of U3, ..."; test_exploration |
| replayed phase | attacks "a second unmask ...", "adverts of an ..."; tests.engine.test_lies |
| swapped key | attacks "a swapped key ..."; test_over_http |
| reflected shares | attack "reflected shares"; test_over_http |
| a second unmask | attacks "a second unmask ...", and two tests below |
| late masked input stored | below; tests.secagg.test_server; over HTTP tests.api.test_deadlines |
| inconsistent models | attacks "other models ...", "a model other ..."; tests.engine.test_lies |
| too small a cohort | attacks "U1 of two", "U2 below ...", "U3 below ...", "a cohort of two" |
| 32-bit seeds, non-cryptographic generator | test_pitfalls_of_values |
| pickle on the wire | attacks "a pickle for ..."; to the coordinator tests.secagg.test_server |
| masks that never take the top value | test_pitfalls_of_values; tests.secagg.test_arithmetic |
| float masks | test_pitfalls_of_values; tests.secagg.test_client |
| modulus off by one | test_pitfalls_of_values; tests.secagg.test_sum |
| ids ordered as strings and as integers | attack "ids in another ..."; test_pitfalls_of_values |
| endianness | test_pitfalls_of_values; test_vectors; tests.secagg.test_arithmetic |
| x = 0 or repeated x in Shamir | test_pitfalls_of_values; tests.secagg.test_arithmetic |
| shares in logs | below; tests.secagg.test_sum |
| noise redrawn on a retry | below |

Attacks are in `tests.conformance.attacks`; those that go on over time are below.
"""

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from secure_clove.engine.messages import Charter, Current, Reply
from secure_clove.engine.participant import Participant
from secure_clove.engine.ports import Carrier
from secure_clove.engine.progress import Outcome, Progress
from secure_clove.errors import (
    BadSignatureError,
    NotFoundError,
    RemoteProtocolError,
    TransportError,
)
from secure_clove.foundation.codec import decode
from secure_clove.foundation.ids import ClientId, Digest
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.sdk.entropy import SystemEntropy
from secure_clove.secagg.messages import Directory, Masked, Shares, Survivors, Unmask
from tests.conformance.attacks import ATTACKS, NAMES, TARGET, others, up_to
from tests.conformance.liars import (
    LyingCoordinator,
    Puppet,
    Stage,
    Thief,
    altered,
    once_per_session,
    staged,
)
from tests.engine.builders import LOUD, NAME, Toy, identity

TOUCHED = Path("/tmp/secure-clove-was-here")  # noqa: S108  what the pickles would make


@cache
def attacked(name: str) -> tuple[Stage, dict[ClientId, Exception]]:
    """Play one attack, once; return the stage and who refused what."""
    stage = staged()
    ATTACKS[name].arm(stage.boss)
    return stage, dict(stage.play())


@pytest.mark.parametrize("name", ATTACKS)
def test_every_client_refuses_and_goes_no_further(name: str) -> None:
    stage, refusals = attacked(name)
    attack = ATTACKS[name]

    assert set(refusals) == set(NAMES)
    assert {type(error) for error in refusals.values()} == {attack.error}
    assert {step for _, step, *_ in stage.boss.heard} == set(up_to(attack.most))
    assert not TOUCHED.exists()


@pytest.mark.parametrize("name", [n for n, attack in ATTACKS.items() if not attack.most])
def test_what_is_refused_at_the_door_costs_no_training_and_no_budget(name: str) -> None:
    stage, _ = attacked(name)
    if ATTACKS[name].error.__name__ != "ModelMismatchError":
        assert all(trainer.trainings == 0 for trainer in stage.toy.trainers.values())
    assert all(journal.entries() == () for journal in stage.toy.journals.values())


# ---- the attacker's own tools


def test_an_honest_session_opens_no_input() -> None:
    stage = staged()

    assert stage.play() == {}
    assert stage.boss.count("unmask") == 7
    assert stage.boss.recovered() == {}


def test_clients_that_gave_both_shares_would_have_given_the_input() -> None:
    """So that the attacker is known to recover an input wherever that is possible at all."""
    stage = staged()
    stage.boss.lies["signatures"] = lambda me, true: true
    held, truth = {}, {}

    def open_hearted(me: ClientId, true: Survivors) -> Survivors:
        live = stage.toy.participants[me]._live
        assert live is not None
        held[me], truth[me] = live.machine.held, live.answer.vector
        return true

    stage.boss.lies["survivors"] = open_hearted
    stage.play()
    (sid,) = stage.boss.sessions
    thief = Thief(stage.boss, sid)
    answers = [
        Unmask(sender=me, seeds={}, keys={owner: both.key for owner, both in found.items()})
        for me, found in held.items()
    ]
    thief.keys = thief._rebuilt(answers, "keys")
    for client, body in stage.boss.said(sid, "masked").items():
        assert thief.stolen(client, decode(body, Masked)) == truth[client].tolist()


# ---- attacks that go on over time: each returns whether somebody noticed


def asks_again(stage: Stage) -> bool:
    """After everybody has answered R4, hold the session again with another U3."""
    stage.play()
    stage.boss.invitation = once_per_session()
    without = Survivors(alive=tuple(others(TARGET)), dropped=(TARGET,))
    stage.boss.lies["survivors"] = lambda me, true: without
    refusals = stage.play()
    return all(isinstance(e, RemoteProtocolError) for e in refusals.values()) and bool(refusals)


def asks_the_restarted_again(stage: Stage) -> bool:
    """Hold the session again after every client process has started anew."""
    stage.play()
    stage.boss.invitation = once_per_session()
    for name in NAMES:
        stage.toy.participants[name] = stage.toy.participant(name)
    before = len(stage.boss.heard)
    stage.play()
    return len(stage.boss.heard) == before


def withholds_a_vector(stage: Stage) -> bool:
    """Say that the target dropped out, so that its mask secret is rebuilt; and keep its vector."""
    stage.boss.ignored["masked"] = {TARGET}
    refusals = stage.play()
    (sid,) = stage.boss.sessions
    assert TARGET in Thief(stage.boss, sid).keys  # of its two masks the attacker has one
    return isinstance(refusals.get(TARGET), RemoteProtocolError)


def wants_the_other_mask_too(stage: Stage) -> bool:
    """The same, and the target is shown a U3 with itself in it, signed by nobody else."""
    stage.boss.ignored["masked"] = {TARGET}

    def lie(me: ClientId, true: Survivors) -> Survivors:
        return Survivors(alive=NAMES, dropped=()) if me == TARGET else true

    stage.boss.lies["survivors"] = lie
    refusals = stage.play()
    return isinstance(refusals.get(TARGET), BadSignatureError)


def reuses_adverts(stage: Stage) -> bool:
    """In a second attempt, show the adverts of the first, whose shares are known."""
    first: dict[ClientId, Current] = {}
    wanted = stage.boss.invitation

    def invite(me: ClientId, true: Current) -> Current | None:
        found = wanted(me, true)
        first.update({me: found} if found is not None else {})
        return found

    stage.boss.invitation = invite
    stage.boss.lies["survivors"] = lambda me, true: b""
    stage.play()
    (sid,) = stage.boss.sessions
    old = stage.boss.shown[sid, "directory", TARGET]
    again = once_per_session()
    stage.boss.invitation = lambda me, true: again(me, altered(true, attempt=2, nonce=b"2" * 32))

    def lie(me: ClientId, true: Directory) -> Directory:
        mine = next(advert for advert in true.adverts if advert.sender == me)
        adverts = {advert.sender: advert for advert in old.adverts} | {me: mine}
        return Directory(adverts=tuple(adverts[name] for name in sorted(adverts)))

    stage.boss.lies = {"directory": lie}
    refusals = stage.play()
    return {type(error) for error in refusals.values()} == {BadSignatureError}


def breaks_the_line(stage: Stage) -> bool:
    """Take the signatures, say that the line broke, and show another U3 to be signed."""
    stage.boss.cuts = {"consistency"}
    first = stage.play()
    stage.boss.cuts = set()
    without = Survivors(alive=tuple(others(TARGET)), dropped=(TARGET,))
    stage.boss.lies["survivors"] = lambda me, true: without
    stage.play()
    is_once = stage.boss.count("consistency") == len(NAMES)
    return is_once and {type(error) for error in first.values()} == {TransportError}


OVER_TIME: dict[str, Callable[[Stage], bool]] = {
    "a second unmask with another U3": asks_again,
    "a second unmask of restarted clients": asks_the_restarted_again,
    "a masked vector withheld": withholds_a_vector,
    "a masked vector withheld, both masks wanted": wants_the_other_mask_too,
    "adverts of an earlier attempt": reuses_adverts,
    "a line that breaks after the signature": breaks_the_line,
}


@pytest.mark.parametrize("name", OVER_TIME)
def test_what_is_tried_over_time_is_noticed(name: str) -> None:
    assert OVER_TIME[name](staged())


def test_of_all_attacks_every_one_is_detected_and_no_input_is_recovered() -> None:
    detected, recovered = 0, 0
    for name, attack in ATTACKS.items():
        stage, refusals = attacked(name)
        is_refused = all(type(error) is attack.error for error in refusals.values())
        detected += is_refused and set(refusals) == set(NAMES)
        recovered += len(stage.boss.recovered())
    for attempt in OVER_TIME.values():
        stage = staged()
        detected += attempt(stage)
        recovered += len(stage.boss.recovered())
    count = len(ATTACKS) + len(OVER_TIME)
    print(f"\n{detected} of {count} attacks detected, {recovered} inputs recovered")  # noqa: T201

    assert (detected, recovered) == (count, 0)


# ---- a second unmask


def test_after_the_answer_nothing_more_is_given_whatever_is_shown() -> None:
    stage = staged()
    asks_again(stage)

    answers = {(sid, who): 0 for sid, step, who, _ in stage.boss.heard if step == "unmask"}
    for sid, step, who, _ in stage.boss.heard:
        answers[sid, who] = answers.get((sid, who), 0) + (step == "unmask")
    assert set(answers.values()) == {1}


def test_an_answer_that_got_lost_is_never_followed_by_another_one() -> None:
    stage = staged()
    stage.boss.cuts = {"unmask"}
    stage.play()
    stage.boss.lies["survivors"] = lambda me, true: b"something else"
    stage.play()

    said: dict[ClientId, set[bytes]] = {}
    for _, step, who, body in stage.boss.heard:
        if step == "unmask":
            said.setdefault(who, set()).add(body)
    assert {len(bodies) for bodies in said.values()} == {1}


# ---- a late masked vector


@dataclass
class Slow:
    """A line on which one client's masked vector takes longer than the stage."""

    inner: Carrier
    wait: Callable[[], None]
    sent: list[str] = field(default_factory=list)

    def charter(self) -> Charter:
        return self.inner.charter()

    def current(self) -> Current | None:
        return self.inner.current()

    def artefact(self, content: Digest) -> bytes:
        return self.inner.artefact(content)

    def fetch(self, sid: str, resource: str) -> bytes | None:
        return self.inner.fetch(sid, resource)

    def put(self, sid: str, step: str, body: bytes) -> None:
        if step == "masked":
            self.sent.append(sid)
            self.wait()
        self.inner.put(sid, step, body)


def test_a_masked_vector_that_comes_late_is_refused_and_not_stored() -> None:
    last, lines = NAMES[5], []  # who began the round is a step ahead of the others

    def wrap(name: ClientId, carrier: Carrier) -> Carrier:
        if name != last:
            return carrier
        lines.append(Slow(carrier, lambda: toy.pass_deadline()))
        return lines[-1]

    toy = Toy(clients=7, wrap=wrap, changes={"algorithm": "fedavg", "rounds": 1})
    toy.start()
    toy.run()

    (sid,) = lines[0].sent
    with toy.store.transaction() as tx, pytest.raises(NotFoundError):
        tx.body(sid, "masked", last)
    assert toy.coordinator.reports(NAME)[0].dropouts == (last,)
    mean = np.concatenate([toy.trainers[n].points for n in others(last)]).mean(axis=0)
    model = toy.participants[NAMES[0]].model
    assert model is not None
    np.testing.assert_allclose(model, mean, atol=1e-4)


# ---- noise redrawn on a retry


def asked_twice(**changes: object) -> tuple[Participant, LyingCoordinator, Toy]:
    """Ask one client of CLoVE for its noised losses in two attempts; its noise is the system's."""
    boss = LyingCoordinator()
    toy = Toy(
        clients=7, wrap=lambda n, c: Puppet(c, boss, n), changes={"privacy": LOUD, "rounds": 1}
    )
    toy.start()
    journal, trainer = toy.journals[TARGET], toy.trainers[TARGET]
    participant = Participant(
        TARGET,
        identity(TARGET),
        carrier=toy.participants[TARGET]._carrier,
        make_trainer=lambda _: trainer,
        policy=toy.policy,
        journal=journal,
        noise=SystemEntropy(),
        keys=SystemEntropy(),
    )
    toy.participants[TARGET] = participant
    for attempt in (1, 2, 3):
        again = once_per_session()

        def invite(
            me: ClientId, true: Current, number: int = attempt, again: object = again
        ) -> Current | None:
            if me != TARGET or not callable(again):
                return None
            found: Current | None = again(me, true)
            return found and altered(found, attempt=number, nonce=bytes([number]) * 32, **changes)

        boss.invitation = invite
        for _ in range(4):
            toy.turn()
    return participant, boss, toy


def test_noise_is_not_drawn_again_when_a_release_is_asked_for_again() -> None:
    """Three attempts, three signatures, one noised vector: averaging gains nothing."""
    _, boss, toy = asked_twice()
    replies = [decode(body, Reply) for _, step, _, body in boss.heard if step == "reply"]

    assert len(replies) == 3
    assert len({reply.signature for reply in replies}) == 3
    assert len({reply.values for reply in replies}) == 1
    entries = [entry.release.name for entry in toy.journals[TARGET].entries()]
    assert entries.count("embedding") == 1


def test_a_retry_asked_of_a_restarted_client_gets_no_fresh_noise_but_nothing() -> None:
    participant, boss, toy = asked_twice()
    before = boss.count("reply")
    toy.participants[TARGET] = toy.participant(TARGET)
    again = once_per_session()
    boss.invitation = lambda me, true: (
        again(me, altered(true, attempt=3, nonce=b"9" * 32)) if me == TARGET else None
    )
    for _ in range(4):
        try:
            toy.participants[TARGET].step()
        except RemoteProtocolError:
            break

    assert boss.count("reply") == before
    assert participant is not toy.participants[TARGET]


# ---- shares in logs


def test_no_secret_shows_in_logs_progress_or_refusals(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every share, key, seed and vector of attacked sessions is looked for in all that is said."""
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    secrets: set[bytes] = set()

    def heard(progress: Progress) -> None:
        said.append(repr(progress))

    for name in list(ATTACKS)[::6]:
        stage = staged()
        for participant in stage.toy.participants.values():
            participant._watch = heard
        ATTACKS[name].arm(stage.boss)
        refusals = stage.play()
        for error in refusals.values():
            said.append("".join(traceback.format_exception(error)))
            said.append(f"{error!r}{error.__dict__}")
        said += [repr(p._live) + str(p._live) + repr(p) for p in stage.toy.participants.values()]
        secrets |= spoken(stage)
    out, err = capfd.readouterr()
    everything = "".join([*said, caplog.text, out, err])

    assert len(secrets) >= 70
    for secret in secrets:
        assert secret.hex() not in everything
        assert repr(secret)[2:-1] not in everything
        assert repr(list(secret))[1:-1] not in everything


def spoken(stage: Stage) -> set[bytes]:
    """Return every envelope, share and masked vector that was sent, and every session key."""
    drawn = {name: SimulatedEntropy(0, "keys", name) for name in NAMES}
    found = {entropy.draw(32) for entropy in drawn.values() for _ in range(3)}
    for _, step, _, body in stage.boss.heard:
        if step == "shares":
            found |= set(decode(body, Shares).sealed.values())
        elif step == "masked":
            found.add(bytes(decode(body, Masked).values))
        elif step == "unmask":
            answer = decode(body, Unmask)
            found |= {*answer.seeds.values(), *answer.keys.values()}
    return found


def test_progress_names_steps_and_holds_no_payload() -> None:
    assert set(Progress.__dataclass_fields__) == {"client", "round", "phase", "step", "accuracy"}


def test_a_client_that_has_refused_holds_no_session_any_more() -> None:
    stage = staged()
    ATTACKS["reflected shares"].arm(stage.boss)
    stage.play()

    assert all(p._live is None for p in stage.toy.participants.values())
    assert all(p.step() is Outcome.WAITING for p in stage.toy.participants.values())
    assert stage.boss.count("masked") == 0
