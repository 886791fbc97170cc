"""Whole sessions in process: an exact sum over U3 or a clean abort, whoever drops out and when."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from secure_clove.errors import AbortedError
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId
from secure_clove.secagg.client import ClientStage
from secure_clove.secagg.messages import Masked, body_limit
from secure_clove.secagg.server import Stage, SumServer
from secure_clove.secagg.transcript import threshold
from tests.secagg.party import STEPS, Party, ids, plain_sum, session

Drops = Mapping[str, frozenset[ClientId]]


@st.composite
def dropouts(draw: st.DrawFn) -> tuple[int, int, Drops]:
    """A size, a ring, and who goes silent at which step: a few, so that many sums succeed."""
    count = draw(st.integers(3, 9))
    bits = draw(st.sampled_from([32, 64]))
    clients = st.frozensets(st.sampled_from(ids(count)), max_size=2)
    return count, bits, {step: draw(clients) for step in draw(st.sets(st.sampled_from(STEPS)))}


@settings(deadline=None, max_examples=60)
@given(dropouts())
def test_any_dropouts_give_the_exact_sum_over_u3_or_a_clean_abort(
    case: tuple[int, int, Drops],
) -> None:
    count, bits, drops = case
    party = Party(session(count, ring_bits=bits))

    total = party.run(drops)

    if total is None:
        assert "needed" in party.server.reason
        assert any(drops.values())
    else:
        expected = plain_sum(party.session, party.vectors, party.server.u3)
        np.testing.assert_array_equal(total, expected)


@settings(deadline=None, max_examples=15)
@given(dropouts())
def test_a_restart_between_any_two_messages_changes_nothing(case: tuple[int, int, Drops]) -> None:
    count, bits, drops = case
    about = session(count, ring_bits=bits)
    steady, restarted = Party(about), Party(about, restarts=True)

    totals = [party.run(drops) for party in (steady, restarted)]

    np.testing.assert_equal(totals[0], totals[1])
    assert encode(steady.server) == encode(restarted.server)


@pytest.mark.parametrize("count", range(3, 10))
def test_as_many_dropouts_as_promised_are_survived_after_each_step(count: int) -> None:
    spare = count - threshold(count)
    for step in STEPS[1:]:
        party = Party(session(count))
        total = party.run({step: ids(count)[:spare]})
        assert total is not None
        np.testing.assert_array_equal(
            total, plain_sum(party.session, party.vectors, party.server.u3)
        )


@pytest.mark.parametrize("step", STEPS[1:])
def test_one_dropout_too_many_aborts_and_says_how_many_of_how_many(step: str) -> None:
    party = Party(session(7))

    assert party.run({step: ids(7)[:3]}) is None

    assert party.server.stage is Stage.ABORTED
    assert party.server.reason.startswith("4 of 7 clients answered")
    assert step in party.server.reason


def test_without_dropouts_no_deadline_is_waited_for() -> None:
    party = Party(session(4))

    assert party.run({}) is not None
    assert party.now == 0


def test_a_longer_vector_than_one_cache_piece_sums_exactly() -> None:
    party = Party(session(4, length=70_001))

    total = party.run({"masked": ids(4)[:1]})

    assert total is not None
    np.testing.assert_array_equal(total, plain_sum(party.session, party.vectors, party.server.u3))


def test_all_inputs_at_the_top_of_the_ring_sum_mod_two_to_the_bits() -> None:
    for bits in (32, 64):
        party = Party(session(5, ring_bits=bits))
        top = np.full(6, 2**bits - 1, dtype=np.uint64)
        party.vectors = dict.fromkeys(ids(5), top)
        total = party.run({})
        assert total is not None
        assert total.tolist() == [2**bits - 5] * 6  # five times minus one


def test_a_masked_vector_looks_nothing_like_its_input() -> None:
    party = Party(session(3, length=4096))
    party.vectors = {c: np.zeros(4096, dtype=np.uint64) for c in ids(3)}
    party.until("masked").step("masked")

    for client in ids(3):
        masked = decode(party.stored["masked", client], Masked)
        words = np.frombuffer(masked.values, dtype="<u4")
        bits = np.unpackbits(words.view(np.uint8))
        assert len(np.unique(words)) > 4090
        assert abs(float(bits.mean()) - 0.5) < 0.01


def test_the_same_input_is_masked_differently_in_another_attempt() -> None:
    bodies = []
    for attempt in (1, 2):
        party = Party(session(3, attempt=attempt), seed=0).until("masked")
        party.step("masked")
        bodies.append(decode(party.stored["masked", ids(3)[0]], Masked).values)

    assert bodies[0] != bodies[1]


def test_no_message_exceeds_its_limit_and_no_limit_is_generous() -> None:
    party = Party(session(9))
    party.run({})

    for (step, _), body in party.stored.items():
        assert len(body) <= body_limit(party.session, step) < 2 * len(body) + 512
    for resource, answer in {
        "directory": party.server.directory(party.bodies),
        "inbox": party.server.inbox(ids(9)[0], party.bodies),
        "survivors": party.server.survivors(),
        "signatures": party.server.signatures(party.bodies),
    }.items():
        assert len(encode(answer)) <= body_limit(party.session, resource)


def test_the_saved_coordinator_holds_no_bodies() -> None:
    small, large = Party(session(5)), Party(session(5, length=5000))
    for party in (small, large):
        party.run({})

    assert len(encode(large.server)) - len(encode(small.server)) < 16
    assert decode(encode(large.server), SumServer) == large.server


def test_a_client_that_has_answered_holds_no_secrets() -> None:
    party = Party(session(3))
    party.run({})

    for client in party.clients.values():
        assert client.stage is ClientStage.ERASED
        assert client.keys is None
        assert client.identity is None
        assert not client.held


def test_mask_secrets_go_as_soon_as_the_vector_is_masked() -> None:
    party = Party(session(3)).until("masked")
    party.step("masked")

    assert all(client.keys is None for client in party.clients.values())


def test_the_keys_of_envelopes_go_as_soon_as_they_are_opened() -> None:
    party = Party(session(3)).until("masked")
    me = ids(3)[0]
    client = party.clients[me]

    assert client.opening.keys() == set(ids(3)[1:])
    assert not client.receive_shares(party.server.inbox(me, party.bodies)).opening


def test_nothing_secret_shows_when_clients_or_messages_are_printed() -> None:
    party = Party(session(3)).until("masked")
    client = party.clients[ids(3)[0]]
    assert client.keys is not None
    secrets = [getattr(client.keys, item.name) for item in fields(client.keys)]
    secrets += [held.seed for held in client.held.values()]
    secrets += [held.key for held in client.held.values()]
    secrets += client.opening.values()
    party.step("masked")
    party.step("consistency")
    answer = party.message("unmask", client.me)
    printed = repr(client) + str(client) + repr(client.keys) + repr(client.held) + repr(answer)

    for secret in secrets:
        assert secret.hex() not in printed
        assert repr(secret)[2:-1] not in printed


def answer_falsely(party: Party, liar: ClientId, kind: str) -> None:
    """Run R4; one client gives a false share of one kind."""
    for client in party.server.expected:
        answer = party.message("unmask", client)
        if client == liar:
            shares = dict(getattr(answer, kind))
            falsified: Any = {kind: shares | {min(shares): bytes(33)}}
            answer = replace(answer, **falsified)
        party.send("unmask", answer)


@pytest.mark.parametrize("kind", ["seeds", "keys"])
def test_a_false_share_aborts_and_names_the_step_only(kind: str) -> None:
    party = Party(session(7)).until("masked")
    party.step("masked", without=ids(7)[:1])
    party.step("consistency")
    answer_falsely(party, min(party.server.u4), kind)

    with pytest.raises(AbortedError, match="R4") as caught:
        party.server.total(party.bodies)
    assert bytes(33).hex() not in str(caught.value)


def test_exactly_t_answers_are_used_so_a_false_share_beyond_them_does_no_harm() -> None:
    party = Party(session(7)).until("unmask")
    answer_falsely(party, max(party.server.u4), "seeds")

    np.testing.assert_array_equal(
        party.server.total(party.bodies), plain_sum(party.session, party.vectors, ids(7))
    )
