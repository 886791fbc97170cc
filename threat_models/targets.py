"""Targets of the trap models: every example of one client of a run, with what is aimed at it."""

from dataclasses import dataclass, field

import numpy as np

from secure_clove.clustering.embedding import FLOOR, Embedding, embed
from secure_clove.engine.ports import Trainer
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.trees import Vector
from threat_models import traps
from threat_models.base import Case
from threat_models.game import Game, Mechanism, Replayed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """The example under attack and what the adversary aims at it.

    Attributes:
        trainer: Its client's trainer.
        index: Its place among the client's examples.
        models: Trap models (T, K, d) by pattern.
        gap: How far it stands out from public examples; negative: it does not.
    """

    trainer: Trainer
    index: int
    models: dict[str, Vector] = field(repr=False)
    gap: float

    def game(self, pattern: str, mechanism: Mechanism) -> Game:
        """Return the game with one pattern's models."""
        models = self.models[pattern]
        inside = Replayed(self.trainer)
        outside = Replayed(self.trainer, without=self.index)
        moved = [
            embed(inside.losses(each), Embedding.DIRECTIONAL).mean
            - embed(outside.losses(each), Embedding.DIRECTIONAL).mean
            for each in models
        ]
        return Game(
            inside=inside,
            outside=outside,
            models=models,
            mechanism=mechanism,
            shift=np.concatenate(moved),
        )


def targets(case: Case, client: ClientId, releases: int) -> list[Target]:
    """Return every training example of ``client`` as a target; the other clients' are public."""
    config, federation = case.view.config, case.world.federation
    own = federation.clients[client]
    public = np.concatenate(
        [data.train_x for name, data in federation.clients.items() if name != client]
    )
    trainer = case.world.learner(client, config)
    heights = {name: make(releases, config.clusters) for name, make in traps.PATTERNS.items()}
    made = []
    for index, x in enumerate(own.train_x):
        where = traps.direction(x, public)
        trap = traps.trap_class(own, index, federation.classes)
        models = {
            name: traps.models(found, x, where, trap=trap, classes=federation.classes)
            for name, found in heights.items()
        }
        made.append(Target(trainer=trainer, index=index, models=models, gap=where.gap))
    return made


def tripped(target: Target) -> float:
    """Return the share of the client's other examples that any of the traps catches too."""
    caught = np.zeros(target.trainer.examples, dtype=bool)
    for models in target.models.values():
        for each in models:
            caught |= np.ptp(target.trainer.losses(each), axis=1) > FLOOR
    return float(np.delete(caught, target.index).mean())
