"""A whole small federation over HTTP, driven by the engine's own participants."""

import numpy as np
import pytest

from secure_clove.engine.participant import Participant
from secure_clove.engine.policy import Policy
from secure_clove.engine.progress import Outcome
from secure_clove.engine.state import Phase
from secure_clove.engine.terms import PrivacyPlan
from secure_clove.foundation.ids import ClientId, FederationId
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.sdk.entropy import SystemEntropy
from secure_clove.stores.journal import SqlJournal
from tests.api.server import (
    CLIENTS,
    Caller,
    LiveServer,
    TestCarrier,
    enrolment,
    fixed,
    founding,
    identity,
    make_config,
    roster,
    started,
)


@pytest.fixture
def callers(live_server: LiveServer) -> dict[ClientId, Caller]:
    return {client: Caller(live_server, client) for client in CLIENTS}


def participants(callers: dict[ClientId, Caller], federation: FederationId) -> list[Participant]:
    return [
        Participant(
            client,
            identity(client),
            carrier=TestCarrier(callers[client], federation),
            make_trainer=fixed(float(number)),
            policy=Policy(max_epsilon=float("inf")),
            journal=SqlJournal(None),
            noise=SimulatedEntropy(1, client),
            keys=SystemEntropy(),
        )
        for number, client in enumerate(CLIENTS)
    ]


def run(everybody: list[Participant]) -> None:
    """Let everybody take steps until the federation has closed for all."""
    going = list(everybody)
    while going:
        going = [p for p in going if p.step() is not Outcome.CLOSED]


def test_a_federation_runs_from_enrolment_to_final_models_over_http(
    live_server: LiveServer, boss: Caller, callers: dict[ClientId, Caller]
) -> None:
    config, initial = make_config(rounds=2)
    name = config.federation
    assert boss.send("POST", "/v1/federations", founding(config, initial)).status_code == 201
    for client in CLIENTS:
        claim = enrolment(name, client)
        answer = live_server.http.post(f"/v1/federations/{name}/enrolments", json=claim)
        assert answer.json() == {"client": client}
    assert boss.send("POST", f"/v1/federations/{name}:start", roster(config)).status_code == 204
    everybody = participants(callers, name)
    run(everybody)
    assert live_server.coordinator.state(name).phase is Phase.CLOSED
    for participant in everybody:
        assert participant.model is not None
        np.testing.assert_allclose(participant.model, np.full(4, 2.0), atol=1e-3)
    rounds = boss.get(f"/v1/federations/{name}/rounds").json()
    assert [(r["round"], r["cohort"], r["dropouts"]) for r in rounds] == [(1, 3, []), (2, 3, [])]
    later = boss.get(f"/v1/federations/{name}/rounds?after=1").json()
    assert later == rounds[1:]
    assert boss.get(f"/v1/federations/{name}/rounds/2").json() == rounds[1]
    page = callers[CLIENTS[0]].get(f"/v1/federations/{name}/privacy").json()
    assert {(r["exchange"], r["name"], r["times"]) for r in page["releases"]} >= {
        ("train", "update", 2)
    }
    assert page["totals"]["epsilon_total"] is None  # no noise was asked for


def test_a_round_tells_how_far_its_releases_stood_out_of_their_noise(
    live_server: LiveServer, boss: Caller, callers: dict[ClientId, Caller]
) -> None:
    plan = PrivacyPlan(delta=1e-5, embedding=8.0, update=1.0, clip=1.0, metrics=8.0)
    config = started(live_server, privacy=plan)
    run(participants(callers, config.federation))
    told = boss.get(f"/v1/federations/{config.federation}/rounds/1").json()
    update = 2 * (0 + 1 + 2)  # two examples a client; the noise is 1 a client, in all 4 numbers
    assert told["snr_update"] == pytest.approx(((4 * update**2 - 12) / 12) ** 0.5, rel=1e-2)
    assert told["snr_metrics"] >= 0
    assert told["snr_embedding"] is None  # fedavg shows none
