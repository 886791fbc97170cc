"""What a site's client refuses before it talks to anybody."""

from pathlib import Path

import pytest

from secure_clove.engine.policy import Policy
from secure_clove.errors import ConfigError, TransportError
from secure_clove.foundation.ids import ClientId, FederationId
from secure_clove.sdk.client import FederatedClient
from secure_clove.sdk.keys import new_identity
from secure_clove.stores.journal import SqlJournal
from tests.builders import names, tiny_tasks

NOWHERE = "http://127.0.0.1:9"  # the discard port: nothing answers
POLICY = Policy(max_epsilon=1.0)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    new_identity(tmp_path / "site.key")
    return tmp_path / "site.key"


def test_a_site_without_a_key_is_told_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="keys new"):
        FederatedClient(NOWHERE, tmp_path / "site.key", POLICY)


def test_a_site_that_is_not_enrolled_needs_a_token(key: Path) -> None:
    site = FederatedClient(NOWHERE, key, POLICY)
    with pytest.raises(ConfigError, match="one-time token"):
        site.run(tiny_tasks()[names(1)[0]])


def test_a_site_keeps_its_memory_beside_its_key(key: Path) -> None:
    with pytest.raises(ConfigError):
        FederatedClient(NOWHERE, key, POLICY).run(tiny_tasks()[names(1)[0]])
    assert (key.parent / "site.key.d" / "journal.sqlite").is_file()


def test_a_site_keeps_its_memory_where_it_is_told(key: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        FederatedClient(NOWHERE, key, POLICY, folder=tmp_path / "mine").run(
            tiny_tasks()[names(1)[0]]
        )
    assert (tmp_path / "mine" / "journal.sqlite").is_file()


def test_a_coordinator_that_cannot_be_reached_is_named(key: Path) -> None:
    site = FederatedClient(NOWHERE, key, POLICY, token="t", patience_s=0.0)
    with pytest.raises(TransportError, match=r"127\.0\.0\.1:9"):
        site.run(tiny_tasks()[names(1)[0]])


def test_an_enrolled_site_needs_no_token_again(key: Path, tmp_path: Path) -> None:
    journal = SqlJournal(tmp_path / "mine" / "journal.sqlite")
    journal.remember(FederationId("demo"), ClientId("ann"))
    journal.close()
    site = FederatedClient(NOWHERE, key, POLICY, folder=tmp_path / "mine", patience_s=0.0)
    with pytest.raises(TransportError):
        site.run(tiny_tasks()[names(1)[0]])


def test_nothing_was_sent_before_the_first_run(key: Path) -> None:
    assert FederatedClient(NOWHERE, key, POLICY).traffic == (0, 0)
