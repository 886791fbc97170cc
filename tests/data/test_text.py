"""Texts become word numbers from the training texts' vocabulary, the same in every run."""

import random  # noqa: TID251  shuffles texts within a test

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_clove.data.text import (
    FIRST,
    PADDING,
    UNKNOWN,
    official_rows,
    read_official,
    read_subset,
    subset_rows,
    tokens,
    vocabulary,
    words,
)
from secure_clove.errors import DataError
from tests.data.builders import PROVENANCE

TEXTS = st.lists(st.text(alphabet="ab cD,.'", max_size=12), max_size=8)


def test_words_are_lower_case_and_without_punctuation() -> None:
    assert words("Fears for T N pension\\after 'talks' #36;10") == [
        *("fears", "for", "t", "n", "pension", "after", "talks", "36", "10")
    ]


def test_the_most_common_word_comes_first_and_ties_go_by_the_alphabet() -> None:
    assert vocabulary(["b a c", "c d"]) == {"c": 2, "a": 3, "b": 4, "d": 5}


@given(TEXTS, st.randoms())
def test_the_order_of_the_texts_does_not_change_the_vocabulary(
    texts: list[str], order: random.Random
) -> None:
    mixed = list(texts)
    order.shuffle(mixed)
    assert vocabulary(texts) == vocabulary(mixed)


def test_only_the_most_common_words_have_a_number() -> None:
    assert vocabulary(["a a b b c"], size=2) == {"a": 2, "b": 3}


@given(TEXTS, st.integers(1, 6))
def test_every_row_is_cut_or_padded_to_one_length(texts: list[str], length: int) -> None:
    numbers = vocabulary(texts)
    rows = tokens(texts, numbers, length=length)
    assert rows.shape == (len(texts), length)
    for row, text in zip(rows.tolist(), texts, strict=True):
        kept = [numbers[word] for word in words(text)[:length]]
        assert row == kept + [PADDING] * (length - len(kept))


def test_a_word_of_the_test_texts_alone_is_unknown() -> None:
    train = b'"1","good","day"\n"2","good","night"\n'
    found = read_official({"train.csv": train, "test.csv": b'"4","bad","day"\n'}, PROVENANCE)
    assert found.test_x is not None
    assert found.test_x[0, :3].tolist() == [UNKNOWN, FIRST + 1, PADDING]
    assert found.y.tolist() == [0, 1]
    assert found.features(found.x).dtype == "int64"


def test_the_subset_has_labels_from_zero() -> None:
    files = {"train_subset_5000.hf.csv": b'"A, ""quoted"" text",3\n', "test.csv": b'"1","a","b"\n'}
    assert read_subset(files, PROVENANCE).y.tolist() == [3]
    assert subset_rows(files["train_subset_5000.hf.csv"]) == [('A, "quoted" text', 3)]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "row 1"),
        (b'"1","a","b"\n"2","a"\n', "row 2 .* 3 columns"),
        (b'"one","a","b"\n', "whole number"),
        (b'"1","a","b', "complete CSV"),
        (b'"1","a","\xff"\n', "UTF-8"),
    ],
)
def test_a_broken_file_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        official_rows(data)


def test_a_class_that_does_not_exist_is_refused() -> None:
    files = {"train.csv": b'"5","a","b"\n', "test.csv": b'"1","a","b"\n'}
    with pytest.raises(DataError, match=r"labels must be in 0\.\.3"):
        read_official(files, PROVENANCE)
