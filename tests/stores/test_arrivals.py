"""Clients that have shown up, noted one by one and taken all at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_clove.foundation.ids import ClientId, FederationId
from secure_clove.stores.sql import SqlStore

WARD, BANK = FederationId("ward"), FederationId("bank")
ANN, BOB, CAT = ClientId("ann"), ClientId("bob"), ClientId("cat")


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    made = SqlStore(None if request.param == "memory" else tmp_path / "store")
    yield made
    made.close()


def note(store: SqlStore, name: FederationId, *clients: ClientId) -> list[bool]:
    found = []
    for client in clients:
        with store.transaction() as tx:
            found.append(tx.arrive(name, client))
    return found


def test_a_client_is_noted_once(store: SqlStore) -> None:
    assert note(store, WARD, BOB, ANN, BOB) == [True, True, False]
    with store.transaction() as tx:
        assert tx.arrivals(WARD) == 2


def test_federations_are_noted_apart(store: SqlStore) -> None:
    note(store, WARD, ANN, BOB)
    note(store, BANK, ANN)
    with store.transaction() as tx:
        assert (tx.arrivals(WARD), tx.arrivals(BANK)) == (2, 1)
        assert tx.take_arrivals(BANK) == (ANN,)
        assert (tx.arrivals(WARD), tx.arrivals(BANK)) == (2, 0)


def test_notes_are_taken_in_order_of_names_and_forgotten(store: SqlStore) -> None:
    note(store, WARD, CAT, ANN, BOB)
    with store.transaction() as tx:
        assert tx.take_arrivals(WARD) == (ANN, BOB, CAT)
        assert tx.take_arrivals(WARD) == ()
        assert tx.arrivals(WARD) == 0
    assert note(store, WARD, ANN) == [True]


def test_notes_that_were_taken_in_vain_are_still_there(store: SqlStore) -> None:
    note(store, WARD, ANN)

    def fail_at_the_end() -> None:
        with store.transaction() as tx:
            tx.take_arrivals(WARD)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_at_the_end()
    with store.transaction() as tx:
        assert tx.take_arrivals(WARD) == (ANN,)
