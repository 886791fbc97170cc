"""Founding, starting and looking at federations."""

from typing import Any

import pytest

from secure_clove.engine.messages import Charter
from secure_clove.engine.state import Phase
from secure_clove.engine.terms import PrivacyPlan
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId, FederationId
from secure_clove.secagg.keys import Identity
from secure_clove.transport.wire import Founding, token_hash
from tests.api.server import (
    BINARY,
    CLIENTS,
    FEDERATION_KEY,
    Caller,
    LiveServer,
    founding,
    make_config,
    roster,
    started,
)
from tests.api.sessions import SECRET, everything, refused

FORGER = Identity.from_bytes(bytes(range(9, 41)))
FEDERATIONS = "/v1/federations"


def test_founding_answers_with_the_place_of_the_federation(boss: Caller) -> None:
    config, initial = make_config()
    answer = boss.send("POST", FEDERATIONS, founding(config, initial))
    place = f"{FEDERATIONS}/{config.federation}"
    assert (answer.status_code, answer.headers["location"]) == (201, place)
    assert boss.get(place).json()["config"] == config.hash


def test_the_same_founding_again_changes_nothing(live_server: LiveServer, boss: Caller) -> None:
    config, initial = make_config()
    body = founding(config, initial)
    assert boss.send("POST", FEDERATIONS, body).status_code == 201
    before = everything(live_server)
    assert boss.send("POST", FEDERATIONS, body).status_code == 201
    assert everything(live_server) == before


def test_another_federation_of_the_same_name_is_refused(boss: Caller) -> None:
    config, initial = make_config()
    other, _ = make_config(federation=config.federation, rounds=2)
    boss.send("POST", FEDERATIONS, founding(config, initial))
    refused(boss.send("POST", FEDERATIONS, founding(other, initial)), 409, "conflict")


def test_the_same_federation_with_other_tokens_is_refused(boss: Caller) -> None:
    config, initial = make_config()
    boss.send("POST", FEDERATIONS, founding(config, initial))
    fewer = founding(config, initial, CLIENTS[:2])
    refused(boss.send("POST", FEDERATIONS, fewer), 409, "conflict")


def test_a_founding_with_other_models_is_refused(live_server: LiveServer, boss: Caller) -> None:
    config, _ = make_config()
    before = everything(live_server)
    answer = boss.send("POST", FEDERATIONS, founding(config, SECRET))
    refused(answer, 422, "model-mismatch")
    assert everything(live_server) == before


def test_a_founding_that_is_none_is_refused(boss: Caller) -> None:
    refused(boss.send("POST", FEDERATIONS, SECRET), 422, "malformed")


@pytest.mark.parametrize("name", ["Wards", "a/b", "", "wards:start", "a" * 64])
def test_a_federation_name_that_does_not_fit_a_path_is_refused(
    live_server: LiveServer, boss: Caller, name: str
) -> None:
    config, initial = make_config(federation=FederationId(name))
    before = everything(live_server)
    refused(boss.send("POST", FEDERATIONS, founding(config, initial)), 422, "malformed")
    assert everything(live_server) == before


@pytest.mark.parametrize("client", ["a/b", "operator", "", "..", "a b", 'a"b', "a?b", "ü"])
def test_a_client_name_that_does_not_fit_a_path_is_refused(boss: Caller, client: str) -> None:
    config, initial = make_config()
    body = founding(config, initial, (ClientId("placeholder"),)).replace(
        encode("placeholder"), encode(client)
    )
    refused(boss.send("POST", FEDERATIONS, body), 422, "malformed")


def test_two_clients_with_one_token_are_refused(boss: Caller) -> None:
    config, initial = make_config()
    kept = token_hash("one token for two")
    whole = decode(founding(config, initial), Founding)
    twice = Founding(config=whole.config, initial=initial, tokens=dict.fromkeys(CLIENTS, kept))
    refused(boss.send("POST", FEDERATIONS, encode(twice)), 422, "malformed")


def test_only_the_operator_founds(live_server: LiveServer) -> None:
    config, initial = make_config()
    pretender = Caller(live_server, "operator", FORGER)
    answer = pretender.send("POST", FEDERATIONS, founding(config, initial))
    refused(answer, 401, "bad-signature")


def test_a_roster_signed_by_the_wrong_key_is_refused(live_server: LiveServer, boss: Caller) -> None:
    config, initial = make_config()
    boss.send("POST", FEDERATIONS, founding(config, initial))
    before = everything(live_server)
    path = f"{FEDERATIONS}/{config.federation}:start"
    refused(boss.send("POST", path, roster(config, key=FORGER)), 401, "bad-signature")
    assert everything(live_server) == before


def test_a_roster_of_another_federation_is_refused(boss: Caller) -> None:
    config, initial = make_config()
    other, _ = make_config()
    boss.send("POST", FEDERATIONS, founding(config, initial))
    path = f"{FEDERATIONS}/{config.federation}:start"
    refused(boss.send("POST", path, roster(other)), 422, "config")


def test_a_roster_that_is_too_small_is_refused(boss: Caller) -> None:
    config, initial = make_config()
    boss.send("POST", FEDERATIONS, founding(config, initial))
    path = f"{FEDERATIONS}/{config.federation}:start"
    refused(boss.send("POST", path, roster(config, CLIENTS[:2])), 422, "config")


def test_a_start_can_be_repeated_but_not_changed(live_server: LiveServer, boss: Caller) -> None:
    config, initial = make_config()
    boss.send("POST", FEDERATIONS, founding(config, initial))
    path = f"{FEDERATIONS}/{config.federation}:start"
    assert boss.send("POST", path, roster(config)).status_code == 204
    assert boss.send("POST", path, roster(config)).status_code == 204
    larger = roster(config, (*CLIENTS, ClientId("dot")))
    refused(boss.send("POST", path, larger), 409, "conflict")
    assert live_server.coordinator.state(config.federation).phase is Phase.GATHERING


def test_the_charter_is_what_the_operator_signed(live_server: LiveServer, boss: Caller) -> None:
    config = started(live_server)
    answer = boss.get(f"{FEDERATIONS}/{config.federation}", accept=BINARY)
    charter = decode(answer.content, Charter)
    assert charter == live_server.coordinator.charter(config.federation)
    assert charter.config.key == FEDERATION_KEY.public


def test_the_view_for_people_names_what_was_agreed(live_server: LiveServer, boss: Caller) -> None:
    config = started(live_server, rounds=3)
    view = boss.get(f"{FEDERATIONS}/{config.federation}").json()
    assert view | {"privacy": None} == {
        "name": config.federation,
        "phase": "gathering",
        "round": 0,
        "rounds": 3,
        "config": config.hash,
        "algorithm": "fedavg",
        "clusters": 1,
        "clients": list(CLIENTS),
        "roster_size": 3,
        "min_cohort": 3,
        "privacy": None,
    }


def test_a_federation_without_noise_says_that_its_epsilon_is_unbounded(
    live_server: LiveServer, boss: Caller
) -> None:
    config = started(live_server)
    view = boss.get(f"{FEDERATIONS}/{config.federation}").json()
    assert view["privacy"]["epsilon_update"] is None


def test_a_private_federation_says_what_it_may_cost(live_server: LiveServer, boss: Caller) -> None:
    plan = PrivacyPlan(delta=1e-5, embedding=8.0, update=8.0, clip=1.0, metrics=8.0)
    config = started(live_server, privacy=plan)
    view = boss.get(f"{FEDERATIONS}/{config.federation}").json()
    assert 0 < view["privacy"]["epsilon_total"] < 1
    assert view["privacy"]["delta"] == 1e-5


def test_the_privacy_page_begins_with_nothing_released(
    live_server: LiveServer, boss: Caller
) -> None:
    config = started(live_server)
    page = boss.get(f"{FEDERATIONS}/{config.federation}/privacy").json()
    assert page["releases"] == []
    assert page["totals"]["epsilon_total"] == 0
    assert "Unit: one example" in page["statement"]


def test_the_privacy_page_names_the_unit_and_the_weaker_adversary_of_shared_noise(
    live_server: LiveServer, boss: Caller
) -> None:
    shared = PrivacyPlan(
        delta=1e-5, noise="distributed", embedding=8.0, update=8.0, clip=1.0, metrics=8.0
    )
    config = started(live_server, privacy=shared)
    page = boss.get(f"{FEDERATIONS}/{config.federation}/privacy").json()
    assert page["totals"]["unit"] == "example"
    assert "less than a third of the clients" in page["statement"]


def test_the_privacy_page_of_hidden_clients_is_about_whole_clients(
    live_server: LiveServer, boss: Caller
) -> None:
    plan = PrivacyPlan(
        delta=1e-5,
        unit="client",
        noise="distributed",
        embedding=8.0,
        update=8.0,
        clip=1.0,
        metrics=8.0,
    )
    changes: dict[str, Any] = {"algorithm": "dp-fedavg", "options": {"client_noise": 8.0}}
    config = started(live_server, privacy=plan, **changes)
    page = boss.get(f"{FEDERATIONS}/{config.federation}/privacy").json()
    assert page["totals"]["unit"] == "client"
    assert "this client as a whole" in page["statement"]


def test_the_list_is_the_operators(live_server: LiveServer, boss: Caller) -> None:
    config = started(live_server)
    lines = {line["name"]: line for line in boss.get(FEDERATIONS).json()}
    assert lines[config.federation]["phase"] == "gathering"
    ada = Caller(live_server, CLIENTS[0])
    refused(ada.get(FEDERATIONS), 403, "unknown-client")


def test_a_round_that_is_not_over_is_not_found(live_server: LiveServer, boss: Caller) -> None:
    config = started(live_server)
    place = f"{FEDERATIONS}/{config.federation}/rounds"
    assert boss.get(place).json() == []
    refused(boss.get(f"{place}/1"), 404, "not-found")
