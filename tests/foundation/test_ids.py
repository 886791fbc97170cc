"""A digest names bytes."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_clove.foundation.ids import digest


@given(st.binary())
def test_a_digest_is_64_lower_case_hex_digits_of_sha_256(data: bytes) -> None:
    assert digest(data) == sha256(data).hexdigest()
    assert len(digest(data)) == 64
    assert set(digest(data)) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ],
)
def test_a_digest_is_that_of_the_standard(data: bytes, expected: str) -> None:
    assert digest(data) == expected  # FIPS 180-4 examples


@given(st.binary(), st.binary())
def test_other_bytes_have_another_digest(one: bytes, other: bytes) -> None:
    assert (digest(one) == digest(other)) == (one == other)
