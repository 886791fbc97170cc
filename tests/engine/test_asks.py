"""How an ask travels: what is saved is read, rows are shared, and nothing can be swapped."""

import tracemalloc
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from secure_clove.algorithms.base import Use, rows
from secure_clove.engine.asks import ARRAY, Ask, Asks, Index
from secure_clove.engine.guard import Guard
from secure_clove.engine.pipeline import pack
from secure_clove.errors import MalformedError
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import Digest, digest
from secure_clove.foundation.seeds import SimulatedEntropy, stream
from secure_clove.foundation.trees import Tree, Vector
from tests.engine.builders import ToyTrainer

ANY = st.dictionaries(
    st.text(max_size=8), arrays(np.float64, array_shapes(min_dims=0, max_dims=3, min_side=0))
)
MODELS = stream(0, "models").normal(size=(4, 6))


@dataclass
class Shelf:
    """Artefacts in memory, and how often each was fetched."""

    kept: dict[Digest, bytes] = field(default_factory=dict)
    fetched: Counter[Digest] = field(default_factory=Counter)

    def save(self, data: bytes) -> Digest:
        self.kept[digest(data)] = data
        return digest(data)

    def fetch(self, content: Digest) -> bytes:
        self.fetched[content] += 1
        return self.kept[content]

    def ask(self, tree: Tree) -> Ask:
        return self.read(Asks(self.save).save(tree))

    def read(self, content: Digest, *, most_rows: int | None = None) -> Ask:
        return Ask(self.kept[content], self.fetch, most_rows=most_rows)


@given(ANY)
def test_an_ask_that_was_saved_is_read_back(tree: dict[str, Vector]) -> None:
    found = Shelf().ask(tree)
    assert list(found) == sorted(tree)
    for name, array in tree.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].shape == array.shape


@given(arrays(np.float64, array_shapes(min_dims=2, max_dims=3)))
def test_rows_one_at_a_time_are_the_rows_of_the_whole(array: Vector) -> None:
    found = Shelf().ask({"models": array})
    np.testing.assert_array_equal([*found.rows("models")], array)


@given(ANY)
def test_equal_asks_have_one_hash(tree: dict[str, Vector]) -> None:
    backwards = {name: np.array(tree[name]) for name in reversed(tree)}
    assert Asks(Shelf().save).save(tree) == Asks(Shelf().save).save(backwards)


def test_any_other_number_gives_another_hash() -> None:
    other = MODELS.copy()
    other[3, 5] = np.nextafter(other[3, 5], 9)
    save = Asks(Shelf().save).save
    assert save({"models": MODELS}) != save({"models": other})


def test_a_row_that_did_not_change_is_the_same_artefact() -> None:
    shelf, other = Shelf(), MODELS.copy()
    shelf.ask({"models": MODELS})
    before = set(shelf.kept)
    other[2] += 1
    shelf.ask({"models": other})
    assert len(shelf.kept.keys() - before) == 2  # the changed row and the index


def test_a_model_sent_alone_is_the_artefact_of_its_row() -> None:
    shelf = Shelf()
    shelf.ask({"models": MODELS})
    before = set(shelf.kept)
    shelf.ask({"model": MODELS[1], "number": np.array(1.0)})
    assert len(shelf.kept.keys() - before) == 1  # the index


@pytest.mark.parametrize("read", [lambda ask: ask["models"], lambda ask: [*ask.rows("models")]])
def test_equal_rows_are_fetched_once(read: Callable[[Ask], object]) -> None:
    shelf = Shelf()
    read(shelf.ask({"models": np.stack([MODELS[0]] * 5 + [MODELS[1]])}))
    assert sorted(shelf.fetched.values()) == [1, 1]


def test_an_array_is_fetched_once_however_often_it_is_read() -> None:
    shelf = Shelf()
    ask = shelf.ask({"models": MODELS, "shared": MODELS[0]})
    for _ in range(3):
        _ = ask["models"], ask["shared"]
    assert set(shelf.fetched.values()) == {2, 1}  # row 0 is also the array called "shared"


def test_arrays_in_the_same_memory_are_packed_once() -> None:
    saved: list[bytes] = []

    def save(data: bytes) -> Digest:
        saved.append(data)
        return digest(data)

    asks = Asks(save)
    for number in range(5):
        asks.save({"models": MODELS, "model": MODELS[1], "number": np.array(float(number))})
    assert len(saved) == 4 + 1 + 5  # rows, the model, and an index a client


def test_other_numbers_at_a_place_in_memory_that_was_used_before_are_packed_anew() -> None:
    shelf = Shelf()
    asks = Asks(shelf.save)
    for number in range(50):  # each array may lie where the last one lay
        content = asks.save({"models": np.full((2, 3), float(number))})
        np.testing.assert_array_equal(shelf.read(content)["models"], number)


# ---- what a lying coordinator might serve


def test_more_rows_than_models_are_refused_before_any_is_fetched() -> None:
    shelf = Shelf()
    content = Asks(shelf.save).save({"models": MODELS})
    with pytest.raises(MalformedError, match="4 rows; this federation has 3 models"):
        shelf.read(content, most_rows=3)
    assert not shelf.fetched


@pytest.mark.parametrize(
    "index",
    [
        {"numbers": {"a": 1.0}, "whole": {"a": "0" * 64}, "rows": {}},
        {"numbers": {"a": 1.0}, "whole": {}, "rows": {"a": ["0" * 64]}},
        {"numbers": {}, "whole": {"a": "0" * 64}, "rows": {"a": ["0" * 64]}},
        {"numbers": {}, "whole": {}, "rows": {"a": []}},
        {"numbers": {}, "whole": {}},
        {"numbers": {"a": "b"}, "whole": {}, "rows": {}},
        [],
    ],
)
def test_bytes_that_are_no_index_are_refused(index: object) -> None:
    with pytest.raises(MalformedError):
        Ask(encode(index), Shelf().fetch)


@pytest.mark.parametrize(
    "row", [b"", pack({}), pack({"model": MODELS[0]}), pack({ARRAY: MODELS[0], "more": MODELS[0]})]
)
def test_an_artefact_that_is_no_array_is_refused(row: bytes) -> None:
    shelf = Shelf()
    index = Index(rows={"models": (shelf.save(row),)}, whole={"model": shelf.save(row)})
    ask = Ask(encode(index), shelf.fetch)
    for read in (lambda: ask["models"], lambda: ask["model"], lambda: [*ask.rows("models")]):
        with pytest.raises(MalformedError):
            read()


@pytest.mark.parametrize("read", [lambda ask: ask["models"], lambda ask: [*ask.rows("models")]])
@pytest.mark.parametrize("other", [MODELS[0, :5], MODELS, np.array(1.0)])
def test_rows_of_different_shapes_are_refused(other: Vector, read: Callable[[Ask], Any]) -> None:
    shelf = Shelf()
    contents = tuple(shelf.save(pack({ARRAY: row})) for row in (MODELS[0], other))
    with pytest.raises(MalformedError, match="one shape"):
        read(Ask(encode(Index(rows={"models": contents})), shelf.fetch))


def test_an_index_names_what_it_holds_and_shows_no_numbers() -> None:
    shelf = Shelf()
    content = Asks(shelf.save).save({"model": MODELS[0], "number": np.array(7.25)})
    index = decode(shelf.kept[content], Index)
    assert index.names == {"model", "number"}
    assert "7.25" not in repr(index)


# ---- one model at a time (clove.txt, appendix B.1)


class Summing(ToyTrainer):
    """A loss that needs no more memory than the model: the distance of its mean to each point."""

    def losses(self, models: Vector) -> Vector:
        middles = np.array([model.mean() for model in models])
        squared: Vector = (self.points[:, :1] - middles) ** 2
        return squared


def embedding(ask: Tree) -> Vector:
    trainer = Summing(stream(0, "points").normal(size=(20, 2)))
    guard = Guard(trainer, uses=frozenset({Use.EMBEDDING}), plan=None, entropy=SimulatedEntropy(0))
    return guard.embedding(rows(ask, "models"))


def peak(shelf: Shelf, content: Digest, *, one_at_a_time: bool) -> tuple[int, Vector]:
    """Return the most bytes that reading and evaluating an ask held, and its embedding."""
    ask = Ask(shelf.kept[content], lambda row: bytes(bytearray(shelf.kept[row])))  # as from a line
    tracemalloc.start()
    try:
        found = embedding(ask if one_at_a_time else dict(ask))
        return tracemalloc.get_traced_memory()[1], found
    finally:
        tracemalloc.stop()


def test_one_at_a_time_the_memory_is_that_of_few_models_however_many_are_evaluated() -> None:
    shelf, count, length = Shelf(), 20, 100_000
    models = stream(0, "large").normal(size=(count, length))
    content = Asks(shelf.save).save({"models": models})
    together, whole = peak(shelf, content, one_at_a_time=False)
    singly, alone = peak(shelf, content, one_at_a_time=True)
    np.testing.assert_array_equal(alone, whole)
    model = 8 * length
    assert together > count * model
    assert singly < 3.5 * model
    assert together > 5 * singly
