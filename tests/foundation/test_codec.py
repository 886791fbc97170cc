"""One value, one byte string; and no byte string does anything but become a value or be refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from secure_clove.errors import ConfigError, MalformedError, TooLargeError
from secure_clove.foundation.codec import DTYPES, decode, encode


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    number: int
    share: float
    text: str = ""
    data: bytes = b""
    colour: Colour = Colour.RED
    maybe: int | None = None
    several: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bulk:
    vector: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Even:
    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ConfigError("even numbers only")


plains = st.builds(
    Plain,
    number=st.integers(-(2**63), 2**64 - 1),
    share=st.floats(allow_nan=False),
    text=st.text(max_size=5),
    data=st.binary(max_size=5),
    colour=st.sampled_from(Colour),
    maybe=st.none() | st.integers(-9, 9),
    several=st.lists(st.text(max_size=3), max_size=3).map(tuple),
    counts=st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=4),
)
VALID = encode(Plain(number=300, share=0.5, counts={"a": 1, "b": 2}))


def packed(**changes: object) -> bytes:
    """Return the plain MessagePack of a `Plain` whose fields may be anything."""
    fields = msgspec.msgpack.decode(VALID)
    return msgspec.msgpack.encode(fields | changes)


def array(dtype: object = "<f8", shape: object = (1,), data: object = bytes(8)) -> bytes:
    """Return the MessagePack of a `Bulk` whose array may be anything."""
    return msgspec.msgpack.encode({"vector": [dtype, shape, data]})


@given(plains)
def test_a_value_comes_back_as_it_was(value: Plain) -> None:
    assert decode(encode(value), Plain) == value


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), 5e-324, -0.0])
def test_a_float_comes_back_to_the_last_bit(number: float) -> None:
    back = decode(encode(Plain(number=0, share=number)), Plain).share
    assert back.hex() == number.hex()


@pytest.mark.parametrize("dtype", sorted(DTYPES))
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (0, 4)])
def test_an_array_comes_back_with_dtype_and_shape(dtype: str, shape: tuple[int, ...]) -> None:
    value = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    back = decode(encode(Bulk(vector=value)), Bulk).vector
    np.testing.assert_array_equal(back, value, strict=True)


def test_a_decoded_array_cannot_be_written_to() -> None:
    assert not decode(encode(Bulk(vector=np.zeros(2))), Bulk).vector.flags.writeable


def test_the_memory_layout_of_an_array_does_not_matter() -> None:
    rows = np.arange(6.0).reshape(2, 3)
    assert encode(Bulk(vector=rows)) == encode(Bulk(vector=np.asfortranarray(rows)))


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_in_which_a_mapping_was_filled_does_not_matter(order: list[str]) -> None:
    filled = Plain(number=0, share=0.0, counts={key: ord(key) for key in order})
    expected = Plain(number=0, share=0.0, counts={key: ord(key) for key in "abcd"})
    assert encode(filled) == encode(expected)


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i4", "<c16", "|b1", "<U3"])
def test_an_array_of_another_dtype_has_no_encoding(dtype: str) -> None:
    with pytest.raises(NotImplementedError, match="no canonical encoding"):
        encode(Bulk(vector=np.zeros(2, dtype=dtype)))


def test_an_object_of_another_kind_has_no_encoding() -> None:
    with pytest.raises(NotImplementedError, match="no canonical encoding"):
        encode(object())


# ---- what is refused


@given(st.binary(max_size=60))
@example(b"")
def test_arbitrary_bytes_are_refused_or_are_the_encoding_of_what_they_say(data: bytes) -> None:
    for kind in (Plain, Bulk, Even):
        try:
            value = decode(data, kind)
        except MalformedError:
            continue
        assert encode(value) == data


@given(st.integers(0, len(VALID) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_makes_another_value(index: int, change: int) -> None:
    data = bytearray(VALID)
    data[index] ^= change
    try:
        value = decode(bytes(data), Plain)
    except MalformedError:
        return
    assert encode(value) == data != VALID


@given(st.integers(0, len(VALID) - 1))
def test_a_cut_message_is_refused(length: int) -> None:
    with pytest.raises(MalformedError):
        decode(VALID[:length], Plain)


@given(st.binary(min_size=1, max_size=9))
def test_trailing_bytes_are_refused(tail: bytes) -> None:
    with pytest.raises(MalformedError):
        decode(VALID + tail, Plain)


NON_CANONICAL = {
    "a field that is not known": packed(extra=1),
    "a whole number for a float": packed(share=1),
    "a mapping out of order": packed(counts={"b": 2, "a": 1}),
    "a number in more bytes than it needs": packed(number=300).replace(
        b"\xcd\x01\x2c", b"\xce\x00\x00\x01\x2c"
    ),
    "a default left out": msgspec.msgpack.encode({"number": 1, "share": 0.5}),
    "fields out of order": msgspec.msgpack.encode(
        dict(reversed(msgspec.msgpack.decode(VALID).items()))
    ),
}


@pytest.mark.parametrize("data", NON_CANONICAL.values(), ids=NON_CANONICAL.keys())
def test_another_encoding_of_a_valid_value_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError, match="not the canonical encoding of a Plain"):
        decode(data, Plain)


WRONG_TYPES: dict[str, dict[str, Any]] = {
    "text for a number": {"number": "7"},
    "a fraction for a number": {"number": 0.5},
    "bytes for text": {"text": b"x"},
    "text for bytes": {"data": "x"},
    "no such enum member": {"colour": "green"},
    "nothing where something is due": {"share": None},
    "a number among texts": {"several": ["a", 1]},
    "a list for a mapping": {"counts": [1]},
}


@pytest.mark.parametrize("changes", WRONG_TYPES.values(), ids=WRONG_TYPES.keys())
def test_a_value_of_another_type_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedError, match="not a valid Plain"):
        decode(packed(**changes), Plain)


ARRAYS = {
    "a dtype that is not allowed": array(dtype="<f4"),
    "an object dtype": array(dtype="|O"),
    "a dtype that is no text": array(dtype=["<f8"]),
    "fewer bytes than the shape needs": array(shape=(2,)),
    "more bytes than the shape needs": array(data=bytes(16)),
    "bytes that are no whole numbers": array(data=bytes(7)),
    "a negative length": array(shape=(-1,)),
    "a length without end": array(shape=(2**63,)),
    "lengths whose product overflows": array(shape=(2**62, 2**62), data=b""),
    "a length with a fraction": array(shape=(1.0,)),
    "a shape that is no list": array(shape=1),
    "too many dimensions": array(shape=[1] * 99),
    "text for bytes": array(data="12345678"),
    "too few parts": msgspec.msgpack.encode({"vector": ["<f8", [1]]}),
    "no parts": msgspec.msgpack.encode({"vector": None}),
}


@pytest.mark.parametrize("data", ARRAYS.values(), ids=ARRAYS.keys())
def test_a_malformed_array_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        decode(data, Bulk)


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(MalformedError):
        decode(b"\x81\xa6vector" + b"\x91" * 100_000 + b"\xc0", Bulk)


def test_a_value_that_refuses_itself_is_malformed() -> None:
    with pytest.raises(MalformedError, match="not a valid Even"):
        decode(encode({"number": 3}), Even)


def test_a_refusal_never_quotes_the_data() -> None:
    secrets = {"text": b"hunter2"}, {"colour": "hunter2"}, {"hunter2": 1}, {"maybe": "hunter2"}
    for changes in secrets:
        with pytest.raises(MalformedError) as refused:
            decode(packed(**changes), Plain)
        assert "hunter2" not in str(refused.value)


# ---- the limit


def test_a_message_as_long_as_the_limit_is_read() -> None:
    assert decode(VALID, Plain, limit=len(VALID)).number == 300


def test_a_longer_message_is_too_large() -> None:
    with pytest.raises(TooLargeError, match=f"at most {len(VALID) - 1} are allowed"):
        decode(VALID, Plain, limit=len(VALID) - 1)


def test_the_limit_is_looked_at_before_the_content() -> None:
    with pytest.raises(TooLargeError):
        decode(b"\xc1" * 11, Plain, limit=10)
