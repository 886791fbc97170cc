"""FEMNIST: handwritten characters by their writers, as LEAF writes them or as one npz.

Images are kept as LEAF has them, dark strokes (0) on white (1).

Source: Caldas et al., LEAF: A Benchmark for Federated Settings, 2019; Cohen et al., EMNIST, 2017.
"""

from collections.abc import Iterable, Mapping
from string import ascii_lowercase, ascii_uppercase, digits

import msgspec
import numpy as np
from numpy.typing import NDArray

from secure_clove.data.dataset import Dataset, Part, Provenance
from secure_clove.data.npz import arrays
from secure_clove.errors import DataError

CLASSES = tuple(digits + ascii_uppercase + ascii_lowercase)
SIDE = 28


class Writer(msgspec.Struct, frozen=True):
    """One writer's images, each 784 numbers in [0, 1], and their labels."""

    x: list[list[float]]
    y: list[int]


class Shard(msgspec.Struct, frozen=True):
    """One JSON file of LEAF."""

    users: list[str]
    num_samples: list[int]
    user_data: dict[str, Writer]


def read_leaf(files: Mapping[str, bytes], provenance: Provenance) -> Dataset:
    """Return FEMNIST from LEAF's ``train/*.json`` and ``test/*.json``.

    Writers without training examples are left out.
    """
    train, test = (
        writers(data for path, data in files.items() if path.startswith(f"{part}/"))
        for part in ("train", "test")
    )
    names = tuple(sorted(name for name, writer in train.items() if writer.y))
    if not names:
        raise DataError("no writer has training examples")
    return Dataset(
        train=_part(train, names),
        test=_part(test, names),
        classes=CLASSES,
        group_names=names,
        unit=255.0,
        provenance=provenance,
    )


def writers(shards: Iterable[bytes]) -> dict[str, Writer]:
    """Return every writer of some JSON files by name.

    Raises:
        DataError: not LEAF's JSON, a writer in two files, or counts that do not match.
    """
    found: dict[str, Writer] = {}
    for data in shards:
        try:
            shard = msgspec.json.decode(data, type=Shard)
        except (msgspec.DecodeError, RecursionError) as error:
            raise DataError("not a complete JSON file of LEAF") from error
        counts = {name: len(writer.y) for name, writer in shard.user_data.items()}
        if counts != dict(zip(shard.users, shard.num_samples, strict=False)):
            raise DataError("the writers of a JSON file do not match its counts")
        if found.keys() & counts.keys():
            raise DataError("a writer is in two JSON files; keep the output of one LEAF run only")
        found.update(shard.user_data)
    return found


def _part(found: Mapping[str, Writer], names: tuple[str, ...]) -> Part:
    held = [(g, found[name]) for g, name in enumerate(names) if name in found and found[name].y]
    pixels = [_pixels(writer) for _, writer in held]
    groups = [np.full(len(writer.y), g, dtype=np.int64) for g, writer in held]
    return Part(
        x=np.concatenate([np.zeros((0, 1, SIDE, SIDE), np.uint8), *pixels]),
        y=np.array([y for _, writer in held for y in writer.y], dtype=np.int64),
        groups=np.concatenate([np.zeros(0, np.int64), *groups]),
    )


def _pixels(writer: Writer) -> NDArray[np.uint8]:
    try:
        values = np.array(writer.x, dtype=np.float64).reshape(len(writer.y), 1, SIDE, SIDE)
    except ValueError as error:
        raise DataError(f"an image does not have {SIDE} x {SIDE} pixels") from error
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        raise DataError("pixels must be in [0, 1]")
    return np.rint(values * 255).astype(np.uint8)


def read_writers(files: Mapping[str, bytes], provenance: Provenance) -> Dataset:
    """Return FEMNIST of 105 writers from one npz file."""
    (data,) = files.values()
    (names,) = arrays(data, "writers")
    train, test = (
        Part(x=x[:, None], y=y.astype(np.int64), groups=groups.astype(np.int64))
        for x, y, groups in (
            arrays(data, f"x_{part}", f"y_{part}", f"writer_{part}") for part in ("train", "test")
        )
    )
    return Dataset(
        train=train,
        test=test,
        classes=CLASSES,
        group_names=tuple(str(name) for name in names),
        unit=255.0,
        provenance=provenance,
    )
