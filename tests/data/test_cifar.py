"""CIFAR-10 in all its forms gives the same images, and no form can run anything."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_clove.data import cifar
from secure_clove.data.dataset import Dataset
from secure_clove.data.pickled import decode
from secure_clove.errors import DataError
from tests.data.builders import PROVENANCE, archive, npz, pickled

RNG = np.random.default_rng(0)
BATCHES = {
    name: (RNG.integers(0, 256, (3, 3072)).astype(np.uint8), RNG.integers(0, 10, 3).tolist())
    for name in (*cifar.BATCHES, cifar.TEST)
}
PYTHON = {f"cifar-10-batches-py/{n}": pickled(*batch) for n, batch in BATCHES.items()}
BINARY = {
    f"cifar-10-batches-bin/{name}.bin": b"".join(
        bytes([y]) + row.tobytes() for row, y in zip(x, labels, strict=True)
    )
    for name, (x, labels) in BATCHES.items()
}


def forms() -> dict[str, Dataset]:
    python_archive = {"cifar-10-python.tar.gz": archive(PYTHON | {"readme.html": b"hello"})}
    binary_archive = {"cifar-10-binary.tar.gz": archive(BINARY)}
    return {
        "python": cifar.read_python(PYTHON, PROVENANCE),
        "binary": cifar.read_binary(BINARY, PROVENANCE),
        "python archive": cifar.read_python_archive(python_archive, PROVENANCE),
        "binary archive": cifar.read_binary_archive(binary_archive, PROVENANCE),
    }


@pytest.mark.parametrize("form", ["python", "binary", "python archive", "binary archive"])
def test_every_form_gives_the_same_images_and_labels(form: str) -> None:
    found = forms()[form]
    pixels = np.concatenate([BATCHES[name][0] for name in cifar.BATCHES])
    assert found.x.shape == (15, 3, 32, 32)
    assert (found.x.reshape(15, -1) == pixels).all()
    assert found.y.tolist() == [y for name in cifar.BATCHES for y in BATCHES[name][1]]
    assert found.test_y is not None
    assert found.test_y.tolist() == BATCHES[cifar.TEST][1]


def test_the_subset_is_turned_to_channel_first() -> None:
    x = RNG.integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    y = np.arange(4, dtype=np.uint8)
    file = npz(x_train=x, y_train=y, x_test=x, y_test=y)
    found = cifar.read_subset({"cifar10_small_train8k_test2k.npz": file}, PROVENANCE)
    assert (found.x[2, 1] == x[2, :, :, 1]).all()


def test_an_array_in_column_order_is_read_in_its_order() -> None:
    pixels, labels = BATCHES["test_batch"]
    found, _ = cifar.python_batch(pickled(pixels, labels, fortran=True))
    assert (found.reshape(3, -1) == pixels).all()


HOSTILE = {
    "a shell": b"cposix\nsystem\n(S'touch {path}'\ntR.",
    "a shell by protocol 2": b"\x80\x02cposix\nsystem\nU\x0ctouch {path}\x85R.",
    "a stack global": b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.",
    "an instance": b"(S'true'\niposix\nsystem\n.",
    "an object": b"(cposix\nsystem\nS'true'\no.",
    "eval": b"cbuiltins\neval\n(S'1'\ntR.",
    "a new object": b"\x80\x02cbuiltins\nobject\n)\x81.",
    "an extension": b"\x80\x02\x82\x01.",
    "a persistent id": b"Pname\n.",
    "numpy's own loader": b"cnumpy\nload\n(S'x'\ntR.",
    "another element type": b"\x80\x02cnumpy\ndtype\nU\x01O\x85R.",
    "an array class that is a string": (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nU\x01xK\x00\x85U\x01b\x87R."
    ),
    "a called array": b"\x80\x02cnumpy\nndarray\nK\x01\x85R.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_is_refused_and_runs_nothing(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        decode(HOSTILE[name].replace(b"{path}", str(tmp_path / "ran").encode()))
    assert list(tmp_path.iterdir()) == []


@given(st.binary(max_size=60))
def test_random_bytes_are_refused_with_a_data_error(data: bytes) -> None:
    with pytest.raises(DataError):
        cifar.python_batch(data)


@given(st.data())
def test_a_batch_with_one_byte_changed_or_cut_never_fails_otherwise(data: st.DataObject) -> None:
    whole = pickled(BATCHES["test_batch"][0][:1], [3])
    place = data.draw(st.integers(0, 60) | st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255))
    for broken in (whole[:place], whole[:place] + bytes([byte]) + whole[place + 1 :]):
        try:
            x, y = cifar.python_batch(broken)
        except DataError:
            continue
        assert x.shape[1:] == (3, 32, 32)
        assert y.dtype == np.int64


@pytest.mark.parametrize(
    "data", [b"", b"\x01" * 3072, b"\x01" * 3074], ids=["nothing", "short", "long"]
)
def test_a_binary_batch_must_hold_whole_records(data: bytes) -> None:
    with pytest.raises(DataError, match="records"):
        cifar.binary_batch(data)


def test_an_archive_without_a_batch_is_refused_by_its_name() -> None:
    lacking = {k: v for k, v in BINARY.items() if "batch_3" not in k}
    with pytest.raises(DataError, match="lacks data_batch_3"):
        cifar.read_binary_archive({"a": archive(lacking)}, PROVENANCE)


@pytest.mark.parametrize("cut", [1, 200, 20_000])
def test_a_cut_archive_is_refused(cut: int) -> None:
    with pytest.raises(DataError, match="archive"):
        cifar.read_binary_archive({"a": archive(BINARY)[:-cut]}, PROVENANCE)


def test_an_npz_with_objects_in_it_is_refused() -> None:
    objects = np.array([{"a": 1}], dtype=object)
    file = npz(x_train=objects, y_train=objects, x_test=objects, y_test=objects)
    with pytest.raises(DataError, match="plain arrays"):
        cifar.read_subset({"a": file}, PROVENANCE)


def test_a_label_out_of_range_is_refused() -> None:
    wrong = BINARY | {"cifar-10-batches-bin/test_batch.bin": b"\x0a" + b"\0" * 3072}
    with pytest.raises(DataError, match=r"labels must be in 0\.\.9"):
        cifar.read_binary(wrong, PROVENANCE)
