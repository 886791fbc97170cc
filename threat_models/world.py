"""The data behind a run, rebuilt from its recipe: the auditor has them, no adversary does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, Self

from pydantic import ValidationError

from secure_clove.data.federation import Federation
from secure_clove.data.partition import label_skew_1
from secure_clove.data.sources import digits
from secure_clove.engine.plan import Config
from secure_clove.errors import ConfigError, StoreError
from secure_clove.foundation.ids import ClientId
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.models import MakeModel, architecture, linear
from secure_clove.learn.tasks import TorchTask
from secure_clove.sdk.config import Settings, Strict

SETTINGS, RECIPE = "settings.json", "federation.json"


class Recipe(Strict):
    """How the federation's data are made: ``federation.json``.

    Attributes:
        dataset: Which examples.
        partition: How they were divided.
        seed: Of the partition.
        clusters: Count of planted clusters.
        clients_per_cluster: Clients in each.
    """

    dataset: Literal["digits"]
    partition: Literal["label-skew-1"]
    seed: int
    clusters: int
    clients_per_cluster: int

    def federation(self) -> Federation:
        """Return the very federation the run had."""
        x, y = digits()
        return label_skew_1(
            x,
            y,
            clusters=self.clusters,
            clients_per_cluster=self.clients_per_cluster,
            seed=self.seed,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """A run's data and settings.

    Attributes:
        settings: With which the run was founded.
        federation: Every client's examples.
        model: Makes the model the run trained.
        tasks: Every client's task.
    """

    settings: Settings
    federation: Federation
    model: MakeModel
    tasks: Mapping[ClientId, TorchTask] = field(repr=False)

    @classmethod
    def of(cls, settings: Settings, federation: Federation) -> Self:
        """Return the world of a federation of linear classifiers."""
        first = next(iter(federation.clients.values()))
        features = int(first.train_x[0].size)
        model = partial(linear, features, federation.classes)
        tasks = {
            client: TorchTask(
                model=model, train=(data.train_x, data.train_y), test=(data.test_x, data.test_y)
            )
            for client, data in federation.clients.items()
        }
        return cls(settings=settings, federation=federation, model=model, tasks=tasks)

    def check(self, config: Config) -> None:
        """Make sure that this world is the one a run's configuration speaks of.

        Raises:
            ConfigError: the run trained another architecture.
        """
        if architecture(self.model()) != config.architecture:
            raise ConfigError(
                "the run trained another architecture than a linear classifier on these data; "
                "this audit knows no other"
            )

    def learner(self, client: ClientId, config: Config) -> TorchLearner:
        """Return the real learner of one client."""
        return TorchLearner.of(self.tasks[client], config)


def load_world(folder: Path) -> World:
    """Return the world of the run in ``folder``.

    Raises:
        StoreError: ``settings.json`` or ``federation.json`` is missing or not of this release.
    """
    try:
        settings = Settings.model_validate_json((folder / SETTINGS).read_bytes())
        recipe = Recipe.model_validate_json((folder / RECIPE).read_bytes())
    except OSError as error:
        raise StoreError(
            f"'{folder}' lacks {SETTINGS} or {RECIPE}; name the folder of a finished run"
        ) from error
    except ValidationError as error:
        wrong = ", ".join(sorted({".".join(map(str, e["loc"])) for e in error.errors()}))
        raise StoreError(f"{SETTINGS} or {RECIPE} is not of this release: {wrong}") from error
    return World.of(settings, recipe.federation())
