"""Who shares a secure sum with whom.

Source: protocol.md, "Membership", `visible`: one session a cluster; clusters too small to hide a
client share a session, each with a block of its own.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from secure_clove.foundation.ids import ClientId


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """The clients of one session and the groups whose sums it computes.

    Attributes:
        groups: One group per block of the session's vector, ascending.
        clients: Group of each client.
    """

    groups: tuple[int, ...]
    clients: Mapping[ClientId, int]

    def block(self, client: ClientId) -> int:
        """Return which block of the vector is the client's."""
        return self.groups.index(self.clients[client])


def parties(groups: Mapping[ClientId, int], smallest: int) -> tuple[Party, ...]:
    """Divide clients into sessions of at least ``smallest``, one group each where that is possible.

    Args:
        groups: Group of each client.
        smallest: Fewest clients a sum may hold.

    Returns:
        Parties in order of their groups; empty if all clients together are too few.
    """
    members: dict[int, list[ClientId]] = defaultdict(list)
    for client in sorted(groups):
        members[groups[client]].append(client)
    bundles = sorted(([group] for group in members), key=lambda b: (len(members[b[0]]), b[0]))

    def count(bundle: list[int]) -> int:
        return sum(len(members[group]) for group in bundle)

    while bundles and count(bundles[0]) < smallest:
        if len(bundles) == 1:
            return ()
        bundles[1] = bundles[0] + bundles[1]
        bundles = sorted(bundles[1:], key=lambda bundle: (count(bundle), bundle))
    return tuple(
        Party(groups=tuple(sorted(b)), clients={c: g for g in sorted(b) for c in members[g]})
        for b in sorted(map(sorted, bundles))
    )
