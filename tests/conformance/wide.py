"""A federation whose updates are given, number by number: what goes in and comes out is exact."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from secure_clove.engine.coordinator import Coordinator
from secure_clove.engine.messages import CONFIG_TAG, ROSTER_TAG, Roster, Signed
from secure_clove.engine.participant import Participant
from secure_clove.engine.pipeline import pack
from secure_clove.engine.plan import Config
from secure_clove.engine.policy import Policy
from secure_clove.engine.ports import Carrier, Trainer
from secure_clove.engine.progress import Outcome
from secure_clove.foundation.codec import decode
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import Entropy, SimulatedEntropy
from secure_clove.foundation.trees import Vector
from secure_clove.secagg.messages import Masked
from secure_clove.stores.journal import SqlJournal
from secure_clove.stores.sql import SqlStore
from secure_clove.transport.local import LocalCarrier
from tests.engine.builders import NAME, config, identity

Words = np.ndarray[Any, np.dtype[np.uint32]]


class GivenTrainer:
    """One example, whose training moves the model by a given vector."""

    architecture, examples, held_out = "point", 1, 0

    def __init__(self, update: Vector) -> None:
        self._update = update

    def losses(self, models: Vector) -> Vector:
        return np.zeros((1, len(models)))

    def train(self, model: Vector, entropy: Entropy) -> Vector:
        return model + self._update

    def gradient_step(self, model: Vector, entropy: Entropy, *, share: float) -> Vector:
        return self._update

    def train_locally(self, model: Vector, entropy: Entropy) -> Vector:
        return self.train(model, entropy)

    def correct(self, model: Vector) -> int:
        return 0


class Listening:
    """A carrier that keeps the masked vectors it carries."""

    def __init__(self, inner: Carrier, heard: list[bytes]) -> None:
        self.charter, self.current = inner.charter, inner.current
        self.artefact, self.fetch = inner.artefact, inner.fetch
        self._put, self._heard = inner.put, heard

    def put(self, sid: str, step: str, body: bytes) -> None:
        if step == "masked":
            self._heard.append(bytes(decode(body, Masked).values))
        self._put(sid, step, body)


class Wide:
    """One round of averaging among clients with given names and updates.

    Args:
        updates: What each client's training moves the model by.
        keys: Makes the source of each client's session keys.
        changes: Settings of the federation.
    """

    def __init__(
        self,
        updates: Mapping[ClientId, Vector],
        *,
        keys: Callable[[ClientId], Entropy] = lambda client: SimulatedEntropy(0, "keys", client),
        **changes: Any,
    ) -> None:
        size = len(next(iter(updates.values())))
        initial = pack({"models": np.zeros((1, size))})
        settings = {"algorithm": "fedavg", "parameters": size, "clusters": 1, "rounds": 1}
        self.config = config(initial, **{**settings, "max_examples": 1, **changes})
        self.now, self.heard = 0, list[bytes]()
        self.coordinator = Coordinator(SqlStore(None), SimulatedEntropy(0, "nonce"))
        key = identity("federation")
        self.coordinator.create(Signed.seal(self.config, CONFIG_TAG, key), initial)
        publics = {name: identity(name).public for name in updates}
        roster = Roster(federation=NAME, config=self.config.hash, clients=publics)
        self.coordinator.start(NAME, Signed.seal(roster, ROSTER_TAG, key), 0)
        self.participants = {
            name: self._participant(name, GivenTrainer(update), keys(name))
            for name, update in updates.items()
        }

    def _participant(self, name: ClientId, trainer: Trainer, keys: Entropy) -> Participant:
        def make_trainer(_: Config) -> Trainer:
            return trainer

        carrier = LocalCarrier(self.coordinator, NAME, name, lambda: self.now)
        return Participant(
            name,
            identity(name),
            carrier=Listening(carrier, self.heard),
            make_trainer=make_trainer,
            policy=Policy(max_epsilon=float("inf")),
            journal=SqlJournal(None),
            noise=SimulatedEntropy(0, "noise", name),
            keys=keys,
        )

    def run(self, *, silent_after_shares: Sequence[ClientId] = ()) -> Vector:
        """Return the final model, exactly; some clients never send their masked vector."""
        going, idle = dict(self.participants), 0
        while going:
            outcomes = {name: p.step() for name, p in going.items()}
            for name, outcome in outcomes.items():
                live = going[name]._live
                is_silent = name in silent_after_shares and live and live.waits_for == "inbox"
                if outcome is Outcome.CLOSED or is_silent:
                    del going[name]
            idle = idle + 1 if set(outcomes.values()) == {Outcome.WAITING} else 0
            if idle == 2:  # the last one to look may have begun a round
                self.now = self.coordinator.deadline() or self.now
                self.coordinator.tick(self.now)
        final = {n: p.model for n, p in self.participants.items() if n not in silent_after_shares}
        return next(model for model in final.values() if model is not None)

    @property
    def words(self) -> list[Words]:
        """Every masked vector that was sent, in a ring of 32 bits."""
        return [np.frombuffer(values, dtype="<u4") for values in self.heard]
