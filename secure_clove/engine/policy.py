"""What a client allows, whatever a coordinator asks. Held against everything before it acts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from secure_clove.algorithms.base import Content, Exchange, Reveal, Use
from secure_clove.clustering.embedding import Embedding
from secure_clove.engine.plan import Config, embedding_kind, planned
from secure_clove.engine.ports import Mark, Trainer
from secure_clove.errors import ConfigError, DataError, PolicyRefusedError
from secure_clove.privacy.accounting import totals
from secure_clove.privacy.ledger import ROUNDING
from secure_clove.secagg.session import Carriage, Session

Visibility = Literal["noised", "sealed"]

MOST_ATTEMPTS = 3
"""A first attempt and two restarts (protocol.md, "A restart of the session")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A client's own limits.

    Attributes:
        max_epsilon: Most ε in total; ``math.inf`` allows federations without privacy.
        delta: At which ε is counted.
        min_cohort: Fewest clients that a sum this client joins may have.
        max_rounds: Most rounds of a federation; None sets no limit but the budget's.
        visibility: ``sealed`` refuses algorithms that show the coordinator single loss vectors or
            updates, noised or not; who is in which cluster may show. ``noised`` allows them.
        sum_only: Whether to refuse algorithms that show the coordinator single replies, and sums
            over so few clients that they tell of single replies.
        embeddings: Names of the loss embeddings that this client answers with. None allows every
            one that carries a guarantee, and `raw` where `max_epsilon` is infinite.
        local_noise: Whether to refuse noise that the clients of a sum share: it protects only while
            less than a third of them collude with the coordinator.
        federation_key: Ed25519 public key of the federation as 64 hex digits, got from its operator
            by another way than the coordinator. None trusts the first key seen and keeps it.
    """

    max_epsilon: float
    delta: float = 1e-5
    min_cohort: int = 3
    max_rounds: int | None = None
    visibility: Visibility = "noised"
    sum_only: bool = False
    embeddings: tuple[str, ...] | None = None
    local_noise: bool = False
    federation_key: str | None = None

    def __post_init__(self) -> None:
        """Refuse a policy that promises nothing."""
        if not self.max_epsilon > 0 or not 0 < self.delta < 1 or self.min_cohort < 1:
            raise ConfigError("max_epsilon > 0, 0 < delta < 1 and min_cohort >= 1 expected")
        if self.max_rounds is not None and self.max_rounds < 1:
            raise ConfigError("max_rounds counts from 1; leave it unset for no limit")
        if self.visibility not in ("noised", "sealed"):
            raise ConfigError(f"no visibility '{self.visibility}'; choose noised or sealed")
        known = {kind.value for kind in Embedding}
        if not known.issuperset(self.embeddings or ()):
            raise ConfigError(f"embeddings are among {', '.join(sorted(known))}")
        if self.federation_key is not None:
            _ = self.pinned

    @property
    def pinned(self) -> bytes | None:
        """The federation key as bytes."""
        if self.federation_key is None:
            return None
        try:
            key = bytes.fromhex(self.federation_key)
        except ValueError as error:
            raise ConfigError("federation_key must be 64 hex digits") from error
        if len(key) != 32:
            raise ConfigError("federation_key must be 64 hex digits")
        return key


def check_config(policy: Policy, config: Config, trainer: Trainer) -> None:
    """Hold a federation's configuration against the client's policy, model and data.

    Raises:
        DataError: there is nothing to train on.
        PolicyRefusedError: with the clause and what was asked; nothing was computed or sent.
    """
    if trainer.examples < 1:
        raise DataError("the client has no training examples, so it cannot take part")
    if config.architecture != trainer.architecture:
        raise PolicyRefusedError(
            "architecture",
            f"the federation trains {config.architecture}, we {trainer.architecture}",
        )
    if trainer.examples > config.max_examples or trainer.held_out > config.max_examples:
        raise PolicyRefusedError(
            "max_examples", f"the federation takes at most {config.max_examples} examples a client"
        )
    if config.min_cohort < policy.min_cohort:
        raise PolicyRefusedError(
            "min_cohort", f"sums over {config.min_cohort} clients, we allow {policy.min_cohort}"
        )
    if policy.max_rounds is not None and config.rounds > policy.max_rounds:
        raise PolicyRefusedError(
            "max_rounds", f"the federation has {config.rounds} rounds, we allow {policy.max_rounds}"
        )
    _check_shown(policy, config)
    _check_cost(policy, config, trainer)


def _check_shown(policy: Policy, config: Config) -> None:
    """Hold what the coordinator would see against the policy."""
    single = [x for x in config.build().exchanges if x.reveal is Reveal.EACH]
    if policy.sum_only and single:
        raise PolicyRefusedError("sum_only", f"'{config.algorithm}' shows single replies")
    if policy.visibility == "sealed" and any(map(_holds_numbers, single)):
        raise PolicyRefusedError(
            "visibility", f"'{config.algorithm}' shows the noised numbers of single clients"
        )
    kind = embedding_kind(config.privacy).value
    if policy.embeddings is not None and kind not in policy.embeddings and _embeds(config):
        raise PolicyRefusedError(
            "embedding",
            f"the federation asks for {kind} embeddings, we allow "
            f"{', '.join(policy.embeddings) or 'none'}",
        )
    if policy.local_noise and config.shares_noise:
        raise PolicyRefusedError(
            "local_noise", "the clients of a sum share the noise of updates; we add all of ours"
        )


def _check_cost(policy: Policy, config: Config, trainer: Trainer) -> None:
    """Hold what taking part may cost against the policy."""
    is_limited = math.isfinite(policy.max_epsilon) or config.privacy is not None
    stated = config.privacy.delta if config.privacy is not None else 0.0
    if is_limited and max(policy.delta, stated) * trainer.examples >= 1:
        raise PolicyRefusedError("delta", f"with {trainer.examples} examples δ must be below 1/n")
    cost = totals(planned(config), policy.delta).total
    if cost > policy.max_epsilon * (1 + ROUNDING):
        raise PolicyRefusedError(
            "max_epsilon",
            f"the federation may cost ε {cost:.4g}, we allow {policy.max_epsilon:.4g}",
        )


def _embeds(config: Config) -> bool:
    return any(Use.EMBEDDING in exchange.uses for exchange in config.build().exchanges)


def _holds_numbers(exchange: Exchange[Any, Any]) -> bool:
    """Return whether a reply says more than a count, such as the number of a cluster."""
    return any(part.content is not Content.COUNT for part in exchange.parts)


def check_session(policy: Policy, session: Session, exchange: Exchange[Any, Any]) -> None:
    """Hold one session against the policy.

    Args:
        policy: The client's.
        session: What it is invited to.
        exchange: What the session carries.

    Raises:
        PolicyRefusedError: with the clause and what was asked.
    """
    if session.carriage is Carriage.MASKED and len(session.cohort) < policy.min_cohort:
        raise PolicyRefusedError(
            "min_cohort", f"a sum over {len(session.cohort)} clients, we allow {policy.min_cohort}"
        )
    if session.carriage is Carriage.EACH and policy.sum_only:
        raise PolicyRefusedError("sum_only", "the session asks for single replies")
    if policy.sum_only and len(session.cohort) < exchange.hiding_cohort:
        raise PolicyRefusedError(
            "sum_only",
            f"the sums of '{exchange.name}' tell of single replies in a cohort of "
            f"{len(session.cohort)}; {exchange.hiding_cohort} clients hide each other",
        )
    if session.attempt > MOST_ATTEMPTS:
        raise PolicyRefusedError(
            "attempts", f"attempt {session.attempt} of one exchange, we allow {MOST_ATTEMPTS}"
        )


def check_allowance(
    config: Config, session: Session, exchange: Exchange[Any, Any], marks: Sequence[Mark]
) -> None:
    """Hold one more answer against how many the signed configuration, and its cost, speak of.

    Args:
        config: The federation's.
        session: What the client is invited to.
        exchange: What the session carries.
        marks: The client's log of this federation.

    Raises:
        PolicyRefusedError: with the clause and how often it was answered.
    """
    if exchange.at_most is None:
        return
    shared = exchange.allowance or exchange.name
    alike = {x.name for x in config.build().exchanges if (x.allowance or x.name) == shared}
    answered = {(mark.round, mark.exchange) for mark in marks if mark.exchange in alike}
    before = len(answered - {(session.round, exchange.name)})
    if before >= exchange.at_most:
        raise PolicyRefusedError(
            "at_most",
            f"'{exchange.name}' was answered {before} times, as often as the signed configuration "
            "allows",
        )
