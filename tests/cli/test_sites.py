"""A site's data from a file: what is read, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from secure_clove.errors import DataError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.trees import Vector
from secure_clove.learn.models import architecture, flat, linear, parameter_count
from secure_clove.privacy.accounting import Totals
from secure_clove.sdk.results import ClientResult
from secure_clove.studies.sites import ARRAYS, linear_task, save_model

ROWS = np.arange(18.0).reshape(6, 3)
LABELS = np.arange(6) % 2
FULL: dict[str, object] = {"train_x": ROWS, "train_y": LABELS, "test_x": ROWS, "test_y": LABELS}


def written(tmp_path: Path, **changes: object) -> Path:
    arrays = {n: np.asarray(a) for n, a in (FULL | changes).items() if a is not None}
    np.savez_compressed(tmp_path / "site.npz", allow_pickle=True, **arrays)
    return tmp_path / "site.npz"


def result(model: Vector | None) -> ClientResult:
    return ClientResult(
        client=ClientId("ann"),
        rounds=1,
        model=model,
        accuracy=None,
        spent=Totals(embedding=0, update=0, metrics=0, total=0),
        delta=1e-5,
    )


def test_a_task_has_the_examples_of_its_file(tmp_path: Path) -> None:
    task = linear_task(written(tmp_path), 2)
    assert (len(task.training), len(task.held_out)) == (6, 6)
    np.testing.assert_array_equal(task.training.x.numpy(), ROWS)


@pytest.mark.parametrize(("shape", "features"), [((6, 3), 3), ((6, 4, 5), 20), ((6,), 1)])
def test_the_model_reads_all_features_of_an_example(
    tmp_path: Path, shape: tuple[int, ...], features: int
) -> None:
    x = np.zeros(shape)
    task = linear_task(written(tmp_path, train_x=x, test_x=x), 4)
    assert architecture(task.model()) == architecture(linear(features, 4))


@pytest.mark.parametrize("name", ARRAYS)
def test_a_file_without_one_of_the_arrays_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=rf"must be an \.npz file with .*{name}"):
        linear_task(written(tmp_path, **{name: None}), 2)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.npz", tmp_path):
        with pytest.raises(DataError, match=r"must be an \.npz file"):
            linear_task(path, 2)


def test_a_single_array_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", ROWS)
    with pytest.raises(DataError, match=r"must be an \.npz file"):
        linear_task(tmp_path / "one.npy", 2)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x93NUMPY", b"\x80\x04K\x01."])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "site.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"must be an \.npz file"):
        linear_task(tmp_path / "site.npz", 2)


def test_pickled_objects_are_refused_unopened(tmp_path: Path) -> None:
    objects = np.array([{}, {}], dtype=object)
    with pytest.raises(DataError, match=r"must be an \.npz file"):
        linear_task(written(tmp_path, train_x=objects), 2)


@pytest.mark.filterwarnings("ignore:File .*:UserWarning")
def test_a_damaged_file_is_read_whole_or_refused(tmp_path: Path) -> None:
    intact = written(tmp_path).read_bytes()
    damaged = tmp_path / "damaged.npz"
    for index in range(0, len(intact), 5):
        data = bytearray(intact)
        data[index] ^= 0xFF
        damaged.write_bytes(data)
        try:
            task = linear_task(damaged, 2)
        except DataError:
            continue
        np.testing.assert_array_equal(task.training.x.numpy(), ROWS)


@pytest.mark.parametrize("cut", [1, 100, 300, 700])
def test_a_cut_file_is_refused(tmp_path: Path, cut: int) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DataError):
        linear_task(path, 2)


UNUSABLE: dict[str, dict[str, object]] = {
    "no examples": {"train_x": np.zeros((0, 3)), "train_y": np.zeros(0, dtype=int)},
    "more labels than inputs": {"train_y": np.zeros(7, dtype=int)},
    "a single number": {"train_x": np.array(1.0)},
    "NaN": {"train_x": np.full((6, 3), np.nan)},
    "infinity": {"test_x": np.full((6, 3), np.inf)},
    "labels with fractions": {"train_y": LABELS + 0.5},
    "negative labels": {"train_y": LABELS - 1},
    "words": {"train_y": np.array(list("ababab"))},
    "complex numbers": {"train_x": ROWS + 1j},
    "labels in a table": {"train_y": LABELS.reshape(6, 1)},
}


@pytest.mark.parametrize("changes", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_examples_that_cannot_be_used_are_refused(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    with pytest.raises(DataError):
        linear_task(written(tmp_path, **changes), 2)


# ---- the final model


def test_a_saved_model_is_read_back_by_parameter_name(tmp_path: Path) -> None:
    task = linear_task(written(tmp_path), 2)
    vector = np.arange(float(parameter_count(task.model())))
    save_model(tmp_path / "model.safetensors", task, result(vector))
    saved = load_file(tmp_path / "model.safetensors")
    assert {name: array.shape for name, array in saved.items()} == {
        "layer.weight": (2, 3),
        "layer.bias": (2,),
    }
    assert sorted(np.concatenate([a.ravel() for a in saved.values()])) == list(vector)


def test_a_saved_model_is_exactly_the_result(tmp_path: Path) -> None:
    task = linear_task(written(tmp_path), 2)
    vector = flat(task.model())
    save_model(tmp_path / "model.safetensors", task, result(vector))
    saved = load_file(tmp_path / "model.safetensors")
    back = np.concatenate([saved["layer.weight"].ravel(), saved["layer.bias"]])
    np.testing.assert_array_equal(back, vector.astype(np.float32))


def test_a_site_without_a_model_saves_none(tmp_path: Path) -> None:
    task = linear_task(written(tmp_path), 2)
    with pytest.raises(DataError, match="before this site got a model"):
        save_model(tmp_path / "model.safetensors", task, result(None))
    assert not (tmp_path / "model.safetensors").exists()
