"""What a client allows, whatever a coordinator asks. Held against everything before it acts."""

import math
from dataclasses import dataclass
from typing import Any

from secure_clove.algorithms.base import Exchange, Reveal, Use
from secure_clove.clustering.embedding import Embedding
from secure_clove.engine.plan import Config, embedding_kind, planned
from secure_clove.engine.ports import Trainer
from secure_clove.errors import ConfigError, PolicyRefusedError
from secure_clove.privacy.accounting import totals
from secure_clove.privacy.ledger import ROUNDING
from secure_clove.secagg.session import Carriage, Session

MOST_ATTEMPTS = 3
"""A first attempt and two restarts (protocol.md, "A restart of the session")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A client's own limits.

    Attributes:
        max_epsilon: Most ε in total; ``math.inf`` allows federations without privacy.
        delta: At which ε is counted.
        min_cohort: Fewest clients that a sum this client joins may have.
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
    sum_only: bool = False
    embeddings: tuple[str, ...] | None = None
    local_noise: bool = False
    federation_key: str | None = None

    def __post_init__(self) -> None:
        """Refuse a policy that promises nothing."""
        if not self.max_epsilon > 0 or not 0 < self.delta < 1 or self.min_cohort < 1:
            raise ConfigError("max_epsilon > 0, 0 < delta < 1 and min_cohort >= 1 expected")
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
        PolicyRefusedError: with the clause and what was asked; nothing was computed or sent.
    """
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
    if policy.local_noise and config.shares_noise:
        raise PolicyRefusedError(
            "local_noise", "the clients of a sum share the noise of updates; we add all of ours"
        )
    if policy.sum_only and any(x.reveal is Reveal.EACH for x in config.build().exchanges):
        raise PolicyRefusedError("sum_only", f"'{config.algorithm}' shows single replies")
    kind = embedding_kind(config.privacy).value
    if policy.embeddings is not None and kind not in policy.embeddings and _embeds(config):
        raise PolicyRefusedError(
            "embedding",
            f"the federation asks for {kind} embeddings, we allow "
            f"{', '.join(policy.embeddings) or 'none'}",
        )
    if math.isfinite(policy.max_epsilon) and policy.delta * trainer.examples >= 1:
        raise PolicyRefusedError("delta", f"with {trainer.examples} examples δ must be below 1/n")
    cost = totals(planned(config), policy.delta).total
    if cost > policy.max_epsilon * (1 + ROUNDING):
        raise PolicyRefusedError(
            "max_epsilon",
            f"the federation may cost ε {cost:.4g}, we allow {policy.max_epsilon:.4g}",
        )


def _embeds(config: Config) -> bool:
    return any(Use.EMBEDDING in exchange.uses for exchange in config.build().exchanges)


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
