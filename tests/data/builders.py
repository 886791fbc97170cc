"""Small data sets and files in the formats of the real ones."""

import gzip
import tarfile
from collections.abc import Mapping
from io import BytesIO
from struct import pack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secure_clove.data.dataset import Dataset, Part, Provenance
from secure_clove.data.federation import Federation

PROVENANCE = Provenance(dataset="tiny", distribution="made", home="", files=(), verified=False)


def part(counts: list[int], *, side: int = 2, start: int = 0, groups: int = 0) -> Part:
    """Return images whose first pixel is their own number, so that each can be followed."""
    y = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
    y = np.random.default_rng(len(y)).permutation(y)
    x = np.zeros((len(y), 1, side, side), np.float32)
    x[:, 0, 0, 0] = np.arange(start, start + len(y))
    of = np.arange(len(y), dtype=np.int64) % groups if groups else None
    return Part(x=x, y=y, groups=of)


def tiny(
    counts: list[int], *, test: list[int] | None = None, groups: int = 0, side: int = 2
) -> Dataset:
    """Return a data set of numbered images; test images are numbered after the training ones."""
    return Dataset(
        train=part(counts, side=side, groups=groups),
        test=None if test is None else part(test, start=sum(counts), groups=groups, side=side),
        classes=tuple(str(c) for c in range(len(counts))),
        group_names=tuple(f"writer {g}" for g in range(groups)),
        unit=1.0,
        provenance=PROVENANCE,
    )


def numbers(x: NDArray[Any]) -> list[int]:
    """Return the numbers of some images that were not turned."""
    return [int(v) for v in x[:, 0, 0, 0]]


def every_number(made: Federation) -> list[int]:
    """Return the numbers of all images of a federation, training and held-out."""
    return [n for d in made.clients.values() for x in (d.train_x, d.test_x) for n in numbers(x)]


# ---- files


def idx(values: NDArray[np.uint8]) -> bytes:
    """Return a gzipped IDX file."""
    head: bytes = bytes([0, 0, 8, values.ndim]) + pack(f">{values.ndim}I", *values.shape)
    return gzip.compress(head + values.tobytes(), compresslevel=1)


def npz(**found: NDArray[Any]) -> bytes:
    """Return an npz file."""
    stream = BytesIO()
    np.savez(stream, allow_pickle=True, **found)
    return stream.getvalue()


def text(value: bytes) -> bytes:
    """Return the opcode of a short Python 2 string."""
    return b"U" + bytes([len(value)]) + value


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\t"
ELEMENT = (
    b"cnumpy\ndtype\nq\nU\x02u1K\x00K\x01\x87Rq\x0b"
    b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)


def pickled(pixels: NDArray[np.uint8], labels: list[int], *, fortran: bool = False) -> bytes:
    """Return a batch as Python 2 wrote it for CIFAR-10: protocol 2, byte strings, one array."""
    count, width = pixels.shape
    content: bytes = pixels.tobytes(order="F" if fortran else "C")
    shape: bytes = b"M" + pack("<H", count) + b"M" + pack("<H", width) + b"\x86"
    state: bytes = b"(K\x01" + shape + ELEMENT + (b"\x88" if fortran else b"\x89")
    state += b"T" + pack("<i", len(content)) + content + b"tb"
    listed = b"]q\x05(" + b"".join(b"K" + bytes([y]) for y in labels) + b"e"
    names = b"]q\x0c(" + text(b"leptodactylus_pentadactylus_s_000004.png") * count + b"e"
    whole: bytes = (
        b"\x80\x02}q\x01("
        + text(b"batch_label") + b"q\x02" + text(b"training batch 1 of 5") + b"q\x03"
        + text(b"labels") + b"q\x04" + listed
        + text(b"data") + b"q\x06" + ARRAY + state
        + text(b"filenames") + names
        + b"u."
    )  # fmt: skip
    return whole


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return a gzipped tar archive."""
    stream = BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as made:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            made.addfile(member, BytesIO(data))
    return stream.getvalue()
