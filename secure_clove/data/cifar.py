"""CIFAR-10: the python and the binary batches, loose or in their archive, and a subset as npz.

Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009, and the "Dataset
layout" of its page: 3072 bytes an image, red, green, blue, each row by row.
"""

import gzip
import tarfile
import zlib
from collections.abc import Callable, Mapping
from io import BytesIO

import numpy as np

from secure_clove.data.dataset import Dataset, Part, Provenance, Stored
from secure_clove.data.federation import Labels
from secure_clove.data.npz import arrays
from secure_clove.data.pickled import decode
from secure_clove.errors import DataError

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
IMAGE = (3, 32, 32)
PIXELS = 3072

BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = "test_batch"

Batch = tuple[Stored, Labels]


def python_batch(data: bytes) -> Batch:
    """Return images (n, 3, 32, 32) and labels (n,) of one pickled batch, without unpickling it.

    Raises:
        DataError: not such a batch.
    """
    found = decode(data)
    pixels, labels = found.get("data"), found.get("labels")
    if not isinstance(pixels, np.ndarray) or not isinstance(labels, list):
        raise DataError("a batch needs 'data' and 'labels'")
    if pixels.ndim != 2 or pixels.shape[1] != PIXELS or not all(type(y) is int for y in labels):
        raise DataError(f"a batch needs rows of {PIXELS} pixels and whole labels")
    return pixels.reshape(-1, *IMAGE), np.array(labels, dtype=np.int64)


def binary_batch(data: bytes) -> Batch:
    """Return images (n, 3, 32, 32) and labels (n,) of one binary batch.

    Raises:
        DataError: not a whole count of records.
    """
    if not data or len(data) % (PIXELS + 1):
        raise DataError(f"{len(data)} bytes are not a whole count of {PIXELS + 1}-byte records")
    records = np.frombuffer(data, dtype=np.uint8).reshape(-1, PIXELS + 1)
    return records[:, 1:].reshape(-1, *IMAGE), records[:, 0].astype(np.int64)


def read_python(files: Mapping[str, bytes], provenance: Provenance) -> Dataset:
    """Return CIFAR-10 from the six loose python batches."""
    return _read(_by_name(files), provenance, python_batch, ending="")


def read_binary(files: Mapping[str, bytes], provenance: Provenance) -> Dataset:
    """Return CIFAR-10 from the six loose binary batches."""
    return _read(_by_name(files), provenance, binary_batch, ending=".bin")


def read_python_archive(files: Mapping[str, bytes], provenance: Provenance) -> Dataset:
    """Return CIFAR-10 from ``cifar-10-python.tar.gz``; nothing is unpacked on the disk."""
    return _read(_members(files), provenance, python_batch, ending="")


def read_binary_archive(files: Mapping[str, bytes], provenance: Provenance) -> Dataset:
    """Return CIFAR-10 from ``cifar-10-binary.tar.gz``; nothing is unpacked on the disk."""
    return _read(_members(files), provenance, binary_batch, ending=".bin")


def read_subset(files: Mapping[str, bytes], provenance: Provenance) -> Dataset:
    """Return the balanced subset: 8,000 training and 2,000 test images, stored channel last."""
    (data,) = files.values()
    x_train, y_train, x_test, y_test = arrays(data, "x_train", "y_train", "x_test", "y_test")
    train, test = (
        Part(x=np.moveaxis(x, 3, 1), y=y.astype(np.int64))
        for x, y in ((x_train, y_train), (x_test, y_test))
    )
    return Dataset(train=train, test=test, classes=CLASSES, unit=255.0, provenance=provenance)


def _read(
    batches: Mapping[str, bytes],
    provenance: Provenance,
    decoded: Callable[[bytes], Batch],
    *,
    ending: str,
) -> Dataset:
    missing = [n for n in (*BATCHES, TEST) if f"{n}{ending}" not in batches]
    if missing:
        raise DataError(f"the archive lacks {', '.join(missing)}")
    found = [decoded(batches[f"{name}{ending}"]) for name in BATCHES]
    x, y = (np.concatenate(parts) for parts in zip(*found, strict=True))
    test_x, test_y = decoded(batches[f"{TEST}{ending}"])
    return Dataset(
        train=Part(x=x, y=y),
        test=Part(x=test_x, y=test_y),
        classes=CLASSES,
        unit=255.0,
        provenance=provenance,
    )


def _by_name(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {path.rpartition("/")[2]: data for path, data in files.items()}


def _members(files: Mapping[str, bytes]) -> dict[str, bytes]:
    (data,) = files.values()
    try:
        plain = gzip.decompress(data)  # to its end, so that the checksum is verified
        with tarfile.open(fileobj=BytesIO(plain), mode="r:") as archive:
            found = {m.name: archive.extractfile(m) for m in archive if m.isfile()}
            return _by_name({name: f.read() for name, f in found.items() if f is not None})
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError("not a complete gzipped tar archive") from error
