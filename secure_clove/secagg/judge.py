"""Whether a message that reached the coordinator is one that its sender may send.

Source: protocol.md, S1 and S3.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from secure_clove.errors import MalformedError
from secure_clove.foundation.ids import ClientId
from secure_clove.secagg import ring
from secure_clove.secagg.graph import Graph
from secure_clove.secagg.keys import verify
from secure_clove.secagg.messages import Advert, Consistency, Masked, Reply, Shares, Unmask
from secure_clove.secagg.session import Session
from secure_clove.secagg.transcript import (
    consistency_statement,
    early_h2,
    masked_statement,
    said,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rules:
    """What messages are held against, as far as it is fixed by now.

    Attributes:
        session: What is summed, among whom.
        sid: Its identifier.
        roster: 32-byte Ed25519 key of every client of the cohort.
        graph: Of U1.
        h1: Hash of the adverts.
        h2: Hash of U2.
        h3: Hash of U3.
        u2: Who shared its secrets; membership is asked for often.
        u3: Who sent a masked vector; likewise.
    """

    session: Session
    sid: bytes
    roster: Mapping[ClientId, bytes]
    graph: Graph
    h1: bytes
    h2: bytes
    h3: bytes
    u2: Collection[ClientId]
    u3: Collection[ClientId]


def judge(message: Reply, rules: Rules) -> None:
    """Check shape and signature of a message whose sender and stage are right.

    Raises:
        MalformedError: not shaped as the session demands.
        BadSignatureError: not signed by the sender for this very session and these sets.
    """
    session, public = rules.session, rules.roster[message.sender]
    match message:
        case Advert():
            verify(public, message.signature, *said(rules.sid, message))
        case Shares():
            circle = rules.graph.circle(message.sender)
            _exactly("envelope", message.sealed, set(circle) - {message.sender})
        case Masked():
            ring.from_bytes(message.values, length=session.length, bits=session.ring_bits)
            h2 = early_h2(rules.graph, rules.h2)
            statement = masked_statement(rules.sid, rules.h1, h2, message.values)
            verify(public, message.signature, *statement)
        case Consistency():
            statement = consistency_statement(rules.sid, rules.h1, rules.h2, rules.h3)
            verify(public, message.signature, *statement)
        case Unmask():
            shared = {c for c in rules.graph.circle(message.sender) if c in rules.u2}
            alive = {client for client in shared if client in rules.u3}
            _exactly("seed share", message.seeds, alive)
            _exactly("key share", message.keys, shared - alive)


def _exactly(what: str, found: Mapping[ClientId, bytes], wanted: set[ClientId]) -> None:
    if found.keys() != wanted:
        raise MalformedError(f"exactly one {what} for each of {len(wanted)} clients expected")
