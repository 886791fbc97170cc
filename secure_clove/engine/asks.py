"""How an ask travels: an index under one hash, and every array and row under its own.

The session names the hash of the index and the index names the rows, so a coordinator can swap
neither. What several clients, models or rounds have in common is one artefact: stored once, and
not sent again to whoever has it. A client may take the rows of an array one at a time and hold one
model in memory, however many it evaluates (clove.txt, appendix B.1).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from secure_clove.algorithms.base import RowByRow
from secure_clove.engine.pipeline import pack, unpack
from secure_clove.errors import MalformedError
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import Digest
from secure_clove.foundation.trees import Tree, Vector

ARRAY = "array"
"""Name of the one array of an artefact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What an ask consists of.

    Attributes:
        numbers: Its single numbers.
        whole: Hash of every array that travels whole.
        rows: Hashes of the rows, at least one, of every array that travels row by row.
    """

    numbers: Mapping[str, float] = field(default_factory=dict, repr=False)
    whole: Mapping[str, Digest] = field(default_factory=dict)
    rows: Mapping[str, tuple[Digest, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an index with two arrays of one name, or with an array of no rows."""
        if len(self.names) < len(self.numbers) + len(self.whole) + len(self.rows):
            raise MalformedError("an ask has two arrays of one name")
        if not all(self.rows.values()):
            raise MalformedError("an array that travels row by row has at least one row")

    @property
    def names(self) -> frozenset[str]:
        """Names of all arrays."""
        return frozenset({*self.numbers, *self.whole, *self.rows})


class Asks:
    """Saves the asks of many clients; arrays that lie in the same memory are packed once.

    Args:
        save: Stores bytes and returns their hash.
    """

    def __init__(self, save: Callable[[bytes], Digest]) -> None:
        self._save = save
        self._known: dict[object, tuple[Vector, tuple[Digest, ...]]] = {}

    def save(self, tree: Tree) -> Digest:
        """Store an ask of float64 arrays and return the hash of its index."""
        arrays = {name: np.asarray(array, dtype=np.float64) for name, array in tree.items()}
        rows = {name for name, array in arrays.items() if array.ndim > 1 and len(array)}
        index = Index(
            numbers={name: float(array) for name, array in arrays.items() if not array.ndim},
            whole={
                n: self._saved(a[None])[0] for n, a in arrays.items() if a.ndim and n not in rows
            },
            rows={name: self._saved(arrays[name]) for name in rows},
        )
        return self._save(encode(index))

    def _saved(self, array: Vector) -> tuple[Digest, ...]:
        """Store each row; the array is kept, so that its place in memory stays its own."""
        place = (array.__array_interface__["data"], array.shape, array.strides)
        if place not in self._known:
            self._known[place] = (array, tuple(self._save(pack({ARRAY: row})) for row in array))
        return self._known[place][1]


class Ask(RowByRow):
    """An ask as its reader sees it: arrays are fetched once, single rows whenever asked for.

    Args:
        index: Encoded `Index`.
        fetch: Returns the bytes with a hash, and nothing else: it checks them.
        most_rows: Most rows of one array; None reads what our own store wrote.

    Raises:
        MalformedError: not an index, or one with an array of too many rows.
    """

    def __init__(
        self, index: bytes, fetch: Callable[[Digest], bytes], *, most_rows: int | None = None
    ) -> None:
        self._index, self._fetch = decode(index, Index), fetch
        self._kept: dict[str, Vector] = {}
        longest = max(map(len, self._index.rows.values()), default=0)
        if most_rows is not None and longest > most_rows:
            raise MalformedError(
                f"an array of the ask has {longest} rows; this federation has {most_rows} models"
            )

    def __iter__(self) -> Iterator[str]:
        """Return the names of the arrays in ascending order."""
        return iter(sorted(self._index.names))

    def __len__(self) -> int:
        """Return the count of arrays."""
        return len(self._index.names)

    def __getitem__(self, name: str) -> Vector:
        """Return an array, with all its rows.

        Raises:
            KeyError: there is none of this name.
            MalformedError: an artefact is not an array, or rows have different shapes.
        """
        if name not in self._kept:
            self._kept[name] = self._read(name)
        return self._kept[name]

    def rows(self, name: str) -> Iterator[Vector]:
        """Return the rows of an array; only the one that was returned last is in memory.

        Raises:
            KeyError: there is no array of this name that travels row by row.
            MalformedError: an artefact is not an array, or rows have different shapes.
        """
        shape: tuple[int, ...] | None = None
        for content, same in groupby(self._index.rows[name]):
            row = self._array(content)
            shape = row.shape if shape is None else shape
            if row.shape != shape:
                raise MalformedError("the rows of an array must have one shape")
            for _ in same:
                yield row
            del row  # before the next one is fetched

    def _read(self, name: str) -> Vector:
        if name in self._index.numbers:
            return np.array(self._index.numbers[name])
        if name in self._index.whole:
            return self._array(self._index.whole[name])
        rows = self.rows(name)
        first = next(rows)
        found = np.empty((len(self._index.rows[name]), *first.shape))
        found[0] = first
        for number, row in enumerate(rows, start=1):
            found[number] = row
        return found

    def _array(self, content: Digest) -> Vector:
        tree = unpack(self._fetch(content))
        if set(tree) != {ARRAY}:
            raise MalformedError(f"an artefact of an ask holds one array, called '{ARRAY}'")
        return tree[ARRAY]
