"""What a client checks before it takes part: federation, seat, and its own log.

Source: protocol.md, R0, "client checks before sending the next".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from secure_clove.algorithms.base import Exchange, Reveal
from secure_clove.engine.messages import CONFIG_TAG, ROSTER_TAG, Charter, Invitation, Roster
from secure_clove.engine.plan import Config, quantiser, ring_bits
from secure_clove.engine.policy import Policy, check_session
from secure_clove.engine.ports import Journal, Mark
from secure_clove.errors import BadSignatureError, RemoteProtocolError, UnknownClientError
from secure_clove.foundation.ids import ClientId
from secure_clove.secagg.session import Carriage, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A federation whose configuration and roster were verified."""

    config: Config
    roster: Roster


def open_config(charter: Charter, policy: Policy, journal: Journal) -> Config:
    """Return the configuration after checking that the federation's own key signed it.

    Raises:
        BadSignatureError: not signed by the pinned key, or by another one than before.
        MalformedError: not a valid configuration.
    """
    claimed = charter.config.key
    config = charter.config.open(Config, CONFIG_TAG, policy.pinned or claimed)
    if journal.pin(config.federation, claimed) != claimed:
        raise BadSignatureError(
            f"'{config.federation}' is signed by another federation key than the one kept from "
            "before; ask its operator"
        )
    return config


def enter(charter: Charter, config: Config, me: ClientId, public: bytes) -> Membership | None:
    """Return the membership once the signed roster names ``me``; None before there is a roster.

    Raises:
        BadSignatureError: the roster is not signed by the federation's key for this configuration.
        UnknownClientError: it does not name ``me`` with this key.
    """
    if charter.roster is None:
        return None
    roster = charter.roster.open(Roster, ROSTER_TAG, charter.config.key)
    if (roster.federation, roster.config) != (config.federation, config.hash):
        raise BadSignatureError("the roster was signed for another configuration")
    if roster.clients.get(me) != public:
        raise UnknownClientError(f"the roster does not name '{me}' with this identity key")
    return Membership(config=config, roster=roster)


def check_invitation(
    invitation: Invitation, membership: Membership, policy: Policy, me: ClientId
) -> Exchange[Any, Any]:
    """Hold a session against configuration, roster and policy; return its exchange.

    Raises:
        RemoteProtocolError: the session is not one that this federation agreed to.
        PolicyRefusedError: it asks for more than the policy allows.
        ConfigError: there is no such exchange.
    """
    config, session = membership.config, invitation.session
    named = (session.federation, session.config, session.roster)
    if named != (config.federation, config.hash, membership.roster.hash):
        raise RemoteProtocolError("the session names another federation, configuration, roster")
    exchange = config.exchange(exchange_of(session))
    check_session(policy, session, exchange)
    masked = exchange.reveal is Reveal.SUM
    bits = ring_bits(config, exchange, len(session.cohort) if masked else 1)
    carriage = Carriage.MASKED if masked else Carriage.EACH
    agreed = (carriage, bits, quantiser(config, exchange).length)
    if (session.carriage, session.ring_bits, session.length) != agreed:
        raise RemoteProtocolError(f"the session does not carry '{exchange.name}' as configured")
    if session.min_cohort < config.min_cohort or me not in session.cohort:
        raise RemoteProtocolError("the session's cohort is not what the configuration promises")
    if invitation.ask not in session.asks:
        raise RemoteProtocolError("the ask is not one of this session")
    if masked and len(session.asks) != 1:
        raise RemoteProtocolError("the clients of one sum are asked about different models")
    if session.round > config.rounds:
        raise RemoteProtocolError("the session is for a round that was never agreed")
    return exchange


def check_log(marks: Sequence[Mark], session: Session, *, has_reply: bool) -> bool:
    """Return whether the session may be joined: not if its reply went out before a restart.

    The reply is gone with the process, and another one for the same exchange must never be sent.

    Args:
        marks: The client's log of this federation.
        session: What is asked now.
        has_reply: Whether the reply to this round and exchange is still in memory.

    Raises:
        RemoteProtocolError: the session lies in the past, or this attempt was answered.
    """
    same = [mark for mark in marks if mark.exchange == exchange_of(session)]
    if any(mark.round > session.round for mark in same):
        raise RemoteProtocolError("replayed: a later round was answered before")
    before = [mark for mark in same if mark.round == session.round]
    if not has_reply and session.sid.hex() in {mark.sid for mark in before}:
        return False  # written down, then the process died: it cannot know whether it was sent
    if any(mark.attempt >= session.attempt for mark in before):
        raise RemoteProtocolError("replayed: this attempt was answered before")
    return has_reply or not before


def exchange_of(session: Session) -> str:
    """Return the name of the session's exchange; the rest of its phase is the group."""
    return session.phase.partition("/")[0]
