"""Who shares secrets with whom: everybody up to 256 clients, a sparse regular graph above.

Above, the clients of U1 stand on a ring in an order that follows from their own keys, and each is
the neighbour of the same number of clients on either side (a Harary graph). How many, and how many
of them must rebuild a secret, follows from the count of clients alone. Every client computes both.

Source: Bell et al., CCS 2020, section 3 (parameters) and its semi-malicious variant; protocol.md,
"Graph".
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import accumulate
from math import comb

from secure_clove.errors import ConfigError
from secure_clove.foundation.ids import ClientId
from secure_clove.secagg.keys import transcript_hash

COMPLETE_UP_TO = 256
"""Up to so many clients everybody is everybody's neighbour."""

COLLUDING = Fraction(33, 100)
"""Share of clients that may collude with the coordinator, for the search above 256."""

DROPPING = Fraction(5, 100)
"""Share of clients that may drop out after R1, for the search above 256."""

SECURITY_BITS = 40
"""The search lets a bad graph happen with probability 2^-40."""

CORRECTNESS_BITS = 20
"""The search lets dropouts spoil a sum with probability 2^-20."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How dense a graph is.

    Attributes:
        degree: Neighbours of each client, even.
        threshold: Holders of a client's shares that it takes to rebuild its secrets.
    """

    degree: int
    threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The clients of U1 on their ring.

    Attributes:
        order: The clients, in order of the ring; of a complete graph, in order of their ids.
        places: Where each stands in ``order``, counted from 0.
        reach: How many on either side are a client's neighbours.
        threshold: Holders of a client's shares that it takes to rebuild its secrets.
    """

    order: tuple[ClientId, ...]
    places: Mapping[ClientId, int]
    reach: int
    threshold: int

    @property
    def is_complete(self) -> bool:
        """Whether everybody is everybody's neighbour."""
        return 2 * self.reach + 1 >= len(self.order)

    def circle(self, client: ClientId) -> tuple[ClientId, ...]:
        """Return who holds shares of ``client``: its neighbours and itself, in order of the ring.

        The relation goes both ways: whoever is in my circle has me in its own.
        """
        if self.is_complete:
            return self.order
        count, size = len(self.order), 2 * self.reach + 1
        start = (self.places[client] - self.reach) % count
        return self.order[start : start + size] + self.order[: max(0, start + size - count)]

    def thinnest(self, members: Collection[ClientId], around: Iterable[ClientId]) -> int:
        """Return how many of ``members`` are in the circle that holds the fewest of them.

        Args:
            members: Some of the clients; membership is asked for once a client.
            around: Whose circles to look at.
        """
        if self.is_complete:
            return len(members)
        count, size = len(self.order), 2 * self.reach + 1
        marks = [client in members for client in self.order]
        before = [0, *accumulate(marks + marks[:size])]
        starts = ((self.places[client] - self.reach) % count for client in around)
        return min((before[start + size] - before[start] for start in starts), default=0)


def draw(clients: Iterable[ClientId], sid: bytes, h1: bytes) -> Graph:
    """Return the graph of a session; whoever computes it gets the same one.

    Args:
        clients: U1.
        sid: Session identifier.
        h1: Hash of the signed adverts.
    """
    names = sorted(clients)
    if len(names) <= COMPLETE_UP_TO:
        return _ring(names, len(names) // 2, threshold(len(names)))
    shape = shape_of(len(names))
    names.sort(key=lambda client: transcript_hash("graph", sid, h1, client))
    return _ring(names, shape.degree // 2, shape.threshold)


def threshold(count: int) -> int:
    """Return how many of ``count`` clients two different views of a set cannot both convince.

    Safe for up to ceil(count / 3) - 1 clients who collude with a malicious coordinator.
    """
    return 2 * count // 3 + 1


def most_holders(count: int) -> int:
    """Return how many clients hold shares of one, at most, when ``count`` are invited."""
    if count <= COMPLETE_UP_TO:
        return count
    return max(COMPLETE_UP_TO, shape_of(count).degree + 1)


@cache
def shape_of(count: int) -> Shape:
    """Return degree and threshold for ``count`` clients, more than 256, in this version."""
    return search(count, colluding=COLLUDING, dropping=DROPPING)


def search(count: int, *, colluding: Fraction, dropping: Fraction) -> Shape:
    """Return the smallest degree that is safe and robust enough, with its threshold.

    In whole numbers throughout: clients on any machine must find the same.

    Args:
        count: Clients, n.
        colluding: Share γ of clients that collude with the coordinator.
        dropping: Share δ of clients that drop out.

    Raises:
        ConfigError: no graph on so few clients is both.

    Source: Bell et al. 2020: the ring stays connected, T is above half of the degree and the
        colluding neighbours together (semi-malicious), and T neighbours are left.
    """
    colluders, dropouts = int(count * colluding), int(count * dropping)
    for degree in range(2, count - 1, 2):
        if not _stays_connected(count, degree, colluders + dropouts):
            continue
        met = _most(count, colluders, degree, bits=SECURITY_BITS + 1)
        left = degree - _most(count, dropouts, degree, bits=CORRECTNESS_BITS)
        least = max(2, -(-(4 * (met + degree) - 5) // 8) + 1)
        if least <= left:
            return Shape(degree=degree, threshold=least)
    raise ConfigError(f"no sparse graph on {count} clients is safe; use fewer than 257 clients")


def _stays_connected(count: int, degree: int, lost: int) -> bool:
    """Whether two gaps of ``degree / 2`` lost clients are unlikely enough to cut the ring in two.

    n (n - k - 1) / 2 pairs of gaps, each lost altogether with probability C(lost, k) / C(n, k).
    """
    gaps = count * (count - degree - 1) * comb(lost, degree)
    return gaps << SECURITY_BITS < comb(count, degree)


def _most(count: int, marked: int, drawn: int, *, bits: int) -> int:
    """Return the least t with P[more than t of ``drawn`` are marked] <= 2^-bits / count.

    The upper tail of the hypergeometric distribution, summed from its end in whole numbers.
    """
    allowed = comb(count, drawn) // (count << bits)
    most = min(marked, drawn)
    ways = comb(marked, most) * comb(count - marked, drawn - most)
    while most and ways <= allowed:
        allowed -= ways
        ways = ways * most * (count - marked - drawn + most)
        ways //= (marked - most + 1) * (drawn - most + 1)
        most -= 1
    return most


def _ring(order: list[ClientId], reach: int, least: int) -> Graph:
    places = {client: place for place, client in enumerate(order)}
    return Graph(order=tuple(order), places=places, reach=reach, threshold=least)


NOBODY = draw((), b"", b"")
"""The graph before U1 is fixed."""
