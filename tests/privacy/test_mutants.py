"""Faults of the accounting, put into it, and the known answers and cross-checks that show them."""

from collections.abc import Iterable, Iterator

import pytest
from dp_accounting import NeighboringRelation, UnsupportedEventError

from secure_clove.privacy import accounting
from secure_clove.privacy.accounting import epsilon
from secure_clove.privacy.events import Release

DP_SGD = Release(name="update", multiplier=2.5, rate=64 / 500, steps=800)
KNOWN = 6.333
"""At delta 1e-4 (privacy.md, "Accounting")."""

CACHED = ("_epsilon", "_sampled", "_gaussian", "_epsilon_rdp", "_renyi")


def forget() -> None:
    for name in CACHED:
        getattr(accounting, name).cache_clear()


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    forget()
    yield
    forget()


def is_known() -> bool:
    found = epsilon([DP_SGD], 1e-4)
    return bool(found == pytest.approx(KNOWN, abs=1e-3))


def test_the_known_answer_is_given() -> None:
    assert is_known()


def test_a_relation_of_replacing_an_example_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounting, "NEIGHBOURS", NeighboringRelation.REPLACE_ONE)
    with pytest.raises(UnsupportedEventError, match="neighboring_relation must be"):
        epsilon([DP_SGD], 1e-4)


def test_steps_that_are_not_counted_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    canonical = accounting._canonical

    def uncounted(releases: Iterable[Release]) -> tuple[float, tuple[accounting.Group, ...]]:
        multiplier, groups = canonical(releases)
        return multiplier, tuple((noise, rate, 1) for noise, rate, _ in groups)

    monkeypatch.setattr(accounting, "_canonical", uncounted)
    assert not is_known()
