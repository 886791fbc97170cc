"""AG News: titles and descriptions as rows of word numbers.

A word is a run of letters, digits or underscores, in lower case. The vocabulary comes from the
training texts alone. 0 is padding, 1 a word that is not in the vocabulary, 2 the most common word.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO

import numpy as np
from numpy.typing import NDArray

from secure_clove.data.dataset import Dataset, Part, Provenance
from secure_clove.errors import DataError

VOCABULARY = 20_000
"""Words that have a number of their own."""

LENGTH = 200
"""Words of a text that are kept; shorter texts are padded."""

PADDING, UNKNOWN, FIRST = 0, 1, 2

CLASSES = ("World", "Sports", "Business", "Sci/Tech")

_WORD = re.compile(r"\w+")

Text = tuple[str, int]
"""A text and its label."""


def words(text: str) -> list[str]:
    """Return the words of ``text`` in lower case and in order."""
    return _WORD.findall(text.lower())


def vocabulary(texts: Iterable[str], *, size: int = VOCABULARY) -> dict[str, int]:
    """Return a number for each of the ``size`` most common words, from `FIRST` on.

    Equally common words are numbered in alphabetical order, so the same texts in any order give
    the same numbers.

    Source: the authors' code of CLoVE: 20,000 most common words, lower case.
    """
    counts = Counter(word for text in texts for word in words(text))
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:size]
    return {word: number for number, (word, _) in enumerate(ranked, start=FIRST)}


def tokens(
    texts: Sequence[str], numbers: Mapping[str, int], *, length: int = LENGTH
) -> NDArray[np.int32]:
    """Return word numbers, shape (len(texts), length), cut or padded at the end."""
    rows = np.full((len(texts), length), PADDING, dtype=np.int32)
    for row, text in zip(rows, texts, strict=True):
        found = [numbers.get(word, UNKNOWN) for word in words(text)[:length]]
        row[: len(found)] = found
    return rows


def read_official(files: Mapping[str, bytes], provenance: Provenance) -> Dataset:
    """Return AG News from ``train.csv`` and ``test.csv``: class from 1, title, description."""
    return _read(official_rows(files["train.csv"]), official_rows(files["test.csv"]), provenance)


def read_subset(files: Mapping[str, bytes], provenance: Provenance) -> Dataset:
    """Return 5,000 training texts (text, label from 0) and the official test texts."""
    train = subset_rows(files["train_subset_5000.hf.csv"])
    return _read(train, official_rows(files["test.csv"]), provenance)


def official_rows(data: bytes) -> list[Text]:
    """Return the rows of an official file.

    Raises:
        DataError: a row that is not class, title, description.
    """
    return [(f"{title} {body}", _label(y) - 1) for y, title, body in _rows(data, columns=3)]


def subset_rows(data: bytes) -> list[Text]:
    """Return the rows of the subset's file.

    Raises:
        DataError: a row that is not text, label.
    """
    return [(text, _label(y)) for text, y in _rows(data, columns=2)]


def _rows(data: bytes, *, columns: int) -> list[list[str]]:
    try:
        rows = list(csv.reader(StringIO(data.decode("utf-8"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError("not a complete CSV file in UTF-8") from error
    wrong = next((i for i, row in enumerate(rows, start=1) if len(row) != columns), None)
    if wrong is not None or not rows:
        raise DataError(f"row {wrong or 1} of the CSV file does not have {columns} columns")
    return rows


def _label(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise DataError("a label in the CSV file is not a whole number")
    return int(text)


def _read(train: list[Text], test: list[Text], provenance: Provenance) -> Dataset:
    numbers = vocabulary(text for text, _ in train)
    parts = [
        Part(
            x=tokens([text for text, _ in rows], numbers),
            y=np.array([label for _, label in rows], dtype=np.int64),
        )
        for rows in (train, test)
    ]
    return Dataset(train=parts[0], test=parts[1], classes=CLASSES, unit=None, provenance=provenance)
