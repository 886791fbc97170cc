"""The IDX format: MNIST and Fashion-MNIST as their authors distribute them.

Source: LeCun, Cortes and Burges, The MNIST database, "File formats": two zero bytes, the type
(8: unsigned byte), the count of dimensions, each size as a big-endian 32-bit number, the data.
"""

import gzip
import zlib
from collections.abc import Mapping
from math import prod
from struct import unpack

import numpy as np
from numpy.typing import NDArray

from secure_clove.data.dataset import Dataset, Part, Provenance
from secure_clove.errors import DataError

UNSIGNED_BYTE = 8

DIGITS = tuple("0123456789")
CLOTHES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)


def decode(data: bytes, *, dimensions: int) -> NDArray[np.uint8]:
    """Return the array in one gzipped IDX file.

    Args:
        data: The file.
        dimensions: How many dimensions it must have: 1 for labels, 3 for images.

    Raises:
        DataError: not gzip, not IDX of unsigned bytes, or more or fewer bytes than the header says.
    """
    try:
        raw = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError("not a complete gzip file") from error
    start = 4 + 4 * dimensions
    if len(raw) < start or raw[:4] != bytes([0, 0, UNSIGNED_BYTE, dimensions]):
        raise DataError(f"not an IDX file of unsigned bytes with {dimensions} dimensions")
    shape = unpack(f">{dimensions}I", raw[4:start])
    if len(raw) - start != prod(shape):
        raise DataError(f"the header promises {prod(shape)} bytes, {len(raw) - start} follow")
    return np.frombuffer(raw, dtype=np.uint8, offset=start).reshape(shape)


def read_digits(files: Mapping[str, bytes], provenance: Provenance) -> Dataset:
    """Return MNIST: x of shape (n, 1, 28, 28) in [0, 1], ten digits."""
    return _read(files, provenance, DIGITS)


def read_clothes(files: Mapping[str, bytes], provenance: Provenance) -> Dataset:
    """Return Fashion-MNIST: x of shape (n, 1, 28, 28) in [0, 1], ten kinds of clothes."""
    return _read(files, provenance, CLOTHES)


def _read(files: Mapping[str, bytes], provenance: Provenance, classes: tuple[str, ...]) -> Dataset:
    train, test = (
        Part(
            x=decode(files[f"{part}-images-idx3-ubyte.gz"], dimensions=3)[:, None],
            y=decode(files[f"{part}-labels-idx1-ubyte.gz"], dimensions=1).astype(np.int64),
        )
        for part in ("train", "t10k")
    )
    return Dataset(train=train, test=test, classes=classes, unit=255.0, provenance=provenance)
