"""Points of the trade-off: budgets become noise, and impossible ones are refused."""

from dataclasses import replace
from typing import Any

import pytest

from secure_clove.clustering.embedding import Embedding
from secure_clove.errors import ConfigError
from secure_clove.privacy.accounting import totals
from secure_clove.privacy.events import Release
from secure_clove.studies.paper.settings import supervised
from secure_clove.studies.play.cell import Setting
from secure_clove.studies.tradeoff.plans import PLANS
from secure_clove.studies.tradeoff.point import DELTA, Point, Training

POINTS = [point for plan in PLANS.values() for point in plan()]
CLOVE = Point(
    base=supervised("mnist", "label-skew-1", "clove"), rounds=5, epsilon=0.25, clusterings=3
)
TRAINING = Training(epsilon=2.0, mode="distributed")


def spent(point: Point, setting: Setting) -> tuple[float, float]:
    """Return what the noise of a setting costs: embeddings, and everything."""
    found = []
    if point.clusterings:
        found.append(Release(name="embedding", multiplier=setting.noise, steps=point.clusterings))
    if setting.updates is not None:
        update = setting.updates
        found.append(
            Release(
                name="update", multiplier=update.multiplier, rate=update.rate, steps=point.rounds
            )
        )
    cost = totals(found, DELTA)
    return cost.embedding, cost.total


@pytest.mark.parametrize("point", POINTS[:: max(1, len(POINTS) // 40)], ids=lambda p: p.name)
def test_the_noise_of_a_point_costs_its_budget_and_no_more(point: Point) -> None:
    if point.epsilon is None and point.training is None:
        return
    embedding, total = spent(point, point.setting)
    if point.epsilon is not None:
        assert 0.999 * point.epsilon < embedding <= point.epsilon * (1 + 1e-6)
    if point.training is not None:
        assert 0.995 * point.training.epsilon < total <= point.training.epsilon * (1 + 1e-6)


def test_no_two_points_share_a_name_and_play_differently() -> None:
    settings: dict[tuple[str, int], Setting] = {}
    for point in POINTS:
        setting = point.setting
        assert settings.setdefault((setting.name, point.rounds), setting) == setting


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"clusterings": 0}, "set how many"),
        ({"base": supervised("mnist", "label-skew-1", "fedavg")}, "set how many"),
        ({"base": supervised("mnist", "label-skew-1", "ifca")}, "every round"),
        ({"epsilon": None, "visibility": "sealed"}, "can be sealed"),
        ({"visibility": "sealed", "is_drawn": True}, "unsealed"),
    ],
)
def test_a_point_that_no_federation_is_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        replace(CLOVE, **changes)


def test_a_budget_that_the_embeddings_use_up_is_refused() -> None:
    point = replace(CLOVE, epsilon=2.0, training=TRAINING)
    with pytest.raises(ConfigError, match="leaves nothing"):
        _ = point.setting


def test_sealed_points_play_sealed_clove_and_hidden_ones_hide() -> None:
    assert replace(CLOVE, visibility="sealed").setting.algorithm == "sealed-clove"
    hidden = replace(CLOVE, visibility="hidden").setting
    assert (hidden.algorithm, hidden.options["membership"]) == ("sealed-clove", "hidden")


def test_every_embedding_has_the_clip_that_it_needs() -> None:
    clips = {
        kind: replace(CLOVE, embedding=kind).setting.embedding_clip
        for kind in (Embedding.DIRECTIONAL, Embedding.RELATIVE, Embedding.CLIPPED)
    }
    assert clips == {
        Embedding.DIRECTIONAL: None,
        Embedding.RELATIVE: 1.0,
        Embedding.CLIPPED: 4.0,
    }
