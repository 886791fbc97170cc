"""The client SDK: one object that takes part in a federation from joining to the final model."""

import time
from collections.abc import Callable
from pathlib import Path

import httpx

from secure_clove.engine.participant import Participant
from secure_clove.engine.policy import Policy
from secure_clove.engine.progress import Outcome, Progress, silent
from secure_clove.errors import ConfigError
from secure_clove.foundation.ids import ClientId, FederationId
from secure_clove.foundation.seeds import Entropy
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.tasks import TorchTask
from secure_clove.sdk.entropy import SystemEntropy
from secure_clove.sdk.kept import KeepingCarrier
from secure_clove.sdk.keys import load_identity
from secure_clove.sdk.results import ClientResult, client_result
from secure_clove.stores.journal import SqlJournal
from secure_clove.transport.http import HttpCarrier, Wire, enrol

PAUSE_S = 0.5
"""After a look that found nothing to do; the coordinator holds such a look back already."""


class FederatedClient:
    """One site in one federation.

    Args:
        url: Of the coordinator.
        identity: Path of the site's key file (`secure-clove keys new`).
        policy: The site's own limits; whatever asks for more is refused.
        federation: Name of the federation.
        token: One-time enrolment token; needed the first time only.
        folder: The site's memory: privacy ledger, protocol log, keys it trusts. By default
            a folder beside the key. **Never delete it while the federation runs**; only ``models``
            in it, what was fetched before, may go at any time.
        watch: Called with every `Progress`.
        noise: Source of released noise. Only tests give one; see `SimulatedEntropy`.
        patience_s: Seconds to go on trying while the coordinator is away.
        http: An httpx client with the site's proxy, CA or client certificate.
        one_at_a_time: Whether to hold a single model in memory while several are evaluated. The
            results are the same; where models could be evaluated together it takes longer.
    """

    def __init__(
        self,
        url: str,
        identity: str | Path,
        policy: Policy,
        *,
        federation: str = "demo",
        token: str | None = None,
        folder: Path | None = None,
        watch: Callable[[Progress], None] = silent,
        noise: Entropy | None = None,
        patience_s: float = 60.0,
        http: httpx.Client | None = None,
        one_at_a_time: bool = False,
    ) -> None:
        self._url, self._policy, self._watch = url, policy, watch
        self._federation, self._token = FederationId(federation), token
        self._identity = load_identity(Path(identity))
        self._folder = Path(f"{identity}.d") if folder is None else folder
        self._system = SystemEntropy()
        self._noise: Entropy = self._system if noise is None else noise
        self._patience_s, self._http = patience_s, http
        self._one_at_a_time = one_at_a_time
        self._wire: Wire | None = None

    @property
    def traffic(self) -> tuple[int, int]:
        """Bytes of bodies sent and received so far."""
        return (self._wire.bytes_up, self._wire.bytes_down) if self._wire else (0, 0)

    def run(self, task: TorchTask) -> ClientResult:
        """Join, take part until the federation closes, and return the site's result.

        Run again after a crash, it goes on with the same ledger and never sends a second, different
        message for anything it answered before.

        Args:
            task: The site's model and data; they never leave this process.

        Raises:
            PrivacyError: policy or budget forbid what is asked; nothing was sent.
            ProtocolError: the coordinator broke the protocol.
            TransportError: it cannot be reached.
            DataError: the data or the model cannot be used.
        """
        journal = SqlJournal(self._folder / "journal.sqlite")
        try:
            me = self._name(journal)
            self._wire = self._connect(me)
            carrier = HttpCarrier(self._wire, self._federation, me)
            participant = Participant(
                me,
                self._identity,
                carrier=KeepingCarrier(carrier, self._folder / "models"),
                make_trainer=lambda config: TorchLearner.of(task, config),
                policy=self._policy,
                journal=journal,
                noise=self._noise.fork("client", me),
                keys=self._system,
                watch=self._watch,
                one_at_a_time=self._one_at_a_time,
            )
            self._drive(participant)
            return client_result(participant, task, is_simulated=self._noise.is_simulated)
        finally:
            if self._wire is not None:
                self._wire.close()
            journal.close()

    def _drive(self, participant: Participant) -> None:
        while (outcome := participant.step()) is not Outcome.CLOSED:
            if outcome is Outcome.WAITING:
                time.sleep(PAUSE_S)

    def _connect(self, keyid: str) -> Wire:
        return Wire(
            self._url,
            self._identity,
            keyid,
            entropy=self._system,
            patience_s=self._patience_s,
            client=self._http,
        )

    def _name(self, journal: SqlJournal) -> ClientId:
        known = journal.name(self._federation)
        if known is not None:
            return known
        if self._token is None:
            raise ConfigError(
                f"this site is not enrolled in '{self._federation}' yet; give the one-time token "
                "you got from its operator"
            )
        wire = self._connect("enrolling")
        try:
            name = enrol(wire, self._federation, self._identity, self._token)
        finally:
            wire.close()
        journal.remember(self._federation, name)
        return name
