"""What the federation key signs, and what nobody else can."""

import pytest

from secure_clove.engine.coordinator import Coordinator
from secure_clove.engine.messages import CONFIG_TAG, ROSTER_TAG, Roster
from secure_clove.engine.plan import Config
from secure_clove.errors import BadSignatureError, MalformedError
from secure_clove.foundation.ids import ClientId
from secure_clove.sdk.config import Settings, plan
from secure_clove.sdk.entropy import SystemEntropy
from secure_clove.sdk.founding import sign_config, sign_roster
from secure_clove.secagg.keys import Identity
from secure_clove.stores.sql import SqlStore
from tests.builders import names, tiny_model

KEY, OTHER = Identity.from_bytes(b"k" * 32), Identity.from_bytes(b"o" * 32)
CONFIG = plan(Settings(privacy=None), tiny_model())[0]
CLIENTS = {c: Identity.from_bytes(bytes([i]) * 32).public for i, c in enumerate(names(4))}


def test_a_signed_configuration_opens_under_the_federation_key() -> None:
    assert sign_config(CONFIG, KEY).open(Config, CONFIG_TAG, KEY.public) == CONFIG


def test_a_signed_configuration_opens_under_no_other_key() -> None:
    with pytest.raises(BadSignatureError):
        sign_config(CONFIG, KEY).open(Config, CONFIG_TAG, OTHER.public)


def test_a_signature_names_its_signer() -> None:
    assert sign_config(CONFIG, KEY).key == KEY.public


def test_a_signed_roster_holds_federation_configuration_and_keys() -> None:
    roster = sign_roster(CONFIG, CLIENTS, KEY).open(Roster, ROSTER_TAG, KEY.public)
    assert (roster.federation, roster.config) == (CONFIG.federation, CONFIG.hash)
    assert roster.clients == CLIENTS


def test_a_configuration_cannot_be_passed_off_as_a_roster() -> None:
    with pytest.raises(BadSignatureError):
        sign_config(CONFIG, KEY).open(Roster, ROSTER_TAG, KEY.public)


def test_the_order_of_the_clients_does_not_matter() -> None:
    backwards = dict(reversed(CLIENTS.items()))
    assert sign_roster(CONFIG, CLIENTS, KEY) == sign_roster(CONFIG, backwards, KEY)


@pytest.mark.parametrize(("algorithm", "gifts"), [("clove", 0), ("fedavg", 4), ("ifca", 4)])
def test_a_federation_whose_clients_all_vanish_closes_with_the_models_there_are(
    algorithm: str, gifts: int
) -> None:
    settings = Settings.model_validate(
        {"algorithm": algorithm, "clusters": 4, "rounds": 1, "privacy": None}
    )
    config, initial = plan(settings, tiny_model())
    coordinator = Coordinator(SqlStore(None), SystemEntropy())
    name = coordinator.create(sign_config(config, KEY), initial)
    coordinator.start(name, sign_roster(config, CLIENTS, KEY), 0)
    for client in CLIENTS:
        coordinator.current(name, client, 0)
    while (deadline := coordinator.deadline()) is not None:
        coordinator.tick(deadline)
    ends = [coordinator.current(name, client, 0) for client in CLIENTS]
    assert all(end.is_closed for end in ends)
    assert sum(end.gift is not None for end in ends) == gifts


def test_one_key_under_two_names_is_not_signed() -> None:
    twice = CLIENTS | {ClientId("again"): CLIENTS[names(1)[0]]}
    with pytest.raises(MalformedError, match="share one identity key"):
        sign_roster(CONFIG, twice, KEY)


@pytest.mark.parametrize("key", [b"", b"x" * 31, b"x" * 33])
def test_a_key_of_another_length_is_not_signed(key: bytes) -> None:
    with pytest.raises(MalformedError, match="32 bytes"):
        sign_roster(CONFIG, CLIENTS | {ClientId("new"): key}, KEY)
