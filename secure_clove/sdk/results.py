"""What a finished run gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from secure_clove.engine.participant import Participant
from secure_clove.engine.plan import Config
from secure_clove.engine.state import RoundReport
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.trees import Vector
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.tasks import TorchTask
from secure_clove.privacy.accounting import Totals
from secure_clove.privacy.statement import statement


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClientResult:
    """What one client takes home.

    Attributes:
        client: Its name.
        rounds: Rounds the federation held.
        model: The client's final model ``(d,)``; None if it never got one.
        accuracy: Share of its own held-out examples the final model gets right; None without one.
        spent: ε of everything it released, by its own ledger.
        delta: At which ε is counted.
        is_simulated: Whether its noise was reproducible, hence no protection.
        is_distributed: Whether clients shared the noise of its updates.
    """

    client: ClientId
    rounds: int
    model: Vector | None = field(repr=False)
    accuracy: float | None
    spent: Totals
    delta: float
    is_simulated: bool = False
    is_distributed: bool = False

    @property
    def privacy(self) -> str:
        """The privacy statement in words."""
        return statement(
            self.spent,
            delta=self.delta,
            is_simulated=self.is_simulated,
            is_distributed=self.is_distributed,
        )


def client_result(participant: Participant, task: TorchTask, *, is_simulated: bool) -> ClientResult:
    """Return what a participant of a closed federation takes home."""
    config, ledger, model = participant.config, participant.ledger, participant.model
    learner, accuracy = TorchLearner.of(task, config), None
    if model is not None and learner.held_out:
        accuracy = learner.correct(model) / learner.held_out
    return ClientResult(
        client=participant.me,
        rounds=config.rounds,
        model=model,
        accuracy=accuracy,
        spent=ledger.totals(),
        delta=ledger.delta,
        is_simulated=is_simulated,
        is_distributed=ledger.shares_noise,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FederationResult:
    """What a whole simulated federation came to.

    Attributes:
        config: What was run.
        rounds: The coordinator's report of each round.
        clients: Every client's result.
    """

    config: Config
    rounds: tuple[RoundReport, ...]
    clients: Mapping[ClientId, ClientResult]

    @property
    def assignment(self) -> Mapping[ClientId, int]:
        """Model of each client after the last round, where the coordinator knows it."""
        return self.rounds[-1].assignment
