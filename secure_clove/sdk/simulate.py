"""Run a whole federation in this process, with the very machines that run over HTTP."""

from collections.abc import Callable, Mapping
from pathlib import Path

from secure_clove.engine.coordinator import Coordinator
from secure_clove.engine.participant import Participant
from secure_clove.engine.plan import Config, check_roster
from secure_clove.engine.policy import Policy
from secure_clove.engine.progress import Outcome, Progress, silent
from secure_clove.errors import ConfigError, LocalProtocolError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import Entropy
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.tasks import TorchTask
from secure_clove.sdk.config import Settings, plan
from secure_clove.sdk.entropy import SystemEntropy
from secure_clove.sdk.founding import sign_config, sign_roster
from secure_clove.sdk.results import FederationResult, client_result
from secure_clove.secagg.keys import Identity
from secure_clove.stores.journal import SqlJournal
from secure_clove.stores.sql import SqlStore
from secure_clove.transport.local import LocalCarrier


def simulate(
    settings: Settings,
    tasks: Mapping[ClientId, TorchTask],
    *,
    noise: Entropy | None = None,
    folder: Path | None = None,
    watch: Callable[[Progress], None] = silent,
) -> FederationResult:
    """Found a federation, let every client take part, and return what came of it.

    Args:
        settings: Of the federation.
        tasks: Model and data of every client.
        noise: Source of released noise; the operating system's unless given. A `SimulatedEntropy`
            makes the run reproducible and gives up all privacy, as the result says.
        folder: Where the coordinator keeps its database; None keeps it in memory.
        watch: Called with every step of every client.

    Raises:
        CloveError: whatever a client or the coordinator refuses.
    """
    if not tasks:
        raise ConfigError("a federation needs clients; there is no task")
    system = SystemEntropy()
    federation_key = Identity.from_bytes(system.draw(32))
    config, initial = plan(settings, next(iter(tasks.values())).model)
    check_roster(config, len(tasks))
    identities = {client: Identity.from_bytes(system.draw(32)) for client in tasks}
    store = SqlStore(folder)
    coordinator = Coordinator(store, system)
    clock = _Clock()
    coordinator.create(sign_config(config, federation_key), initial)
    keys = {client: identity.public for client, identity in identities.items()}
    coordinator.start(config.federation, sign_roster(config, keys, federation_key), clock.now())
    source = system if noise is None else noise
    participants = [
        Participant(
            client,
            identities[client],
            carrier=LocalCarrier(coordinator, config.federation, client, clock.now),
            make_trainer=_trainer(task),
            policy=_allowing(config),
            journal=SqlJournal(None),
            noise=source.fork("client", client),
            keys=system,
            watch=watch,
        )
        for client, task in tasks.items()
    ]
    _drive(participants, coordinator, clock)
    result = FederationResult(
        config=config,
        rounds=coordinator.reports(config.federation),
        clients={
            p.me: client_result(p, tasks[p.me], is_simulated=source.is_simulated)
            for p in participants
        },
    )
    store.close()
    return result


class _Clock:
    """Time that passes only when everybody waits."""

    def __init__(self) -> None:
        self._now = 0

    def now(self) -> int:
        return self._now

    def skip_to(self, moment: int) -> None:
        self._now = max(self._now, moment)


def _drive(participants: list[Participant], coordinator: Coordinator, clock: _Clock) -> None:
    going, was_idle = participants, False
    while going:
        outcomes = [participant.step() for participant in going]
        pairs = zip(going, outcomes, strict=True)
        going = [participant for participant, outcome in pairs if outcome is not Outcome.CLOSED]
        is_idle = all(outcome is Outcome.WAITING for outcome in outcomes)
        if is_idle and was_idle:  # once is not enough: the last one to look may begin a round
            deadline = coordinator.deadline()
            if deadline is None:
                raise LocalProtocolError("every client waits and no deadline is set")
            clock.skip_to(deadline)
            coordinator.tick(clock.now())
        was_idle = is_idle


def _trainer(task: TorchTask) -> Callable[[Config], TorchLearner]:
    return lambda config: TorchLearner.of(task, config)


def _allowing(config: Config) -> Policy:
    """A simulated client allows what it is asked: the study's settings are the policy."""
    delta = config.privacy.delta if config.privacy else 1e-5
    return Policy(max_epsilon=float("inf"), delta=delta)
