"""JSON bodies: what people and dashboards read, and the one that a client writes to enrol."""

import math
from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from secure_clove.engine.messages import Roster
from secure_clove.engine.plan import Config, planned, releases
from secure_clove.engine.state import FederationState
from secure_clove.foundation.codec import decode
from secure_clove.foundation.ids import ClientId, FederationId
from secure_clove.privacy.accounting import Totals, totals
from secure_clove.privacy.events import Unit
from secure_clove.privacy.statement import statement

WITHOUT_PLAN = 1e-5
"""δ at which the ε of a federation without a privacy plan would be stated: it is unbounded."""


class Body(BaseModel):
    """Immutable; an unknown field is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Enrolment(Body):
    """A client's claim to an identity key.

    Attributes:
        token: The one-time token.
        public_key: Ed25519, 64 hex digits.
        proof: Signature in hex of the enrolment tag, the federation and the token.
    """

    token: Annotated[str, Field(min_length=8, max_length=128)]
    public_key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    proof: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


class Enrolled(Body):
    """The name a token stands for."""

    client: ClientId


class Epsilons(Body):
    """What releases cost one ``example`` or ``client`` (`unit`) at ``delta``; None is unbounded."""

    delta: float
    unit: Unit
    epsilon_embedding: float | None
    epsilon_update: float | None
    epsilon_metrics: float | None
    epsilon_total: float | None

    @classmethod
    def of(cls, spent: Totals, delta: float) -> "Epsilons":
        """Return the numbers as JSON can carry them."""
        return cls(
            delta=delta,
            unit=spent.unit,
            epsilon_embedding=_finite(spent.embedding),
            epsilon_update=_finite(spent.update),
            epsilon_metrics=_finite(spent.metrics),
            epsilon_total=_finite(spent.total),
        )


class FederationLine(Body):
    """One federation in a list."""

    name: FederationId
    phase: str
    round: int
    rounds: int

    @classmethod
    def of(cls, state: FederationState) -> "FederationLine":
        """Return the line of a federation."""
        config = decode(state.config.body, Config)
        return cls(
            name=config.federation,
            phase=state.phase.value,
            round=state.round,
            rounds=config.rounds,
        )


class FederationView(FederationLine):
    """One federation.

    Attributes:
        config: Hash of its configuration.
        algorithm: Its name.
        clusters: Number of models.
        clients: Names in the roster, empty before the start.
        roster_size: Their number.
        min_cohort: Fewest clients a sum may hold.
        privacy: What one client releases at most until the federation closes.
    """

    config: str
    algorithm: str
    clusters: int
    clients: tuple[ClientId, ...]
    roster_size: int
    min_cohort: int
    privacy: Epsilons

    @classmethod
    def of(cls, state: FederationState) -> "FederationView":
        """Return the view of a federation; the ε may take seconds the first time."""
        config, delta = decode(state.config.body, Config), _delta(state)
        clients = decode(state.roster.body, Roster).clients if state.roster else {}
        return cls(
            **FederationLine.of(state).model_dump(),
            config=config.hash,
            algorithm=config.algorithm,
            clusters=config.clusters,
            clients=tuple(sorted(clients)),
            roster_size=len(clients),
            min_cohort=config.min_cohort,
            privacy=Epsilons.of(totals(planned(config), delta), delta),
        )


class ReleaseLine(Body):
    """One kind of release.

    Attributes:
        exchange: Which exchange made it.
        name: ``embedding``, ``update`` or ``metrics``.
        multiplier: Noise over sensitivity; 0 is without noise.
        rate: Share of the examples that a step samples.
        steps: Of one exchange.
        times: How often the exchange was held.
        unit: What it hides: an ``example`` or the whole ``client``.
        is_shared: Whether its noise is only in a sum, made up of the clients' shares.
    """

    exchange: str
    name: str
    multiplier: float
    rate: float
    steps: int
    times: int
    unit: Unit
    is_shared: bool


class PrivacyView(Body):
    """The coordinator's copy of the ledger: an upper bound of what any client has released."""

    releases: tuple[ReleaseLine, ...]
    totals: Epsilons
    statement: str

    @classmethod
    def of(cls, state: FederationState) -> "PrivacyView":
        """Return what was released so far, and what it costs."""
        config, delta = decode(state.config.body, Config), _delta(state)
        kinds = [
            (name, times, release)
            for name, times in sorted(state.held.items())
            for release in releases(config, config.exchange(name))
        ]
        spent = totals([release for _, times, release in kinds for _ in range(times)], delta)
        if config.hides_clients:  # also before anything was released
            spent = replace(spent, unit="client")
        lines = tuple(
            ReleaseLine(
                exchange=name,
                name=release.name,
                multiplier=release.multiplier,
                rate=release.rate,
                steps=release.steps,
                times=times,
                unit=release.unit,
                is_shared=release.is_shared,
            )
            for name, times, release in kinds
        )
        shared = config.shares_noise
        said = statement(spent, delta=delta, is_simulated=False, is_distributed=shared)
        return cls(releases=lines, totals=Epsilons.of(spent, delta), statement=said)


class Health(Body):
    """Alive, or ready."""

    status: str


def _delta(state: FederationState) -> float:
    plan = decode(state.config.body, Config).privacy
    return plan.delta if plan else WITHOUT_PLAN


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
