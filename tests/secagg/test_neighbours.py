"""Above 256 clients: what a client refuses, what the coordinator refuses, and what they take."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from secure_clove.errors import (
    BadSignatureError,
    CohortTooSmallError,
    MalformedError,
    RemoteProtocolError,
    StageClosedError,
    UnknownClientError,
)
from secure_clove.foundation.codec import encode
from secure_clove.foundation.ids import ClientId
from secure_clove.secagg.client import SumClient
from secure_clove.secagg.messages import Inbox, Shares, Survivors, Unmask
from secure_clove.secagg.server import Stage, SumServer
from tests.secagg.hood import ABOUT, ME, NAMES, hood, survivors
from tests.secagg.party import Held

HOLDERS, THRESHOLD, SPARE = 79, 66, 13
"""Of 257 clients: 78 neighbours and myself, of whom 13 may be missing."""


def agreed(told: Survivors) -> SumClient:
    return hood().masked().agree(told)[0]


def unmasked(told: Survivors, signers: Iterable[ClientId]) -> Unmask:
    return agreed(told).unmask(hood().signatures(told, signers))[1]


# ---- the client


def test_a_client_draws_the_coordinators_graph_and_shares_with_its_neighbours_only() -> None:
    assert hood().client.graph == hood().graph
    assert len(hood().circle) == HOLDERS
    assert hood().shares.sealed.keys() == set(hood().circle) - {ME}


def test_an_envelope_from_outside_my_neighbours_is_refused() -> None:
    sealed = {**hood().inbox().sealed, hood().far: bytes(82)}

    with pytest.raises(UnknownClientError):
        hood().client.receive_shares(Inbox(sealed=sealed))


def test_fewer_than_t_of_u2_around_me_are_refused() -> None:
    sealed = dict(sorted(hood().inbox().sealed.items())[: THRESHOLD - 2])

    with pytest.raises(CohortTooSmallError, match="U2 around me holds 65 clients, at least 66"):
        hood().client.receive_shares(Inbox(sealed=sealed))


def test_t_of_u2_around_me_with_myself_are_enough() -> None:
    sealed = dict(sorted(hood().inbox().sealed.items())[: THRESHOLD - 1])

    assert len(hood().client.receive_shares(Inbox(sealed=sealed)).u2) == THRESHOLD


def test_as_many_dropouts_around_one_client_as_it_can_do_without_are_signed() -> None:
    lost = [c for c in hood().graph.circle(hood().far) if c != hood().far][:SPARE]

    assert agreed(survivors(lost)).u3 == survivors(lost).alive


def test_a_u3_with_too_few_around_anybody_is_not_signed_however_large_it_is() -> None:
    """A coordinator cannot thin out one neighbourhood by its choice of who dropped out."""
    lost = [c for c in hood().graph.circle(hood().far) if c != hood().far][: SPARE + 1]

    with pytest.raises(CohortTooSmallError, match="around a client of U2 holds 65 clients"):
        agreed(survivors(lost))


def test_too_small_a_u3_in_all_is_not_signed() -> None:
    """Every other client of the ring is too few around anybody, and too few in all."""
    lost = [c for c in hood().graph.order[::2] if c != ME]

    with pytest.raises(CohortTooSmallError, match="U3 holds 129 clients, at least 172"):
        agreed(survivors(lost))


def test_a_u2_without_a_neighbour_whose_shares_i_hold_is_not_signed() -> None:
    told = survivors()
    neighbour = next(c for c in hood().circle if c != ME)
    without = replace(told, alive=tuple(c for c in told.alive if c != neighbour))

    with pytest.raises(RemoteProtocolError, match="U2 as I know it"):
        agreed(without)


def test_a_u2_with_a_neighbour_whose_shares_i_never_got_is_not_signed() -> None:
    some = dict(sorted(hood().inbox().sealed.items())[1:])
    client = hood().client.receive_shares(Inbox(sealed=some))
    client, _ = client.mask(hood().party.vectors[ME])

    with pytest.raises(RemoteProtocolError, match="U2 as I know it"):
        client.agree(survivors())


def test_a_u2_beyond_u1_is_not_signed() -> None:
    told = Survivors(alive=NAMES, dropped=(ClientId("z"),))

    with pytest.raises(RemoteProtocolError, match="within U1"):
        agreed(told)


def test_signatures_are_counted_over_all_clients() -> None:
    told = survivors()
    assert unmasked(told, NAMES[:172]).sender == ME

    with pytest.raises(RemoteProtocolError, match="171 signatures on U3, 172 are needed"):
        unmasked(told, NAMES[:171])


def test_a_signature_over_a_u2_that_hides_somebody_far_away_is_refused() -> None:
    """I cannot see all of U2; whoever saw another one signed another h2."""
    true, far = survivors(), hood().far
    hidden = replace(true, alive=tuple(c for c in true.alive if c != far))
    mine = agreed(hidden)

    with pytest.raises(BadSignatureError):
        mine.unmask(hood().signatures(true, [c for c in NAMES if c != far]))


def test_an_answer_is_about_my_circle_with_one_share_of_each() -> None:
    lost = {hood().circle[0], hood().far} - {ME}
    answer = unmasked(survivors(lost), survivors(lost).alive)

    assert answer.keys.keys() == lost & set(hood().circle)
    assert answer.seeds.keys() == set(hood().circle) - lost


# ---- the coordinator


def receive(server: SumServer, step: str, message: Shares | Unmask, bodies: Held) -> SumServer:
    return server.receive(step, message.sender, encode(message), 0, bodies)


@pytest.mark.parametrize("change", ["one missing", "one too many", "myself"])
def test_envelopes_for_other_than_exactly_the_neighbours_are_refused(change: str) -> None:
    sealed = dict(hood().shares.sealed)
    match change:
        case "one missing":
            sealed.popitem()
        case "one too many":
            sealed[hood().far] = bytes(82)
        case _:
            sealed[ME] = bytes(82)

    with pytest.raises(MalformedError):
        receive(hood().advertised, "shares", Shares(sender=ME, sealed=sealed), Held())


def test_an_inbox_holds_the_envelopes_of_neighbours_and_all_at_once_are_the_same() -> None:
    server, bodies = hood().shared, hood().party.bodies
    for client, inbox in list(server.inboxes(bodies))[::40]:
        assert inbox == server.inbox(client, bodies)
        assert inbox.sealed.keys() == set(server.graph.circle(client)) - {client}


def closed(server: SumServer, step: str, silent: Iterable[ClientId]) -> tuple[SumServer, Held]:
    """Let everybody but ``silent`` say what is true, and the deadline pass if it has to."""
    bodies = Held(dict(hood().party.stored))
    silent = set(silent)
    for name in server.expected:
        if name not in silent:
            told = server.survivors() if step == "consistency" else survivors()
            message = hood().vector(name) if step == "masked" else hood().consistency(name, told)
            server = server.receive(step, name, encode(message), 0, bodies)
            bodies.stored[step, name] = encode(message)
    return server.tick(server.deadline_ms, bodies) if silent else server, bodies


@pytest.mark.parametrize(("lost", "stage"), [(13, Stage.MASKED), (14, Stage.ABORTED)])
def test_a_stage_closes_if_t_answered_around_everybody_and_aborts_otherwise(
    lost: int, stage: Stage
) -> None:
    server, _ = closed(hood().shared, "masked", hood().graph.circle(hood().far)[:lost])

    assert server.stage is stage
    if stage is Stage.ABORTED:
        assert server.reason.startswith("only 65 of the 79 clients around one answered R2")
        assert server.reason.endswith("at least 66 are needed")


def test_missing_signatures_around_one_client_abort_too() -> None:
    masked, _ = closed(hood().shared, "masked", ())
    server, _ = closed(masked, "consistency", hood().graph.circle(hood().far)[:14])

    assert server.stage is Stage.ABORTED
    assert "around one answered R3" in server.reason


def test_an_answer_about_other_than_its_senders_circle_is_refused() -> None:
    masked, _ = closed(hood().shared, "masked", ())
    server, bodies = closed(masked, "consistency", ())
    true = {client: bytes(33) for client in hood().circle}
    for seeds in (true | {hood().far: bytes(33)}, {c: true[c] for c in hood().circle[1:]}):
        with pytest.raises(MalformedError):
            receive(server, "unmask", Unmask(sender=ME, seeds=seeds, keys={}), bodies)

    answer = Unmask(sender=ME, seeds=true, keys={})
    assert receive(server, "unmask", answer, bodies) is server


def test_who_missed_a_step_is_out_wherever_it_stands() -> None:
    server, bodies = closed(hood().shared, "masked", [ME])

    with pytest.raises(StageClosedError, match="missed"):
        server.receive("consistency", ME, b"anything", 0, bodies)


def test_a_message_that_is_not_the_last_leaves_the_state_as_it_is() -> None:
    server = hood().shared
    message = hood().vector(ME)

    assert server.receive("masked", ME, encode(message), 0, hood().party.bodies) is server
    assert server.session is ABOUT
