"""The same lies told to `FederatedClient` over HTTP: one real site, and a liar at the other end.

The other sites take their turns whenever the liar has nothing to show yet, so nothing waits.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from secure_clove.engine.coordinator import Coordinator
from secure_clove.engine.messages import Current
from secure_clove.engine.participant import Participant
from secure_clove.engine.plan import Config
from secure_clove.engine.policy import Policy
from secure_clove.errors import CloveError
from secure_clove.foundation.codec import encode
from secure_clove.foundation.ids import ClientId, Digest
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.tasks import TorchTask
from secure_clove.sdk.client import FederatedClient
from secure_clove.sdk.config import PrivacySettings, Settings, plan
from secure_clove.sdk.entropy import SystemEntropy
from secure_clove.sdk.founding import sign_config, sign_roster
from secure_clove.sdk.keys import load_identity, new_identity
from secure_clove.secagg.keys import Identity
from secure_clove.stores.journal import SqlJournal
from secure_clove.stores.sql import SqlStore
from secure_clove.transport.local import LocalCarrier
from tests.builders import tiny_model, tiny_tasks
from tests.conformance import attacks
from tests.conformance.attacks import ATTACKS, NAMES
from tests.conformance.liars import LyingCoordinator, Puppet, once_per_session

SETTINGS = Settings(
    name="wire",
    algorithm="fedavg",
    clusters=1,
    rounds=1,
    min_cohort=3,
    privacy=PrivacySettings(epsilon_total=8.0, epsilon_embedding=4.0, epsilon_metrics=8.0),
)
VICTIM = NAMES[0]


@dataclass
class Wire:
    """Answers a site's requests as the coordinator's web application would, and lies as told."""

    boss: LyingCoordinator
    victim: Puppet
    others: dict[ClientId, Participant]
    asked: list[str] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        noun, *rest = request.url.path.removeprefix("/v1/").split("/")
        self.asked.append(f"{request.method} {noun}")
        if noun == "federations" and rest[1:2] == ["enrolments"]:
            return httpx.Response(200, json={"client": VICTIM})
        if noun == "federations" and len(rest) == 1:
            return httpx.Response(200, content=encode(self.victim.charter()))
        if noun == "federations":
            return self._waiting(self._current)
        if noun == "models":
            return httpx.Response(200, content=self.victim.artefact(Digest(rest[0])))
        if request.method == "PUT":
            self.victim.put(rest[0], rest[1], request.content)
            return httpx.Response(204)
        return self._waiting(lambda: self.victim.fetch(rest[0], rest[1]))

    def _current(self) -> bytes | None:
        found: Current | None = self.victim.current()
        return None if found is None else encode(found)

    def _waiting(self, look: Callable[[], bytes | None]) -> httpx.Response:
        """Let the others go on until there is something, as a long poll does."""
        for _ in range(20):
            found = look()
            if found is not None:
                return httpx.Response(200, content=found)
            for name, participant in list(self.others.items()):
                try:
                    participant.step()
                except CloveError:  # lied to like the site itself, and out
                    del self.others[name]
        return httpx.Response(204)


def site(folder: Path, boss: LyingCoordinator) -> tuple[FederatedClient, Wire, TorchTask]:
    """Return a site that joins a federation of seven whose coordinator is ``boss``."""
    given = dict(zip(NAMES, tiny_tasks(clients_per_cluster=4).values(), strict=False))
    config, initial = plan(SETTINGS, tiny_model())
    key = Identity.from_bytes(b"k" * 32)
    new_identity(folder / "site.key")
    identities = {n: Identity.from_bytes(bytes([i]) * 32) for i, n in enumerate(NAMES, start=1)}
    identities[VICTIM] = load_identity(folder / "site.key")
    coordinator = Coordinator(SqlStore(None), SystemEntropy())
    coordinator.create(sign_config(config, key), initial)
    publics = {name: identity.public for name, identity in identities.items()}
    coordinator.start(config.federation, sign_roster(config, publics, key), 0)

    def puppet(name: ClientId) -> Puppet:
        return Puppet(LocalCarrier(coordinator, config.federation, name, lambda: 0), boss, name)

    def other(name: ClientId) -> Participant:
        return Participant(
            name,
            identities[name],
            carrier=puppet(name),
            make_trainer=lambda c: learner(given[name], c),
            policy=Policy(max_epsilon=9.0, federation_key=key.public.hex()),
            journal=SqlJournal(None),
            noise=SimulatedEntropy(0, "noise", name),
            keys=SystemEntropy(),
        )

    wire = Wire(boss, puppet(VICTIM), {name: other(name) for name in NAMES[1:]})
    client = FederatedClient(
        "http://liar.example",
        folder / "site.key",
        Policy(max_epsilon=9.0, federation_key=key.public.hex()),
        federation=SETTINGS.name,
        token="one-time",
        patience_s=0.0,
        http=httpx.Client(transport=httpx.MockTransport(wire.answer)),
    )
    return client, wire, given[VICTIM]


def learner(task: TorchTask, config: Config) -> TorchLearner:
    return TorchLearner.of(task, config)


LIES = [
    "a swapped key",
    "U1 of two",
    "reflected shares",
    "a client alive and dead in one list",
    "split views of U3, all signatures",
    "as many signatures as the smallest cohort",
    "a model other than the session names",
    "a cohort of two",
    "a pickle for survivors",
]


@pytest.mark.parametrize("name", LIES)
def test_a_site_refuses_what_a_lying_server_says(tmp_path: Path, name: str) -> None:
    boss = LyingCoordinator(invitation=once_per_session())
    ATTACKS[name].arm(boss)
    client, wire, task = site(tmp_path, boss)

    with pytest.raises(ATTACKS[name].error):
        client.run(task)
    said = [step for _, step, who, _ in boss.heard if who == VICTIM]
    assert said == list(attacks.up_to(ATTACKS[name].most))
    assert boss.recovered() == {}
    assert wire.asked[0] == "POST federations"


def test_a_site_that_is_told_the_truth_takes_every_step(tmp_path: Path) -> None:
    boss = LyingCoordinator(invitation=once_per_session())
    client, _, task = site(tmp_path, boss)

    def closed(me: ClientId, true: Current) -> Current | None:
        is_done = any(who == me and step == "unmask" for _, step, who, _ in boss.heard)
        return Current(round=1, is_closed=True) if is_done else told(me, true)

    told, boss.invitation = boss.invitation, closed
    result = client.run(task)

    assert [step for _, step, who, _ in boss.heard if who == VICTIM] == list(
        attacks.up_to("unmask")
    )
    assert result.spent.total <= 9.0
    assert boss.recovered() == {}
