"""Amazon reviews of four kinds of products as counts of the 5,000 most common words and pairs.

There is no official test part, so the vocabulary comes from all 8,000 reviews and a partition holds
out examples of each client.

Source: Blitzer, Dredze and Pereira, Biographies, Bollywood, Boom-boxes and Blenders, ACL 2007
(Multi-Domain Sentiment Dataset, version 2).
"""

import gzip
import re
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer

from secure_clove.data.dataset import Dataset, Part, Provenance
from secure_clove.data.npz import arrays
from secure_clove.errors import DataError

DOMAINS = ("books", "dvd", "electronics", "kitchen")
CLASSES = ("negative", "positive")
WIDTH = 5000

_REVIEW = re.compile(r"<review_text>\n(.*?)\n?</review_text>", re.DOTALL)


def texts(data: bytes) -> list[str]:
    """Return the review texts of one pseudo-XML file in Latin-1.

    Raises:
        DataError: no review in it, or one that does not end.
    """
    content = data.decode("latin-1")
    found = _REVIEW.findall(content)
    if not found or len(found) != content.count("<review_text>"):
        raise DataError("not a complete file of <review_text> entries")
    return [str(text).strip() for text in found]


def read_reviews(files: Mapping[str, bytes], provenance: Provenance) -> Dataset:
    """Return the data set from ``DOMAIN/CLASS.review``, gzipped or plain."""
    found = [
        (text, label, group)
        for group, domain in enumerate(DOMAINS)
        for label, name in enumerate(CLASSES)
        for text in texts(_plain(files, f"{domain}/{name}.review"))
    ]
    counter = CountVectorizer(lowercase=True, ngram_range=(1, 2), max_features=WIDTH)
    counts = counter.fit_transform([text for text, _, _ in found])
    y, groups = (np.array([row[i] for row in found], dtype=np.int64) for i in (1, 2))
    return _dataset(counts.toarray(), y, groups, provenance)


def read_counts(files: Mapping[str, bytes], provenance: Provenance) -> Dataset:
    """Return the data set from the counts that were derived from the same reviews."""
    (data,) = files.values()
    names = ("data", "indices", "indptr", "shape", "y", "domain")
    values, indices, ends, shape, y, domain = arrays(data, *names)
    if shape.tolist() != [len(y), WIDTH] or not len(values) == len(indices) == ends[-1]:
        raise DataError(f"the counts are not a sparse matrix of {WIDTH} columns")
    dense = np.zeros((len(y), WIDTH), dtype=values.dtype)
    try:  # by numpy, which checks every index; scipy trusts them and crashes on a damaged matrix
        dense[np.repeat(np.arange(len(y)), np.diff(ends)), indices] = values
    except (ValueError, IndexError, TypeError) as error:
        raise DataError("the counts are not a sparse matrix") from error
    return _dataset(dense, y.astype(np.int64), domain.astype(np.int64), provenance)


def _plain(files: Mapping[str, bytes], path: str) -> bytes:
    if path in files:
        return files[path]
    try:
        return gzip.decompress(files[f"{path}.gz"])
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}.gz is not a complete gzip file") from error


def _dataset(
    counts: NDArray[Any],
    y: NDArray[np.int64],
    groups: NDArray[np.int64],
    provenance: Provenance,
) -> Dataset:
    if counts.shape[1] != WIDTH or counts.min() < 0 or counts.max() > np.iinfo(np.uint8).max:
        raise DataError(f"{WIDTH} counts of 0 to 255 were expected for each review")
    return Dataset(
        train=Part(x=counts.astype(np.uint8), y=y, groups=groups),
        test=None,
        classes=CLASSES,
        group_names=DOMAINS,
        unit=1.0,
        provenance=provenance,
    )
