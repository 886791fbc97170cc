"""An IDX file is read as its authors describe it, or refused whole."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from secure_clove.data.idx import decode, read_clothes
from secure_clove.errors import DataError
from tests.data.builders import PROVENANCE, idx


@given(st.data())
def test_what_was_written_is_read(data: st.DataObject) -> None:
    shape = data.draw(array_shapes(min_dims=1, max_dims=3, max_side=5))
    values = data.draw(arrays(np.uint8, shape))
    assert (decode(idx(values), dimensions=len(shape)) == values).all()


GOOD = idx(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not an IDX file"),
        (b"plain", "gzip"),
        (GOOD[:-9], "gzip"),
        (gzip.compress(b""), "not an IDX file"),
        (gzip.compress(gzip.decompress(GOOD)[:-1]), "promises 24 bytes, 23 follow"),
        (gzip.compress(gzip.decompress(GOOD) + b"x"), "promises 24 bytes, 25 follow"),
        (gzip.compress(b"\0\0\x0d\x03" + gzip.decompress(GOOD)[4:]), "unsigned bytes"),
        (idx(np.zeros(3, np.uint8)), "3 dimensions"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_not_whole_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        decode(data, dimensions=3)


def test_images_get_a_channel_and_a_scale_of_one() -> None:
    images = np.full((2, 28, 28), 255, np.uint8)
    files = {
        f"{part}-{kind}": idx(values)
        for part in ("train", "t10k")
        for kind, values in (
            ("images-idx3-ubyte.gz", images),
            ("labels-idx1-ubyte.gz", np.array([0, 9], np.uint8)),
        )
    }
    found = read_clothes(files, PROVENANCE)
    assert found.features(found.x).shape == (2, 1, 28, 28)
    assert found.features(found.x).max() == 1
    assert found.classes[9] == "Ankle boot"
