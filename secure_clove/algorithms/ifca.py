"""IFCA: every client picks the model that loses least on its data; nobody else learns which.

Source: Ghosh et al. 2020, Algorithm 1 (model averaging). The reply has a slot per model with one
filled, so the coordinator sees sums alone. A pick is a function of the client's losses, hence it is
made on the noised embedding and charged as one. The picks of round 1 may be drawn by the
coordinator instead ("first:r" of clove.txt, section 5.2); then those of one pick form a group.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from secure_clove.algorithms.averaging import TRAINING, accuracy, averaged, trained, training_parts
from secure_clove.algorithms.base import (
    Exchange,
    Learner,
    Replies,
    Reveal,
    Standing,
    Use,
    check_initial,
)
from secure_clove.errors import ConfigError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import stream
from secure_clove.foundation.trees import Tree, Vector

FIRST_ASSIGNMENTS = ("evaluated", "random")
OWN_CHOICE = -1.0
"""In the place of a drawn pick: the client picks by its losses."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IfcaState:
    """K models, who takes part, and the picks that were drawn for this round, if they were."""

    models: Vector
    drawn: Mapping[ClientId, int] = field(default_factory=dict)
    cohort: tuple[ClientId, ...] = ()
    is_trained: bool = False
    accuracy: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IfcaOwn:
    """The number of the model the client picked last."""

    pick: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ifca:
    """Iterative federated clustering.

    Attributes:
        parameters: Length d of a model.
        clusters: Number K of models.
        seed: Of picks that are drawn.
        first_assignment: ``evaluated``: clients pick in every round; ``random``: the picks of
            round 1 are drawn.
    """

    parameters: int
    clusters: int
    seed: int
    first_assignment: str = "evaluated"
    state = IfcaState
    own = IfcaOwn

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        if self.clusters < 2:
            raise ConfigError("IFCA needs at least 2 clusters; for one model use fedavg")
        if self.first_assignment not in FIRST_ASSIGNMENTS:
            raise ConfigError(f"first_assignment is one of {', '.join(FIRST_ASSIGNMENTS)}")

    @property
    def exchanges(self) -> tuple[Exchange[IfcaState, IfcaOwn], ...]:
        """``train:SUM`` with a slot per model."""
        train: Exchange[IfcaState, IfcaOwn] = Exchange(
            name="train",
            reveal=Reveal.SUM,
            uses=TRAINING | {Use.EMBEDDING},
            parts=training_parts(self.parameters, (self.clusters,)),
            cohort=lambda state: state.cohort,
            group=lambda state, client: state.drawn.get(client, 0),
            ask=self._ask,
            work=self._work,
            fold=self._fold,
        )
        return (train,)

    @property
    def initial_models(self) -> int:
        """K."""
        return self.clusters

    def start(self, initial: Vector) -> IfcaState:
        """Start from K initial models."""
        checked = check_initial(initial, count=self.clusters, parameters=self.parameters)
        return IfcaState(models=checked)

    def enrol(self) -> IfcaOwn:
        """A client that picked nothing yet."""
        return IfcaOwn()

    def begin(self, state: IfcaState, round_: int, cohort: tuple[ClientId, ...]) -> IfcaState:
        """Open a round."""
        drawn = {}
        if round_ == 1 and self.first_assignment == "random":
            picks = stream(self.seed, "first assignment").integers(self.clusters, size=len(cohort))
            drawn = {c: int(pick) for c, pick in zip(cohort, picks, strict=True)}
        return replace(state, cohort=cohort, drawn=drawn, is_trained=False)

    def next(self, state: IfcaState) -> Exchange[IfcaState, IfcaOwn] | None:
        """Train once a round."""
        return None if state.is_trained else self.exchanges[0]

    def standing(self, state: IfcaState) -> Standing:
        """The picks stay on the clients."""
        return Standing(accuracy=state.accuracy)

    def personal(self, state: IfcaState, client: ClientId) -> Tree:
        """All K models, as in every round."""
        return {"models": state.models}

    def mine(self, own: IfcaOwn, gift: Tree) -> Vector:
        """The model picked last."""
        return np.asarray(gift["models"][own.pick])

    def _ask(self, state: IfcaState, client: ClientId) -> Tree:
        return {"models": state.models, "pick": np.array(state.drawn.get(client, OWN_CHOICE))}

    def _work(self, own: IfcaOwn, ask: Tree, learner: Learner) -> tuple[IfcaOwn, Tree]:
        drawn = int(ask["pick"])
        pick = int(np.argmin(learner.embedding(ask["models"]))) if drawn < 0 else drawn
        reply = {}
        for name, value in trained(ask["models"][pick], learner).items():
            slots = np.zeros((self.clusters, *np.shape(value)))
            slots[pick] = value
            reply[name] = slots
        return IfcaOwn(pick=pick), reply

    def _fold(self, state: IfcaState, replies: Replies) -> IfcaState:
        models = state.models.copy()
        for total in replies.sums.values():
            for k, model in enumerate(models):
                models[k] = averaged(model, {name: values[k] for name, values in total.items()})
        known = accuracy(replies.sums) if replies.sums else state.accuracy
        return replace(state, models=models, is_trained=True, accuracy=known)
