"""A lying coordinator in every branch: never both shares for one client, one view of the session.

Sessions of three and four clients, all views of U1, U2 and U3 shown to each honest client, all
collections of signatures, all orders, with as many liars among the clients as the threshold is
made for: ceil(n / 3) - 1. Run with ``-s`` to see the counts.
"""

from functools import cache
from itertools import product

import pytest

from secure_clove.foundation.ids import ClientId
from tests.conformance.exploration import Cast, Client, Explored, Explorer, Names, subsets


@cache
def explored_cast(count: int) -> tuple[Cast, dict[ClientId, Client]]:
    cast = Cast(count)
    return cast, cast.clients()


def walk(count: int, liars: Names = frozenset()) -> Explored:
    cast, clients = explored_cast(count)
    found = Explorer(clients, liars=liars, threshold=cast.threshold).walk()
    shown = f"{cast.deliveries.taken} taken and {cast.deliveries.refused} refused deliveries"
    print(f"\nn={count}, liars {sorted(liars)}: {found}, {shown}")  # noqa: T201  evidence to read
    return found


@pytest.mark.parametrize(("count", "branches"), [(3, 66), (4, 78_668)])
def test_no_order_of_any_views_breaks_a_promise(count: int, branches: int) -> None:
    assert walk(count).branches == branches


@pytest.mark.parametrize("liar", range(4))
def test_nor_does_a_client_that_sides_with_the_coordinator(liar: int) -> None:
    cast, _ = explored_cast(4)
    found = walk(4, frozenset([cast.names[liar]]))
    assert found.finished > 0


def test_one_liar_more_than_the_threshold_is_made_for_does_break_it() -> None:
    """So that the walk is known to see a broken promise."""
    cast, _ = explored_cast(4)
    with pytest.raises(AssertionError):
        walk(4, frozenset(cast.names[:2]))


@pytest.mark.parametrize("count", [3, 4])
def test_who_answers_r4_was_shown_enough_signatures_on_its_own_view(count: int) -> None:
    cast, clients = explored_cast(count)
    for client in clients.values():
        for view, quorums in client.quorums.items():
            assert quorums, view
            for quorum in quorums:
                assert {seen for _, seen in quorum} == {view}
                assert len(quorum) >= cast.threshold


@pytest.mark.parametrize("count", [3, 4])
def test_an_answer_holds_exactly_one_share_for_each_client_of_the_view(count: int) -> None:
    _, clients = explored_cast(count)
    for client in clients.values():
        for (u2, u3), answer in client.answers.items():
            assert set(answer.seeds) == u3
            assert set(answer.keys) == u2 - u3


@pytest.mark.parametrize("count", [3, 4])
def test_whatever_directories_and_inboxes_are_shown_all_of_one_u2_saw_one_u1(count: int) -> None:
    """Every U1 shown to each client; every envelope made under any of them put in any inbox."""
    cast = Cast(count)
    shared = {me: {u1: cast.share(me, u1) for u1 in subsets(cast.names)} for me in cast.names}
    for me, seen in shared.items():
        assert {u1 for u1, found in seen.items() if found} == {
            u1 for u1 in subsets(cast.names) if me in u1 and len(u1) >= 3
        }
        for u1, found in seen.items():
            if found is None:
                continue
            offered = [
                [
                    None,
                    *((name, v, f[1].sealed[me]) for v, f in shared[name].items() if f and me in v),
                ]
                for name in cast.names
                if name != me
            ]
            for inbox in product(*offered):
                given = [one for one in inbox if one is not None]
                if cast.receive(found[0], {name: sealed for name, _, sealed in given}):
                    assert {view for _, view, _ in given} == {u1}
    print(f"\nU1 of n={count}: {cast.deliveries}")  # noqa: T201  evidence to read
