"""What a participant holds in memory: the reply it computed and the session it takes part in."""

from dataclasses import dataclass, field

from secure_clove.engine.messages import Invitation
from secure_clove.engine.ports import Ring
from secure_clove.errors import RemoteProtocolError
from secure_clove.foundation.ids import Digest
from secure_clove.secagg import ring
from secure_clove.secagg.client import SumClient
from secure_clove.secagg.session import Carriage, Session
from secure_clove.secagg.transcript import fewest_honest


def honest_in(session: Session) -> int:
    """Return the fewest honest clients in what a session shows of one: 1 if it is no sum."""
    if session.carriage is Carriage.EACH:
        return 1
    return fewest_honest(len(session.cohort), least=session.min_cohort)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """A computed reply, kept so that another attempt sends the very same one.

    It is spent when the session's shares are given away: from then on its sum can be read, and a
    second sum without one of the clients would show that client's reply (protocol.md, A4).

    Attributes:
        round: Of which round.
        exchange: To which exchange.
        ask: Hash of what was asked.
        vector: The reply as ring elements; empty where it waits for the session's coin.
        bits: Of their ring.
        own: What the client remembers from then on.
        honest: Fewest honest clients in its sum, among whom noise may have been shared.
        is_spent: Whether it may be in a sum that can be read.
    """

    round: int
    exchange: str
    ask: Digest
    vector: Ring = field(repr=False)
    bits: int
    own: object = field(repr=False)
    honest: int = 1
    is_spent: bool = False

    def check(self, invitation: Invitation) -> None:
        """Hold another attempt against the one that this was computed for.

        Raises:
            RemoteProtocolError: it asks about other models, or its sum may hold fewer shares of the
                noise than make it up.
        """
        if self.ask != invitation.ask:
            raise RemoteProtocolError("a new attempt asks about other models")
        if honest_in(invitation.session) < self.honest:
            raise RemoteProtocolError(
                f"a new attempt may sum fewer than {self.honest} honest clients, among whom the "
                "noise was shared"
            )

    def elements(self, bits: int) -> Ring:
        """Return the reply in a ring of ``bits``; a smaller cohort may have a smaller ring."""
        return ring.reduce(ring.lift(self.vector, self.bits), bits)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Live:
    """The masked session being taken part in.

    Attributes:
        sid: Its identifier, as hex digits.
        session: The session object.
        machine: The protocol machine.
        answer: What was computed for it.
        waits_for: The resource that the next step needs.
    """

    sid: str
    session: Session
    machine: SumClient
    answer: Answer = field(repr=False)
    waits_for: str
