"""What both sides compute alike: who is enough, the hashes of what was said, the signed statements.

Source: protocol.md, "Keys and primitives" (h1, h2) and "Messages of SCA-Full" (R0, R2, R3).
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from math import ceil

from secure_clove.errors import CohortTooSmallError, LocalProtocolError, UnknownClientError
from secure_clove.foundation.codec import encode
from secure_clove.foundation.ids import ClientId
from secure_clove.secagg.graph import Graph
from secure_clove.secagg.graph import threshold as threshold  # the one rule for whole sets
from secure_clove.secagg.keys import transcript_hash
from secure_clove.secagg.messages import Advert
from secure_clove.secagg.session import Carriage, Session

Statement = tuple[str | bytes, ...]

SMALLEST = 3
"""Fewest clients a sum may hold: with two, either reads the other's input off the result."""


def check_session(session: Session, roster: Mapping[ClientId, bytes]) -> None:
    """Check that ``session`` can be a secure sum.

    Raises:
        LocalProtocolError: its replies do not travel masked.
        UnknownClientError: one of the cohort is not in the roster.
        CohortTooSmallError: fewer than ``min_cohort`` clients, or fewer than three.
    """
    if session.carriage is not Carriage.MASKED:
        raise LocalProtocolError("this session's replies do not travel masked")
    if not set(session.cohort) <= roster.keys():
        raise UnknownClientError("the cohort must lie within the roster")
    check_count("the cohort", len(session.cohort), fewest_adverts(session))


def check_count(what: str, count: int, least: int) -> None:
    """Check that a set of clients holds at least ``least``.

    Raises:
        CohortTooSmallError: it does not.
    """
    if count < least:
        raise CohortTooSmallError(f"{what} holds {count} clients, at least {least} are needed")


def fewest(session: Session, count: int) -> int:
    """Return how many of a U1 of ``count`` clients U2 and U3 must hold."""
    return max(threshold(count), session.min_cohort)


def fewest_honest(clients: int, *, least: int) -> int:
    """Return the fewest honest clients in a sum that can be released.

    Args:
        clients: Invited, at least 3.
        least: Fewest clients that the session lets a sum hold, `Session.min_cohort`.

    Raises:
        CohortTooSmallError: fewer than 3 clients, or more in a sum than there are.

    Source: protocol.md, "Thresholds": at most ceil(n/3) - 1 of the n clients of U1 collude.
    """
    low = max(least, SMALLEST)
    if low > clients:
        raise CohortTooSmallError(f"a cohort of {clients} clients, sums hold at least {low}")
    return min(max(threshold(n), low) - (ceil(n / 3) - 1) for n in range(low, clients + 1))


def fewest_nearby(session: Session, graph: Graph) -> int:
    """Return how many of U2 a client must find in its own circle."""
    return fewest(session, len(graph.order)) if graph.is_complete else graph.threshold


def fewest_adverts(session: Session) -> int:
    """Return how many clients U1 must hold."""
    return max(SMALLEST, session.min_cohort)


def hash_adverts(adverts: Iterable[Advert]) -> bytes:
    """Return h1: the hash of all signed adverts, in order of sender."""
    ordered = sorted(adverts, key=lambda advert: advert.sender)
    return transcript_hash("U1", *map(encode, ordered))


def hash_u2(members: Sequence[ClientId]) -> bytes:
    """Return h2: the hash of U2."""
    return transcript_hash("U2", *sorted(members))


def early_h2(graph: Graph, h2: bytes) -> bytes:
    """Return what stands for h2 in R2, before U2 is told to everybody.

    In the complete graph whoever knows its neighbours in U2 knows U2. In a sparse one nobody does
    yet: there R2 is bound to h1, and U2 is signed in R3.
    """
    return h2 if graph.is_complete else hash_u2(())


def hash_u3(members: Sequence[ClientId]) -> bytes:
    """Return the hash of U3."""
    return transcript_hash("U3", *sorted(members))


def advert_statement(
    sid: bytes, sender: ClientId, *, share_key: bytes, mask_key: bytes, commitment: bytes
) -> Statement:
    """Return what R0 signs."""
    return (sid, "R0", sender, share_key, mask_key, commitment)


def said(sid: bytes, advert: Advert) -> Statement:
    """Return what the signature of ``advert`` must cover."""
    return advert_statement(
        sid,
        advert.sender,
        share_key=advert.share_key,
        mask_key=advert.mask_key,
        commitment=advert.commitment,
    )


def masked_statement(sid: bytes, h1: bytes, h2: bytes, values: memoryview) -> Statement:
    """Return what R2 signs."""
    return (sid, "R2", h1, h2, sha256(values).digest())


def consistency_statement(sid: bytes, h1: bytes, h2: bytes, h3: bytes) -> Statement:
    """Return what R3 signs."""
    return (sid, "R3", h1, h2, h3)
