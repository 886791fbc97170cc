"""What a site has fetched once it does not fetch again, and never takes for something else."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from secure_clove.engine.ports import Carrier
from secure_clove.errors import ModelMismatchError
from secure_clove.foundation.ids import ClientId, Digest, digest
from secure_clove.sdk.kept import KeepingCarrier
from secure_clove.transport.local import LocalCarrier
from tests.engine.builders import NAME, Toy

ME = ClientId("c00")


class Store(LocalCarrier):
    """A coordinator that counts what it serves."""

    def __init__(self, toy: Toy, me: ClientId = ME) -> None:
        super().__init__(toy.coordinator, NAME, me, lambda: toy.now)
        self.served: Counter[Digest] = Counter()

    def artefact(self, content: Digest) -> bytes:
        self.served[content] += 1
        return super().artefact(content)


@pytest.fixture
def store() -> Store:
    return Store(Toy())


@pytest.fixture
def content(store: Store) -> Digest:
    return saved(store, b"model")


def saved(store: Store, data: bytes) -> Digest:
    with store._coordinator._store.transaction() as tx:
        return tx.save_artefact(data)


def test_an_artefact_is_fetched_once(store: Store, content: Digest, tmp_path: Path) -> None:
    carrier = KeepingCarrier(store, tmp_path / "models")
    assert [carrier.artefact(content) for _ in range(3)] == [b"model"] * 3
    assert store.served == {content: 1}


def test_a_restart_finds_it(store: Store, content: Digest, tmp_path: Path) -> None:
    for _ in range(2):
        KeepingCarrier(store, tmp_path).artefact(content)
    assert store.served == {content: 1}


@pytest.mark.parametrize("damaged", [b"", b"mode", b"other"])
def test_a_damaged_file_is_fetched_anew(
    store: Store, content: Digest, tmp_path: Path, damaged: bytes
) -> None:
    carrier = KeepingCarrier(store, tmp_path)
    carrier.artefact(content)
    (tmp_path / content).write_bytes(damaged)
    assert carrier.artefact(content) == b"model"
    assert (tmp_path / content).read_bytes() == b"model"


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "", ".", "a/b"])
def test_a_name_that_is_no_hash_reads_and_writes_no_file(
    store: Store, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outside").write_bytes(b"secret")
    monkeypatch.setattr(store, "artefact", lambda _: b"anything")
    carrier = KeepingCarrier(store, tmp_path / "models")
    assert carrier.artefact(Digest(name)) == b"anything"
    assert [*(tmp_path / "models").iterdir()] == []


def test_bytes_with_another_hash_are_not_kept(
    store: Store, content: Digest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "artefact", lambda _: b"lie")
    assert KeepingCarrier(store, tmp_path).artefact(content) == b"lie"
    assert [*tmp_path.iterdir()] == []


def test_what_was_used_longest_ago_makes_room(store: Store, tmp_path: Path) -> None:
    contents = [saved(store, bytes([number]) * 100) for number in range(4)]
    carrier = KeepingCarrier(store, tmp_path, most_bytes=250)
    for age, one in enumerate(contents[:2]):
        carrier.artefact(one)
        os.utime(tmp_path / one, ns=(age, age))
    carrier.artefact(contents[2])
    assert {path.name for path in tmp_path.iterdir()} == set(contents[1:3])


def test_an_artefact_larger_than_the_room_is_served_and_not_kept(
    store: Store, content: Digest, tmp_path: Path
) -> None:
    assert KeepingCarrier(store, tmp_path, most_bytes=4).artefact(content) == b"model"
    assert [*tmp_path.iterdir()] == []


def federation(folder: Path, *, keeping: bool, **changes: Any) -> tuple[Toy, Store]:
    found: dict[ClientId, Store] = {}

    def wrap(name: ClientId, carrier: Carrier) -> Carrier:
        assert isinstance(carrier, LocalCarrier)
        found[name] = Counted(carrier)
        return KeepingCarrier(found[name], folder / name) if keeping else found[name]

    toy = Toy(wrap=wrap, changes=changes)
    toy.start()
    toy.run()
    return toy, found[ME]


class Counted(Store):
    """Counts what a local carrier serves."""

    def __init__(self, inner: LocalCarrier) -> None:
        LocalCarrier.__init__(self, inner._coordinator, inner._federation, inner._me, inner._now_ms)
        self.served = Counter()


def test_a_federation_is_the_same_and_no_row_is_served_to_a_site_twice(tmp_path: Path) -> None:
    (with_it, kept), (without, plain) = (
        federation(tmp_path, keeping=keeping) for keeping in (True, False)
    )
    np.testing.assert_array_equal(with_it.participants[ME].model, without.participants[ME].model)
    assert set(kept.served.values()) == {1}
    assert set(plain.served) == set(kept.served)
    assert max(plain.served.values()) > 1


def test_what_was_kept_of_another_model_is_still_refused(tmp_path: Path) -> None:
    def wrap(name: ClientId, carrier: Carrier) -> Carrier:
        return KeepingCarrier(Lying(carrier), tmp_path / name) if name == ME else carrier

    toy = Toy(wrap=wrap)
    toy.start()
    with pytest.raises(ModelMismatchError):
        toy.run()


class Lying(Store):
    """Serves other bytes than those asked for."""

    def __init__(self, inner: Any) -> None:
        LocalCarrier.__init__(self, inner._coordinator, inner._federation, inner._me, inner._now_ms)

    def artefact(self, content: Digest) -> bytes:
        return super(Store, self).artefact(content) + b" "


def test_the_hash_of_what_is_kept_is_its_name(store: Store, tmp_path: Path) -> None:
    carrier = KeepingCarrier(store, tmp_path)
    for data in (b"", b"one", b"two"):
        carrier.artefact(saved(store, data))
    assert all(digest(path.read_bytes()) == path.name for path in tmp_path.iterdir())
