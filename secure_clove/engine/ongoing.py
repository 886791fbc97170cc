"""What a participant holds in memory: the reply it computed and the session it takes part in."""

from dataclasses import dataclass, field

from secure_clove.engine.ports import Ring
from secure_clove.foundation.ids import Digest
from secure_clove.foundation.trees import Tree
from secure_clove.secagg.client import SumClient
from secure_clove.secagg.session import Session


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """A computed reply, kept so that another attempt sends the very same one.

    Attributes:
        round: Of which round.
        exchange: To which exchange.
        ask: Hash of what was asked.
        reply: The reply; empty where it waits for the session's coin.
        own: What the client remembers from then on.
    """

    round: int
    exchange: str
    ask: Digest
    reply: Tree = field(repr=False)
    own: object = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Live:
    """The masked session being taken part in.

    Attributes:
        sid: Its identifier, as hex digits.
        session: The session object.
        machine: The protocol machine.
        answer: What was computed for it.
        vector: The reply as ring elements; None until the coin has fallen where it depends on it.
        waits_for: The resource that the next step needs.
    """

    sid: str
    session: Session
    machine: SumClient
    answer: Answer = field(repr=False)
    vector: Ring | None = field(repr=False)
    waits_for: str
