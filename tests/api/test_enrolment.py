"""A one-time token turns one identity key into one member."""

import httpx
import pytest

from secure_clove.engine.plan import Config
from secure_clove.secagg.keys import Identity
from secure_clove.transport.signing import ENROLMENT_TAG
from tests.api.server import (
    CLIENTS,
    Caller,
    LiveServer,
    enrolment,
    founding,
    identity,
    make_config,
    roster,
    token,
)
from tests.api.sessions import SECRET, refused

ADA, BOB, CYD = CLIENTS
OTHER = Identity.from_bytes(bytes(range(3, 35)))


@pytest.fixture
def config(boss: Caller) -> Config:
    """A federation that takes enrolments."""
    config, initial = make_config()
    assert boss.send("POST", "/v1/federations", founding(config, initial)).status_code == 201
    return config


def enrol(server: LiveServer, name: str, claim: object) -> httpx.Response:
    return server.http.post(f"/v1/federations/{name}/enrolments", json=claim)


def enrolled(boss: Caller, config: Config) -> dict[str, str | None]:
    path = f"/v1/federations/{config.federation}/enrolments"
    found: dict[str, str | None] = boss.get(path).json()
    return found


def test_a_token_enrols_the_key_that_proves_itself(
    live_server: LiveServer, boss: Caller, config: Config
) -> None:
    answer = enrol(live_server, config.federation, enrolment(config.federation, ADA))
    assert (answer.status_code, answer.json()) == (201, {"client": ADA})
    assert answer.headers["location"].startswith(f"/v1/federations/{config.federation}/")
    keys = {ADA: identity(ADA).public.hex(), BOB: None, CYD: None}
    assert enrolled(boss, config) == keys


def test_the_same_enrolment_again_has_the_same_answer(
    live_server: LiveServer, boss: Caller, config: Config
) -> None:
    claim = enrolment(config.federation, ADA)
    first, again = (enrol(live_server, config.federation, claim) for _ in range(2))
    assert (first.status_code, first.json()) == (again.status_code, again.json())


def test_a_used_token_does_not_take_another_key(
    live_server: LiveServer, boss: Caller, config: Config
) -> None:
    name = config.federation
    enrol(live_server, name, enrolment(name, ADA))
    proof = OTHER.sign(ENROLMENT_TAG, name, token(ADA)).hex()
    claim = enrolment(name, ADA, public_key=OTHER.public.hex(), proof=proof)
    refused(enrol(live_server, name, claim), 409, "conflict")
    assert enrolled(boss, config)[ADA] == identity(ADA).public.hex()


def test_one_key_cannot_enrol_under_two_names(
    live_server: LiveServer, boss: Caller, config: Config
) -> None:
    name, key = config.federation, identity(ADA)
    enrol(live_server, name, enrolment(name, ADA))
    proof = key.sign(ENROLMENT_TAG, name, token(BOB)).hex()
    claim = enrolment(name, BOB, public_key=key.public.hex(), proof=proof)
    refused(enrol(live_server, name, claim), 409, "conflict")
    assert enrolled(boss, config)[BOB] is None


def test_an_unknown_token_is_refused(live_server: LiveServer, boss: Caller, config: Config) -> None:
    secret = SECRET.decode()
    proof = identity(ADA).sign(ENROLMENT_TAG, config.federation, secret).hex()
    claim = enrolment(config.federation, ADA, token=secret, proof=proof)
    refused(enrol(live_server, config.federation, claim), 403, "unknown-client")
    assert enrolled(boss, config)[ADA] is None


def test_a_token_of_another_federation_is_unknown(
    live_server: LiveServer, boss: Caller, config: Config
) -> None:
    other, initial = make_config()
    boss.send("POST", "/v1/federations", founding(other, initial, (ADA, BOB)))
    claim = enrolment(other.federation, CYD)
    refused(enrol(live_server, other.federation, claim), 403, "unknown-client")


@pytest.mark.parametrize("about", ["another-federation", "demo"])
def test_a_proof_for_another_federation_is_refused(
    live_server: LiveServer, boss: Caller, config: Config, about: str
) -> None:
    answer = enrol(live_server, config.federation, enrolment(about, ADA))
    refused(answer, 401, "bad-signature")
    assert enrolled(boss, config)[ADA] is None


def test_a_key_without_its_secret_half_cannot_enrol(
    live_server: LiveServer, boss: Caller, config: Config
) -> None:
    claim = enrolment(config.federation, ADA, public_key=OTHER.public.hex())
    refused(enrol(live_server, config.federation, claim), 401, "bad-signature")


@pytest.mark.parametrize(
    "claim",
    [
        [],
        {},
        {"token": SECRET.decode()},
        enrolment("demo", ADA, public_key="no hex"),
        enrolment("demo", ADA, proof=SECRET.decode()),
        enrolment("demo", ADA) | {"extra": SECRET.decode()},
    ],
)
def test_a_malformed_enrolment_is_refused_without_quoting_it(
    live_server: LiveServer, config: Config, claim: object
) -> None:
    refused(enrol(live_server, config.federation, claim), 422, "malformed")


def test_a_long_enrolment_is_refused(live_server: LiveServer, config: Config) -> None:
    claim = enrolment(config.federation, ADA, token="x" * 5000)
    refused(enrol(live_server, config.federation, claim), 413, "too-large")


def test_nobody_enrols_in_a_federation_that_does_not_exist(live_server: LiveServer) -> None:
    refused(enrol(live_server, "nowhere", enrolment("nowhere", ADA)), 404, "not-found")


def test_nobody_enrols_after_the_start(
    live_server: LiveServer, boss: Caller, config: Config
) -> None:
    path = f"/v1/federations/{config.federation}:start"
    assert boss.send("POST", path, roster(config)).status_code == 204
    answer = enrol(live_server, config.federation, enrolment(config.federation, ADA))
    refused(answer, 410, "stage-closed")


def test_a_client_reads_the_charter_once_enrolled(
    live_server: LiveServer, boss: Caller, config: Config
) -> None:
    ada, path = Caller(live_server, ADA), f"/v1/federations/{config.federation}"
    refused(ada.get(path), 403, "unknown-client")
    enrol(live_server, config.federation, enrolment(config.federation, ADA))
    assert ada.get(path).json()["phase"] == "enrolling"


def test_only_the_operator_sees_who_enrolled(
    live_server: LiveServer, boss: Caller, config: Config
) -> None:
    enrol(live_server, config.federation, enrolment(config.federation, ADA))
    ada = Caller(live_server, ADA)
    path = f"/v1/federations/{config.federation}/enrolments"
    refused(ada.get(path), 403, "unknown-client")
