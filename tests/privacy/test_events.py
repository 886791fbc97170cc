"""A release: what it refuses, and that it survives the wire unchanged."""

import math
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_clove.errors import ConfigError
from secure_clove.foundation.codec import decode, encode
from secure_clove.privacy.events import Name, Release

RELEASES = st.builds(
    Release,
    name=st.sampled_from(["embedding", "update", "metrics"]),
    multiplier=st.floats(0, 1e6) | st.integers(0, 100),
    rate=st.floats(1e-9, 1),
    steps=st.integers(1, 10**9),
)


@settings(deadline=None)
@given(RELEASES)
def test_a_release_is_the_same_after_encoding(release: Release) -> None:
    assert decode(encode(release), Release) == release


def test_a_whole_number_has_the_encoding_of_its_float() -> None:
    whole, real = (Release(name="update", multiplier=m) for m in (7, 7.0))
    assert encode(whole) == encode(real)


@pytest.mark.parametrize("multiplier", [-1, math.nan, math.inf])
def test_an_impossible_multiplier_is_refused(multiplier: float) -> None:
    with pytest.raises(ConfigError, match="finite number"):
        Release(name="update", multiplier=multiplier)


@pytest.mark.parametrize("rate", [0, -0.1, 1.1, math.nan])
def test_an_impossible_rate_is_refused(rate: float) -> None:
    with pytest.raises(ConfigError, match="rate"):
        Release(name="update", multiplier=1, rate=rate)


def test_no_step_is_refused() -> None:
    with pytest.raises(ConfigError, match="steps"):
        Release(name="update", multiplier=1, steps=0)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="not 'gradient'"):
        Release(name=cast(Name, "gradient"), multiplier=1)
