"""FEMNIST keeps every image with its writer, from LEAF's JSON or from the npz."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from secure_clove.data.dataset import Dataset
from secure_clove.data.femnist import read_leaf, read_writers, writers
from secure_clove.data.sources import load
from secure_clove.errors import DataError
from tests.data.builders import PROVENANCE, npz

IMAGE = [1.0] * 783 + [100 / 255]


def shard(**counts: int) -> dict[str, object]:
    return {
        "users": list(counts),
        "num_samples": list(counts.values()),
        "user_data": {
            name: {"x": [IMAGE] * count, "y": list(range(count))} for name, count in counts.items()
        },
    }


def encoded(**counts: int) -> bytes:
    return json.dumps(shard(**counts)).encode()


def leaf() -> Dataset:
    files = {
        "train/a.json": encoded(zoe=2, ann=3),
        "train/b.json": encoded(bob=1, nil=0),
        "test/a.json": encoded(ann=1, eve=4),
    }
    return read_leaf(files, PROVENANCE)


def test_writers_are_sorted_and_keep_their_images() -> None:
    found = leaf()
    assert found.group_names == ("ann", "bob", "zoe")
    assert found.train.groups is not None
    assert found.train.groups.tolist() == [0, 0, 0, 1, 2, 2]
    assert found.y.tolist() == [0, 1, 2, 0, 0, 1]


def test_a_writer_without_training_examples_is_left_out_of_both_parts() -> None:
    found = leaf()
    assert found.test is not None
    assert found.test.groups is not None
    assert found.test.groups.tolist() == [0]


def test_pixels_come_back_as_leaf_wrote_them() -> None:
    found = leaf()
    np.testing.assert_array_equal(found.features(found.x)[0].ravel(), np.array(IMAGE, np.float32))


def test_leafs_files_are_loaded_from_a_folder_and_called_unchecked(tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / "femnist" / part).mkdir(parents=True)
        (tmp_path / "femnist" / part / "all_data_0.json").write_bytes(encoded(ann=2))
    found = load("femnist", tmp_path)
    assert found.group_names == ("ann",)
    assert not found.provenance.verified
    assert [name for name, _ in found.provenance.files] == [
        "train/all_data_0.json",
        "test/all_data_0.json",
    ]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([b"{"], "complete JSON"),
        ([b"[" * 100_000], "complete JSON"),
        ([json.dumps({"users": []}).encode()], "complete JSON"),
        ([encoded(ann=1), encoded(ann=1)], "two JSON files"),
        ([json.dumps(shard(ann=1) | {"num_samples": [2]}).encode()], "counts"),
        ([json.dumps(shard(ann=1) | {"users": ["bob"]}).encode()], "counts"),
    ],
    ids=["cut", "deep", "fields", "twice", "count", "name"],
)
def test_broken_json_is_refused(files: list[bytes], words: str) -> None:
    with pytest.raises(DataError, match=words):
        writers(files)


@pytest.mark.parametrize(
    ("image", "label", "words"),
    [
        ([1.0] * 783, 0, "28 x 28"),
        ([2.0] * 784, 0, r"\[0, 1\]"),
        (IMAGE, 62, r"0\.\.61"),
    ],
)
def test_images_and_labels_that_cannot_be_are_refused(
    image: list[float], label: int, words: str
) -> None:
    data = shard(ann=1) | {"user_data": {"ann": {"x": [image], "y": [label]}}}
    files = {"train/a.json": json.dumps(data).encode(), "test/a.json": encoded(ann=1)}
    with pytest.raises(DataError, match=words):
        read_leaf(files, PROVENANCE)


def test_a_run_without_training_examples_is_refused() -> None:
    with pytest.raises(DataError, match="no writer"):
        read_leaf({"train/a.json": encoded(ann=0), "test/a.json": encoded(ann=1)}, PROVENANCE)


def test_the_npz_names_its_writers() -> None:
    part: dict[str, NDArray[Any]] = {
        "x": np.zeros((2, 28, 28), np.uint8),
        "y": np.array([5, 61], np.uint8),
        "writer": np.array([1, 0], np.int16),
    }
    arrays = {f"{name}_{of}": value for name, value in part.items() for of in ("train", "test")}
    found = read_writers({"a": npz(writers=np.array(["f1", "f2"]), **arrays)}, PROVENANCE)
    assert found.group_names == ("f1", "f2")
    assert found.x.shape == (2, 1, 28, 28)
