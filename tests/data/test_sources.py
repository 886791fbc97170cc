"""Data sets come whole and checked, or with an error that says what to do."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from secure_clove.data.catalogue import CATALOGUE
from secure_clove.data.dataset import Dataset
from secure_clove.data.sources import VARIABLE, data_directory, digits, inventory, load
from secure_clove.errors import ConfigError, DataError

Real = Callable[[str, str], Dataset]
WRITERS = Path("femnist", "femnist_105writers.npz")


def test_the_digits_are_1797_images_of_ten_classes() -> None:
    x, y = digits()
    assert x.shape == (1797, 64)
    assert x.dtype == np.float32
    assert y.dtype == np.int64
    assert set(y.tolist()) == set(range(10))


def test_the_scaling_uses_public_constants_only() -> None:
    raw = load_digits().data
    np.testing.assert_allclose(digits()[0], raw / 16 - 0.3, atol=1e-6)


def test_the_digits_load_as_images_without_a_data_directory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    found = load("digits")
    assert found.x.shape == (1797, 1, 8, 8)
    np.testing.assert_array_equal(found.x.reshape(1797, -1), digits()[0])


SHAPES = {
    ("mnist", "idx"): ((60_000, 1, 28, 28), (10_000, 1, 28, 28), 10),
    ("fashion-mnist", "idx"): ((60_000, 1, 28, 28), (10_000, 1, 28, 28), 10),
    ("cifar10", "subset"): ((8_000, 3, 32, 32), (2_000, 3, 32, 32), 10),
    ("ag-news", "subset"): ((5_000, 200), (7_600, 200), 4),
    ("amazon-reviews", "counts"): ((8_000, 5_000), None, 2),
    ("femnist", "writers"): ((14_708, 1, 28, 28), (1_685, 1, 28, 28), 62),
}


@pytest.mark.parametrize(("name", "form"), SHAPES)
def test_a_real_set_has_its_published_size(name: str, form: str, real: Real) -> None:
    found = real(name, form)
    test = None if found.test_x is None else found.test_x.shape
    assert (found.x.shape, test, len(found.classes)) == SHAPES[name, form]
    assert found.provenance.verified


def test_mnist_has_its_published_counts(real: Real) -> None:
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(real("mnist", "idx").y).tolist() == counts


def test_the_directory_comes_from_the_variable(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(data_dir))
    assert load("femnist", distribution="writers").group_names


def test_the_argument_comes_before_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "/nowhere")
    assert data_directory(tmp_path) == tmp_path


def test_without_a_directory_the_error_names_the_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(DataError, match=VARIABLE):
        load("mnist")


def test_an_unknown_set_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'minst'; choose one of mnist"):
        load("minst", tmp_path)


def test_an_unknown_distribution_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="choose official, subset"):
        load("ag-news", tmp_path, distribution="hf")


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_missing_set_names_a_file_the_folder_and_the_cure(name: str, tmp_path: Path) -> None:
    entry = CATALOGUE[name]
    with pytest.raises(DataError) as caught:
        load(name, tmp_path)
    message = str(caught.value)
    assert entry.distributions[0].files[0].path in message
    assert str(tmp_path / entry.folder) in message
    assert f"data fetch {name}" in message or entry.by_hand in message


def test_a_half_complete_set_names_only_what_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "ag_news"
    folder.mkdir()
    (folder / "test.csv").write_bytes(b"x")
    with pytest.raises(DataError, match=r"ag_news: train\.csv missing"):
        load("ag-news", tmp_path)


def copied(data_dir: Path, tmp_path: Path) -> Path:
    path = tmp_path / WRITERS
    path.parent.mkdir()
    shutil.copyfile(data_dir / WRITERS, path)
    return path


def test_one_changed_bit_is_found(data_dir: Path, tmp_path: Path) -> None:
    path = copied(data_dir, tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="is damaged or another version: its SHA-256"):
        load("femnist", tmp_path)
    assert {s.name: s.state for s in inventory(tmp_path)}["femnist"] == "damaged"


def test_a_cut_file_is_found(data_dir: Path, tmp_path: Path) -> None:
    path = copied(data_dir, tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="damaged"):
        load("femnist", tmp_path)
    assert {s.name: s.state for s in inventory(tmp_path)}["femnist"] == "damaged"


def test_an_error_of_a_reader_names_the_set_and_the_folder(tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / "femnist" / part).mkdir(parents=True)
        (tmp_path / "femnist" / part / "a.json").write_bytes(b"{")
    with pytest.raises(DataError, match=r"femnist \(leaf\) in .*femnist cannot be read"):
        load("femnist", tmp_path)


def test_the_inventory_tells_what_is_there(data_dir: Path, tmp_path: Path) -> None:
    copied(data_dir, tmp_path)
    states = {status.name: status.state for status in inventory(tmp_path)}
    assert states.pop("femnist") == "verified"
    assert set(states.values()) == {"missing"}


def test_files_without_a_known_digest_are_called_unchecked(tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / "femnist" / part).mkdir(parents=True)
        (tmp_path / "femnist" / part / "a.json").write_bytes(b"{}")
    assert {s.name: s.state for s in inventory(tmp_path)}["femnist"] == "unchecked"


def test_every_file_of_the_catalogue_has_a_digest_or_is_made_by_its_user() -> None:
    for entry in CATALOGUE.values():
        for distribution in entry.distributions:
            for file in distribution.files:
                assert ("*" in file.path) == (file.sha256 is None)
                assert file.sha256 is None or len(bytes.fromhex(file.sha256)) == 32
                assert file.url is None or file.url.startswith("https://")
