"""A release: what it refuses, and that it survives the wire unchanged."""

import math
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_clove.errors import ConfigError
from secure_clove.foundation.codec import decode, encode
from secure_clove.privacy.events import Name, Release, Schedule

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


# ---- a schedule


def embeddings(schedule: Schedule, rounds: int | None = None) -> int:
    (found,) = (r.steps for r in schedule.releases(rounds) if r.name == "embedding")
    return found


def test_a_schedule_without_noise_releases_nothing() -> None:
    assert Schedule(rounds=9, embeddings=3, steps=20, rate=0.1).releases() == ()


def test_a_schedule_releases_what_has_noise() -> None:
    schedule = Schedule(
        rounds=40, embeddings=3, steps=20, rate=0.1, embedding=15, update=2, metrics=9
    )
    assert schedule.releases() == (
        Release(name="embedding", multiplier=15, steps=3),
        Release(name="update", multiplier=2, rate=0.1, steps=800),
        Release(name="metrics", multiplier=9, steps=40),
    )


def test_embeddings_come_one_a_round_from_the_first() -> None:
    schedule = Schedule(rounds=5, embeddings=3, embedding=15)
    assert [embeddings(schedule, after) for after in range(1, 6)] == [1, 2, 3, 3, 3]


def test_more_embeddings_than_rounds_share_them() -> None:
    schedule = Schedule(rounds=2, embeddings=3, embedding=15)
    assert [embeddings(schedule, after) for after in (1, 2)] == [2, 3]


@settings(deadline=None)
@given(st.integers(1, 50), st.integers(1, 200))
def test_all_rounds_hold_all_embeddings(rounds: int, count: int) -> None:
    assert embeddings(Schedule(rounds=rounds, embeddings=count, embedding=15)) == count


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rounds": 0}, "set rounds to 1 or more"),
        ({"embeddings": -1}, "embeddings to 0 or more"),
        ({"embedding": 15.0}, "set how many"),
        ({"steps": 0}, "steps is 0.*set 1 or more"),
        ({"rate": 1.5}, "rate 1.5 is no share"),
        ({"rate": 0.0}, "above 0"),
        ({"update": -1.0}, "finite number"),
        ({"metrics": math.inf}, "finite number"),
    ],
)
def test_a_schedule_that_cannot_be_played_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Schedule(**change)
