"""Numbers and names as people read them."""

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_clove.observe.wording import (
    best_guess,
    duration,
    epsilon,
    percent,
    printable,
    ratio,
    score,
    small,
    volume,
)


@given(st.text())
def test_outside_text_becomes_one_line_without_control_characters(text: str) -> None:
    assert printable(text).isprintable()


@given(st.text(), st.integers(2, 30))
def test_outside_text_is_never_longer_than_asked(text: str, limit: int) -> None:
    assert len(printable(text, limit=limit)) <= limit


def test_an_escape_sequence_cannot_reach_the_terminal() -> None:
    assert "\x1b" not in printable("\x1b[2Jsite")


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_600, "1.0 MB"), (10_250_000, "10.2 MB")],
)
def test_bytes_have_a_unit_that_fits(count: int, shown: str) -> None:
    assert volume(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.04, "0.0 s"), (59.97, "1m 00s"), (124, "2m 04s"), (7800, "2h 10m")]
)
def test_times_have_the_two_units_that_matter(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "∞"), (0.0, "0.00"), (0.0512, "0.051"), (2.749, "2.75"), (1e3, "1000")],
)
def test_epsilon_has_as_many_digits_as_mean_something(value: float | None, shown: str) -> None:
    assert epsilon(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0.00"), (0.314, "0.31"), (9.996, "10.0"), (31.42, "31.4"), (314.2, "314")],
)
def test_a_ratio_has_three_digits_at_most(value: float, shown: str) -> None:
    assert ratio(value) == shown


def test_what_is_unknown_is_a_dash() -> None:
    assert score(None) == percent(None) == ratio(None) == "—"


def test_a_score_that_rounds_to_zero_has_no_sign() -> None:
    assert score(-0.001) == "0.00"


def test_delta_is_shown_in_its_shortest_form() -> None:
    assert small(1e-5) == "1e-5"


def test_without_any_loss_of_privacy_a_guess_is_a_coin_toss() -> None:
    assert best_guess(0.0, delta=0.0) == 0.5


@given(st.floats(0, 20), st.floats(0, 0.5))
def test_the_best_guess_is_the_corner_of_the_region_of_error_rates(
    value: float, delta: float
) -> None:
    assert best_guess(value, delta=delta) == pytest.approx((exp(value) + delta) / (exp(value) + 1))


def test_a_huge_epsilon_allows_every_guess() -> None:
    assert best_guess(1e6, delta=0.0) == 1.0
