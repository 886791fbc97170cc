"""Small finished runs, and the parts of them that tests look at."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.learn.models import initial, linear
from secure_clove.sdk.config import PrivacySettings, Settings, plan
from secure_clove.sdk.simulate import simulate
from threat_models.base import Case
from threat_models.evidence import clear_vector, models_of
from threat_models.suite import case_of
from threat_models.targets import Target, targets
from threat_models.views import CoordinatorView, MaskedSum
from threat_models.world import RECIPE, SETTINGS, Recipe, World

RECIPE_OF_TESTS = Recipe(
    dataset="digits", partition="label-skew-1", seed=3, clusters=2, clients_per_cluster=4
)
BUDGETS = PrivacySettings(epsilon_total=9.0, epsilon_embedding=6.0, epsilon_metrics=6.0)
"""Little noise: a small audit then tells a leak from correct code."""


def settings(*, rounds: int = 3, privacy: PrivacySettings | None = BUDGETS) -> Settings:
    return Settings(
        clusters=3,
        rounds=rounds,
        min_cohort=3,
        privacy=privacy,
        options={"stable_rounds": 9},  # clusters in every round
    )


def grouped(mode: Literal["noised", "visible", "hidden"]) -> Settings:
    """The settings of a run whose probes show its two groups in every one of two rounds."""
    options = {"stable_rounds": 9, "probes": 8}
    changes: dict[str, object] = {"clusters": 2, "options": options}
    if mode != "noised":
        changes |= {"visibility": "sealed", "membership": mode}
    return settings(rounds=2).model_copy(update=changes)


def finished_run(folder: Path, chosen: Settings) -> Path:
    """Run a federation of 8 clients and leave what the demo leaves."""
    data = RECIPE_OF_TESTS.federation()
    world = World.of(chosen, data)
    simulate(chosen, world.tasks, noise=SimulatedEntropy(1), folder=folder / "coordinator")
    (folder / SETTINGS).write_text(chosen.model_dump_json())
    (folder / RECIPE).write_text(RECIPE_OF_TESTS.model_dump_json())
    return folder


def best_target(folder: Path, releases: int = 3) -> Target:
    """The example of the first client that stands out most."""
    case: Case = case_of(folder)
    client = min(case.view.releases)
    return max(targets(case, client, releases), key=lambda one: one.gap)


# ---- doctored transcripts


def doctored(case: Case, change: Callable[[MaskedSum], list[MaskedSum]]) -> Case:
    """The same run, had every sum been what ``change`` makes of it."""
    sums = tuple(found for seen in case.view.sums for found in change(seen))
    return Case(view=replace(case.view, sums=sums), world=case.world)


def one_by_one(case: Case, exchange: str) -> Case:
    """The same run, had ``exchange`` summed every client on its own, nearly without noise."""

    def split(seen: MaskedSum) -> list[MaskedSum]:
        if seen.exchange != exchange:
            return [seen]
        return [
            replace(seen, group=group, members=(client,), total=_alone(case, seen, client))
            for group, client in enumerate(seen.members)
        ]

    return doctored(case, split)


def _alone(case: Case, seen: MaskedSum, client: ClientId) -> dict[str, np.ndarray]:
    if seen.exchange != "moments":
        return dict(seen.total)
    learner = case.world.learner(client, case.view.config)
    return {"mean": clear_vector(learner, models_of(seen.ask))}


def cohort(*, probes: int, clients_per_cluster: int = 5, features: int = 0) -> Case:
    """One sealed clustering by untrained models, of the demo's 25 clients or fewer, to rehearse."""
    chosen = Settings(
        visibility="sealed",
        membership="hidden",
        options={"probes": probes, "features": features},
        rounds=3,
    )
    recipe = RECIPE_OF_TESTS.model_copy(
        update={"clusters": 5, "clients_per_cluster": clients_per_cluster}
    )
    world = World.of(chosen, recipe.federation())
    config, _ = plan(chosen, world.model)
    models = initial(partial(linear, 64, 10), 5 + probes, seed=0)
    members = tuple(sorted(world.tasks))
    sums = tuple(
        MaskedSum(
            round=1, exchange=name, group=0, members=members, ask={"models": models}, total={}
        )
        for name in ("moments", "sketch")
    )
    return Case(view=CoordinatorView(config=config, singles=(), sums=sums), world=world)
