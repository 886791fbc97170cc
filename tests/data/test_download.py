"""A download arrives whole and right, or leaves everything as it was."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from secure_clove.data.download import download, fetch
from secure_clove.data.files import File
from secure_clove.data.sources import inventory
from secure_clove.errors import ConfigError, DataError, StoreError, TransportError

CONTENT = bytes(range(256)) * 2000
FILE = File(path="a/b.bin", sha256=sha256(CONTENT).hexdigest(), size=len(CONTENT))
Serve = Callable[[Path], str]


@pytest.fixture
def site(tmp_path: Path, serve: Serve) -> str:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "good").write_bytes(CONTENT)
    (tmp_path / "site" / "other").write_bytes(CONTENT[:-1] + b"x")
    (tmp_path / "site" / "long").write_bytes(CONTENT * 2)
    (tmp_path / "site" / "short").write_bytes(CONTENT[:-1])
    return serve(tmp_path / "site")


def get(url: str, path: Path, *, file: File = FILE) -> None:
    with httpx.Client() as client:
        download(url, file, path, client=client)


def test_a_file_is_kept_when_its_digest_is_right(site: str, tmp_path: Path) -> None:
    get(f"{site}/good", tmp_path / "data" / FILE.path)
    assert (tmp_path / "data" / FILE.path).read_bytes() == CONTENT


def test_others_may_read_what_was_fetched(site: str, tmp_path: Path) -> None:
    get(f"{site}/good", tmp_path / "b.bin")
    assert (tmp_path / "b.bin").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("name", ["other", "long", "short"])
def test_another_file_is_refused_and_nothing_is_left(name: str, site: str, tmp_path: Path) -> None:
    path = tmp_path / "data" / "b.bin"
    with pytest.raises(DataError, match="not the published file"):
        get(f"{site}/{name}", path)
    assert list(path.parent.iterdir()) == []


def test_what_was_there_stays_until_the_new_file_is_right(site: str, tmp_path: Path) -> None:
    path = tmp_path / "data" / "b.bin"
    path.parent.mkdir()
    path.write_bytes(b"old")
    with pytest.raises(DataError):
        get(f"{site}/other", path)
    assert path.read_bytes() == b"old"
    get(f"{site}/good", path)
    assert path.read_bytes() == CONTENT


def test_progress_ends_at_the_size_of_the_file(site: str, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    with httpx.Client() as client:
        download(
            f"{site}/good",
            FILE,
            tmp_path / "b",
            client=client,
            on_progress=lambda *now: told.append(now),
        )
    assert told[-1] == ("a/b.bin", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in told] == sorted({done for _, done, _ in told})


def test_a_missing_page_is_a_transport_error(site: str, tmp_path: Path) -> None:
    with pytest.raises(TransportError, match="nothing answers 404"):
        get(f"{site}/nothing", tmp_path / "b")


def test_a_server_that_is_not_there_is_a_transport_error(tmp_path: Path) -> None:
    with pytest.raises(TransportError, match="ConnectError"):
        get("http://127.0.0.1:9/good", tmp_path / "b")


def test_an_address_that_is_none_is_a_transport_error(tmp_path: Path) -> None:
    with pytest.raises(TransportError, match="cannot be fetched"):
        get("ftp://example.org/x", tmp_path / "b")


def test_a_mirrors_password_is_in_no_message(site: str, tmp_path: Path) -> None:
    with pytest.raises(TransportError) as caught:
        get(site.replace("//", "//me:hunter2@") + "/nothing", tmp_path / "b")
    assert "hunter2" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_a_store_error(site: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot be written"):
        get(f"{site}/good", tmp_path / "file" / "b")


# ---- sets of the catalogue


def test_a_set_comes_whole_from_a_mirror(data_dir: Path, serve: Serve, tmp_path: Path) -> None:
    files = fetch("femnist", tmp_path, mirror=serve(data_dir) + "/")
    assert [path.name for path in files] == ["femnist_105writers.npz"]
    assert {s.name: s.state for s in inventory(tmp_path)}["femnist"] == "verified"


def test_what_is_intact_is_not_fetched_again(data_dir: Path, serve: Serve, tmp_path: Path) -> None:
    fetch("femnist", tmp_path, mirror=serve(data_dir))
    assert fetch("femnist", tmp_path, mirror="http://127.0.0.1:9")


def test_a_damaged_file_is_fetched_again(data_dir: Path, serve: Serve, tmp_path: Path) -> None:
    (path,) = fetch("femnist", tmp_path, mirror=serve(data_dir))
    path.write_bytes(b"damaged")
    fetch("femnist", tmp_path, mirror=serve(data_dir))
    assert {s.name: s.state for s in inventory(tmp_path)}["femnist"] == "verified"


def test_one_form_of_a_set_can_be_asked_for(data_dir: Path, serve: Serve, tmp_path: Path) -> None:
    files = fetch("ag-news", tmp_path, mirror=serve(data_dir), distribution="subset")
    assert sorted(path.name for path in files) == ["test.csv", "train_subset_5000.hf.csv"]


@pytest.mark.parametrize("name", ["femnist", "amazon-reviews"])
def test_a_set_without_an_official_file_says_how_to_get_it(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be fetched so; https://.*: (run|unpack) "):
        fetch(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no data set"):
        fetch("digits", tmp_path)


def test_a_form_that_no_home_offers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name a mirror"):
        fetch("cifar10", tmp_path, distribution="subset")
