"""What a client checks before it takes its next step, numbered as in the specification.

Source: protocol.md, "Messages of SCA-Full", column "client checks before sending the next".
"""

from collections.abc import Mapping

from secure_clove.errors import LocalProtocolError, RemoteProtocolError, UnknownClientError
from secure_clove.foundation.ids import ClientId
from secure_clove.secagg.graph import Graph
from secure_clove.secagg.keys import Identity, verify
from secure_clove.secagg.messages import Advert, Directory, Inbox, Signatures, Survivors
from secure_clove.secagg.session import Session
from secure_clove.secagg.transcript import (
    Statement,
    check_count,
    check_session,
    fewest,
    fewest_adverts,
    fewest_nearby,
    said,
    threshold,
)


def check_invited(
    session: Session, me: ClientId, identity: Identity, roster: Mapping[ClientId, bytes]
) -> None:
    """R0.8: check that the session can be a secure sum with me in it.

    Raises:
        LocalProtocolError: the session is not a masked one, or the roster has another key for me.
        UnknownClientError: I am not in the cohort, or one of the cohort is not in the roster.
        CohortTooSmallError: fewer than ``min_cohort`` clients, or fewer than three.
    """
    check_session(session, roster)
    if me not in session.cohort:
        raise UnknownClientError("R0: the cohort does not contain me")
    if roster[me] != identity.public:
        raise LocalProtocolError("R0: the roster has another key for me; enrol this one first")


def check_directory(
    directory: Directory, mine: Advert, *, session: Session, roster: Mapping[ClientId, bytes]
) -> None:
    """R1: check everybody's keys.

    Args:
        directory: The adverts of U1.
        mine: The advert that I sent.
        session: What is summed.
        roster: Identity key of each client of the cohort.

    Raises:
        UnknownClientError: an advert from outside the cohort.
        RemoteProtocolError: my advert is missing or altered, or two public keys are equal.
        CohortTooSmallError: U1 holds fewer than ``min_cohort`` clients, or fewer than three.
        BadSignatureError: an advert not signed by its sender for this very session.
    """
    senders = {advert.sender: advert for advert in directory.adverts}
    if not senders.keys() <= roster.keys():  # R1.1
        raise UnknownClientError("R1: an advert comes from outside the cohort")
    if senders.get(mine.sender) != mine:  # R1.2
        raise RemoteProtocolError("R1: my own advert is missing or was altered")
    check_count("R1: U1", len(senders), fewest_adverts(session))  # R1.3
    sid = session.sid
    for advert in directory.adverts:  # R1.4
        verify(roster[advert.sender], advert.signature, *said(sid, advert))
    keys = [key for a in directory.adverts for key in (a.share_key, a.mask_key)]
    if len(set(keys)) != len(keys):  # R1.5
        raise RemoteProtocolError("R1: two public keys of the adverts are equal")


def check_inbox(inbox: Inbox, me: ClientId, *, session: Session, graph: Graph) -> None:
    """R2: check whose envelopes I was given; opening them is for the client.

    Raises:
        UnknownClientError: an envelope from outside my neighbours, or from myself.
        CohortTooSmallError: too few of my circle are in U2.
    """
    if not inbox.sealed.keys() <= set(graph.circle(me)) - {me}:  # R2.1
        raise UnknownClientError("R2: an envelope comes from outside my neighbours or from myself")
    least = fewest_nearby(session, graph)
    check_count("R2: U2 around me", len(inbox.sealed) + 1, least)  # R2.2


def check_survivors(
    survivors: Survivors,
    me: ClientId,
    *,
    session: Session,
    graph: Graph,
    nearby: frozenset[ClientId],
) -> None:
    """R3: check who is said to be in the sum and who to have dropped out.

    Args:
        survivors: U3 and the rest of U2.
        me: This client.
        session: What is summed.
        graph: Of U1.
        nearby: Whose shares I hold: U2 as I know it.

    Raises:
        RemoteProtocolError: U3 leaves me out, U2 is not within U1, or is not the one around me
            that I was shown in R2.
        CohortTooSmallError: U3 holds fewer than T or ``min_cohort`` clients, or too few of them
            are around a client of U2.
    """
    alive = set(survivors.alive)
    told = alive | set(survivors.dropped)
    if me not in alive or not told <= graph.places.keys():  # R3.1
        raise RemoteProtocolError("R3: U3 must contain me and lie, with who dropped out, within U1")
    if told & set(graph.circle(me)) != nearby:  # R3.2
        raise RemoteProtocolError(
            "R3: U3 and the dropped clients together must be U2 as I know it from R2"
        )
    check_count("R3: U3", len(alive), fewest(session, len(graph.order)))  # R3.3
    thinnest = graph.thinnest(alive, told)
    check_count("R3: U3 around a client of U2", thinnest, graph.threshold)  # R3.4


def check_signatures(
    signatures: Signatures,
    statement: Statement,
    *,
    alive: frozenset[ClientId],
    roster: Mapping[ClientId, bytes],
    count: int,
) -> None:
    """R4: check that enough of U3 signed what I signed.

    Args:
        signatures: By signer.
        statement: What I signed.
        alive: U3.
        roster: Identity key of each client of the cohort.
        count: How many are in U1.

    Raises:
        UnknownClientError: a signer from outside U3.
        BadSignatureError: somebody signed other adverts, another U2 or another U3 than I did.
        RemoteProtocolError: fewer than T signatures.
    """
    if not signatures.signatures.keys() <= alive:  # R4.1
        raise UnknownClientError("R4: a signature comes from outside U3")
    for signer, signature in signatures.signatures.items():  # R4.2
        verify(roster[signer], signature, *statement)
    found, least = len(signatures.signatures), threshold(count)
    if found < least:  # R4.3
        raise RemoteProtocolError(f"R4: {found} signatures on U3, {least} are needed")
