"""A small federation whose learning is arithmetic, so that every number can be checked by hand."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from secure_clove.clustering.embedding import Embedding
from secure_clove.engine.coordinator import Coordinator
from secure_clove.engine.messages import CONFIG_TAG, ROSTER_TAG, Roster, Signed
from secure_clove.engine.participant import Participant
from secure_clove.engine.pipeline import pack
from secure_clove.engine.plan import Config
from secure_clove.engine.policy import Policy
from secure_clove.engine.ports import Carrier, Trainer
from secure_clove.engine.progress import Outcome
from secure_clove.engine.terms import PrivacyPlan, TrainingPlan
from secure_clove.foundation.ids import ClientId, FederationId, digest
from secure_clove.foundation.seeds import Entropy, SimulatedEntropy
from secure_clove.foundation.trees import Vector
from secure_clove.secagg.keys import Identity
from secure_clove.stores.journal import SqlJournal
from secure_clove.stores.sql import SqlStore
from secure_clove.transport.local import LocalCarrier

NAME = FederationId("toy")
CENTRES = np.array([[2.0, 0.0], [0.0, 2.0], [-2.0, -2.0]])
LOUD = PrivacyPlan(delta=1e-5, embedding=8.0, update=4.0, clip=1.0, metrics=4.0)
CLIPPED = replace(LOUD, embedding_kind=Embedding.CLIPPED, embedding_clip=8.0)
RELATIVE = replace(LOUD, embedding_kind=Embedding.RELATIVE, embedding_clip=8.0)
FORMS = (LOUD, RELATIVE, CLIPPED)
"""A plan for every embedding that carries a guarantee."""


class ToyTrainer:
    """Points in the plane. A model is a point, its loss the squared distance, training the mean."""

    architecture = "point"

    def __init__(self, points: Vector) -> None:
        self.points = points
        self.examples, self.held_out = len(points), len(points)
        self.trainings = 0

    def losses(self, models: Vector) -> Vector:
        difference = self.points[:, None, :] - models[None]
        squared: Vector = (difference**2).sum(axis=2)
        return squared

    def train(self, model: Vector, entropy: Entropy) -> Vector:
        self.trainings += 1
        mean: Vector = self.points.mean(axis=0)
        return mean

    def gradient_step(self, model: Vector, entropy: Entropy, *, share: float) -> Vector:
        self.trainings += 1
        return np.zeros_like(model)

    def train_locally(self, model: Vector, entropy: Entropy) -> Vector:
        return self.train(model, entropy)

    def correct(self, model: Vector) -> int:
        return int((self.losses(model[None])[:, 0] < 1.0).sum())


def identity(label: str) -> Identity:
    return Identity.from_bytes(SimulatedEntropy(0, "identity", label).draw(32))


def config(initial: bytes, **changes: Any) -> Config:
    settings: dict[str, Any] = {
        "federation": NAME,
        "algorithm": "clove",
        "architecture": "point",
        "parameters": 2,
        "clusters": 3,
        "rounds": 4,
        "seed": 1,
        "initial": digest(initial),
        "min_cohort": 3,
        "stage_ms": 1000,
        "max_examples": 64,
        "update_bound": 8.0,
        "update_step": 2.0**-16,
        "training": TrainingPlan(learning_rate=1.0),
        "privacy": None,
    }
    return Config(**(settings | changes))


@dataclass
class Toy:
    """A coordinator, its clients and a clock that the test turns.

    Client ``c<i>`` belongs to cluster ``i % 3``.
    """

    clients: int = 12
    changes: dict[str, Any] = field(default_factory=dict)
    policy: Policy = field(default_factory=lambda: Policy(max_epsilon=float("inf")))
    wrap: Callable[[ClientId, Carrier], Carrier] = lambda _, carrier: carrier
    noise_seed: int = 0
    one_at_a_time: bool = False
    store: SqlStore = field(default_factory=lambda: SqlStore(None))
    now: int = 0

    def __post_init__(self) -> None:
        rng = np.random.default_rng(7)
        models = CENTRES + rng.normal(scale=0.5, size=CENTRES.shape)
        if self.changes.get("algorithm") in ("fedavg", "local", "dp-fedavg"):
            models = models[:1]
        self.initial = pack({"models": models})
        self.config = config(self.initial, **self.changes)
        self.names = [ClientId(f"c{i:02d}") for i in range(self.clients)]
        self.truth = {name: i % 3 for i, name in enumerate(self.names)}
        self.trainers = {
            name: ToyTrainer(CENTRES[k] + rng.normal(scale=0.3, size=(20 + i, 2)))
            for i, (name, k) in enumerate(self.truth.items())
        }
        self.key = identity("federation")
        self.coordinator = Coordinator(self.store, SimulatedEntropy(0, "nonce"))
        self.coordinator.create(Signed.seal(self.config, CONFIG_TAG, self.key), self.initial)
        self.journals = {name: SqlJournal(None) for name in self.names}
        self.participants = {name: self.participant(name) for name in self.names}

    def roster(self) -> Signed:
        keys = {name: identity(name).public for name in self.names}
        roster = Roster(federation=NAME, config=self.config.hash, clients=keys)
        return Signed.seal(roster, ROSTER_TAG, self.key)

    def start(self) -> None:
        self.coordinator.start(NAME, self.roster(), self.now)

    def participant(self, name: ClientId) -> Participant:
        carrier = LocalCarrier(self.coordinator, NAME, name, lambda: self.now)

        def make_trainer(_: Config) -> Trainer:
            return self.trainers[name]

        return Participant(
            name,
            identity(name),
            carrier=self.wrap(name, carrier),
            make_trainer=make_trainer,
            policy=self.policy,
            journal=self.journals[name],
            noise=SimulatedEntropy(self.noise_seed, "noise", name),
            keys=SimulatedEntropy(self.noise_seed, "keys", name),
            one_at_a_time=self.one_at_a_time,
        )

    def turn(self, names: Iterable[ClientId] | None = None) -> set[Outcome]:
        """Let each named client take one step."""
        chosen = list(self.participants if names is None else names)
        return {self.participants[name].step() for name in chosen}

    def pass_deadline(self) -> None:
        deadline = self.coordinator.deadline()
        if deadline is not None:
            self.now = max(self.now, deadline)
        self.coordinator.tick(self.now)

    def run(self, names: Iterable[ClientId] | None = None, *, until_round: int = 99) -> None:
        """Go on with the named clients until they are done or a round has been reported."""
        chosen = list(self.participants if names is None else names)
        was_idle = False
        for _ in range(2000):
            if len(self.coordinator.reports(NAME)) >= until_round:
                return
            outcomes = self.turn(chosen)
            if outcomes == {Outcome.CLOSED}:
                return
            is_idle = outcomes <= {Outcome.WAITING, Outcome.CLOSED}
            if is_idle and was_idle:  # the last one to look may have begun a round
                self.pass_deadline()
            was_idle = is_idle
        raise RuntimeError("the federation does not come to an end")

    def assignment(self) -> dict[ClientId, int]:
        return dict(self.coordinator.reports(NAME)[-1].assignment)
