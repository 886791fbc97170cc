"""Amazon reviews are read out of their pseudo-XML, or as counts."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from secure_clove.data.dataset import Dataset
from secure_clove.data.reviews import DOMAINS, WIDTH, read_counts, texts
from secure_clove.errors import DataError
from tests.data.builders import PROVENANCE, npz

REVIEW = "<review>\n<title>\nx\n</title>\n<review_text>\n{}\n</review_text>\n</review>\n"


def test_only_the_text_of_a_review_is_read() -> None:
    found = texts((REVIEW.format("caf\xe9 & more\n\nend") + REVIEW.format("b")).encode("latin-1"))
    assert found == ["caf\xe9 & more\n\nend", "b"]


@pytest.mark.parametrize("data", [b"", b"<review_text>\nno end", REVIEW[:-20].encode()])
def test_a_file_without_whole_reviews_is_refused(data: bytes) -> None:
    with pytest.raises(DataError, match="complete"):
        texts(data)


def counts(**changes: object) -> Dataset:
    good: dict[str, object] = {
        "data": np.array([3, 1], np.uint16),
        "indices": np.array([0, 4999], np.int16),
        "indptr": np.array([0, 1, 2], np.int32),
        "shape": np.array([2, WIDTH]),
        "y": np.array([0, 1], np.uint8),
        "domain": np.array([0, 3], np.uint8),
    }
    arrays = {name: np.asarray(value) for name, value in (good | changes).items()}
    return read_counts({"amazon.npz": npz(**arrays)}, PROVENANCE)


def test_counts_keep_their_place_and_their_domain() -> None:
    found = counts()
    assert found.x.shape == (2, WIDTH)
    assert (found.x[0, 0], found.x[1, 4999], int(found.x.sum())) == (3, 1, 4)
    assert found.train.groups is not None
    assert [DOMAINS[g] for g in found.train.groups] == ["books", "kitchen"]


@pytest.mark.parametrize(
    "changes",
    [
        {"data": np.array([300, 1])},
        {"data": np.array([-1, 1])},
        {"shape": np.array([2, 4])},
        {"indptr": np.array([0, 9, 2])},
        {"indptr": np.array([0, 1])},
        {"indices": np.array([0, 5000])},
        {"y": np.array([0, 2])},
        {"domain": np.array([0, 4])},
        {"y": np.array([0])},
    ],
    ids=[
        "large",
        "negative",
        "narrow",
        "no matrix",
        "few rows",
        "wide",
        "label",
        "domain",
        "short",
    ],
)
def test_counts_that_do_not_fit_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(DataError):
        counts(**changes)


def test_a_real_file_holds_a_thousand_reviews(data_dir: Path) -> None:
    path = data_dir / "amazon_reviews" / "books" / "positive.review.gz"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    assert len(texts(gzip.decompress(path.read_bytes()))) == 1000


@pytest.mark.slow
def test_the_reviews_give_the_derived_counts(real: Callable[[str, str], Dataset]) -> None:
    derived, counted = (real("amazon-reviews", form) for form in ("counts", "reviews-gz"))
    assert (derived.x == counted.x).all()
    assert (derived.y == counted.y).all()
