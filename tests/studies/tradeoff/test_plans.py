"""The named studies, and how they are narrowed."""

import pytest

from secure_clove.errors import ConfigError
from secure_clove.studies.tradeoff.plans import PLANS, axes, chosen


@pytest.mark.parametrize("plan", PLANS)
def test_everything_is_played_where_nothing_is_named(plan: str) -> None:
    assert chosen(plan, kind=(), epsilon=()) == PLANS[plan]()


def test_axes_narrow_a_plan() -> None:
    found = chosen("clustering", dataset=["mnist"], kind=["concept-shift"], epsilon=[0.25])
    assert {(axes(p)["dataset"], axes(p)["kind"], axes(p)["epsilon"]) for p in found} == {
        ("mnist", "concept-shift", 0.25)
    }
    assert {(axes(p)["embedding"], axes(p)["visibility"]) for p in found} == {
        (embedding, visibility)
        for embedding in ("directional", "relative", "clipped")
        for visibility in ("noised", "sealed")
    }


def test_a_plan_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match="r-dpcfl"):
        chosen("everything")


def test_a_value_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"epsilon: 0.05, 0.1, 0.25, 1.0"):
        chosen("clustering", epsilon=[7.0])


def test_the_rivals_grid_is_theirs() -> None:
    points = PLANS["r-dpcfl"]()
    assert {axes(point)["epsilon"] for point in points} == {3.0, 4.0, 5.0, 10.0, 15.0}
    assert {(p.base.clients, p.base.clusters, p.base.minority, p.rounds) for p in points} == {
        (21, 4, 3, 200)
    }
