"""Small finished runs, and the parts of them that tests look at."""

from pathlib import Path

from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.sdk.config import PrivacySettings, Settings
from secure_clove.sdk.simulate import simulate
from threat_models.base import Case
from threat_models.suite import case_of
from threat_models.targets import Target, targets
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
