"""Graphs: who shares with whom, how many it takes, and that everybody finds the same."""

from fractions import Fraction
from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from scipy.stats import hypergeom

from secure_clove.errors import ConfigError
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import ClientId
from secure_clove.secagg.graph import (
    COLLUDING,
    COMPLETE_UP_TO,
    CORRECTNESS_BITS,
    DROPPING,
    SECURITY_BITS,
    Graph,
    Shape,
    draw,
    most_holders,
    search,
    shape_of,
)
from tests.secagg.party import ids

SID, H1 = bytes(32), bytes(range(32))
LARGEST = ids(400)


def drawn(count: int, h1: bytes = H1) -> Graph:
    return draw(LARGEST[:count], SID, h1)


# ---- degree and threshold


@pytest.mark.parametrize(
    ("count", "colluding", "dropping", "degree", "threshold"),
    [
        (1000, "0.05", "0.05", 52, 37),
        (1000, "0.33", "0.05", 132, 109),
        (1000, "0.1", "0.1", 96, 67),
        (1000, "0.05", "0.33", 398, 223),
        (10_000, "0.05", "0.05", 62, 44),
        (10_000, "0.33", "0.05", 178, 146),
        (10, "0.05", "0.05", 2, 2),
        (100, "0.05", "0.05", 16, 11),
        (10, "0.05", "0.33", 8, 5),
        (100, "0.05", "0.33", 72, 39),
        (100, "0.33", "0.05", 42, 37),
        (100, "0.3", "0.3", 92, 62),
        (1000, "0.3", "0.3", 872, 584),
    ],
)
def test_the_search_finds_the_published_degrees_and_thresholds(
    count: int, colluding: str, dropping: str, degree: int, threshold: int
) -> None:
    found = search(count, colluding=Fraction(colluding), dropping=Fraction(dropping))

    assert found == Shape(degree=degree, threshold=threshold)


@pytest.mark.parametrize("count", [257, 300, 400, 1000, 3000, 10_000])
def test_scipy_agrees_that_a_shape_is_safe_and_that_dropouts_leave_enough(count: int) -> None:
    shape, colluders = shape_of(count), int(COLLUDING * count)
    survivors = count - int(DROPPING * count)
    security, correctness = 2.0 ** -(SECURITY_BITS + 1), 2.0**-CORRECTNESS_BITS
    met = hypergeom(count, colluders, shape.degree)
    left = hypergeom(count, survivors, shape.degree)
    worst = next(t for t in range(shape.degree) if met.sf(t) <= security / count)

    assert 2 * shape.threshold > worst + shape.degree  # no two views can both convince T holders
    assert count * met.sf(worst) <= security
    assert count * left.cdf(shape.threshold - 1) <= correctness


@pytest.mark.parametrize("count", [257, 1000, 10_000])
def test_a_smaller_degree_would_not_do(count: int) -> None:
    """What the search takes is the first degree for which scipy finds room for a threshold."""
    shape = shape_of(count)
    degree = shape.degree - 2
    met = hypergeom(count, int(COLLUDING * count), degree)
    left = hypergeom(count, count - int(DROPPING * count), degree)
    worst = next(t for t in range(degree) if met.sf(t) <= 2.0 ** -(SECURITY_BITS + 1) / count)
    most = max(t for t in range(degree) if left.cdf(t - 1) <= 2.0**-CORRECTNESS_BITS / count)

    assert -(-(worst + degree - 1.25) // 2) >= most


@pytest.mark.parametrize("count", [257, 300, 1000, 10_000])
def test_a_third_of_the_clients_is_far_from_a_threshold_around_anybody(count: int) -> None:
    """In one view of U3 it takes T colluders in one circle to open a client's input."""
    shape = shape_of(count)
    met = hypergeom(count, -(-count // 3) - 1, shape.degree)

    assert count * met.sf(shape.threshold - 1) < 2.0**-80


@pytest.mark.parametrize("count", [257, 300, 1000, 10_000])
def test_who_chooses_the_dropouts_cannot_cut_the_ring_unless_a_fifth_collude(count: int) -> None:
    """A cut needs half a circle without honest survivors, hence that many colluders in it."""
    shape = shape_of(count)
    half = shape.degree // 2
    met = hypergeom(count, count // 5, half)

    assert count * met.sf(shape.threshold - half - 2) < 2.0**-30


def test_a_search_that_no_graph_can_meet_is_refused() -> None:
    with pytest.raises(ConfigError):
        search(10, colluding=Fraction(1, 2), dropping=Fraction(1, 2))


# ---- the graph


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 400))
def test_a_graph_is_regular_and_its_circles_go_both_ways(count: int) -> None:
    graph = drawn(count)
    circles = {client: graph.circle(client) for client in graph.order}
    size = count if count <= COMPLETE_UP_TO else shape_of(count).degree + 1

    for client, circle in circles.items():
        assert client in circle
        assert len(circle) == len(set(circle)) == size
        assert all(client in circles[peer] for peer in circle)


@settings(deadline=None, max_examples=40)
@given(st.integers(257, 400), st.binary(min_size=32, max_size=32))
def test_whoever_draws_a_graph_finds_the_same_one(count: int, h1: bytes) -> None:
    names = list(LARGEST[:count])

    assert draw(reversed(names), SID, h1) == draw(names, SID, h1)


def test_neighbours_on_a_ring_stand_on_either_side() -> None:
    graph = drawn(300)
    for place, client in enumerate(graph.order):
        steps = range(-graph.reach, graph.reach + 1)
        assert graph.circle(client) == tuple(graph.order[(place + step) % 300] for step in steps)


def test_the_ring_is_in_order_of_hashes_that_name_session_adverts_and_client() -> None:
    orders = {
        drawn(300).order,
        drawn(300, h1=bytes(32)).order,
        draw(LARGEST[:300], b"x", H1).order,
    }

    assert len(orders) == 3
    assert all(sorted(order) == list(LARGEST[:300]) for order in orders)


@pytest.mark.parametrize("count", [1, 2, 3, 25, 255, 256])
def test_up_to_256_clients_everybody_is_in_every_circle(count: int) -> None:
    graph = drawn(count)

    assert graph.is_complete
    assert graph.threshold == 2 * count // 3 + 1
    assert all(graph.circle(client) == LARGEST[:count] for client in graph.order)


def test_from_257_clients_on_a_circle_is_a_part_of_the_ring() -> None:
    graph = drawn(257)

    assert not graph.is_complete
    assert (2 * graph.reach, graph.threshold) == (78, 66)
    assert len(graph.circle(graph.order[0])) == 79


@settings(deadline=None, max_examples=60)
@given(st.integers(200, 400), st.data())
def test_the_thinnest_circle_is_the_one_that_counting_finds(
    count: int, data: st.DataObject
) -> None:
    graph = drawn(count)
    members = set(graph.order) - data.draw(st.sets(st.sampled_from(graph.order), max_size=60))
    around = data.draw(st.sets(st.sampled_from(graph.order), min_size=1, max_size=20))

    counted = min(len(members & set(graph.circle(client))) for client in around)
    assert graph.thinnest(members, around) == counted


def test_degrees_grow_slowly() -> None:
    shapes = [shape_of(count) for count in (257, 1000, 10_000, 100_000)]

    assert all(small.degree < large.degree for small, large in pairwise(shapes))
    assert shapes[-1].degree < 200


def test_nobody_holds_shares_of_more_clients_than_messages_have_room_for() -> None:
    for count in (3, 256, 257, 1000, 10_000):
        assert most_holders(count) >= min(count, COMPLETE_UP_TO)
        assert count <= COMPLETE_UP_TO or most_holders(count) > shape_of(count).degree


def test_a_graph_survives_its_encoding() -> None:
    for count in (0, 5, 300):
        graph = drawn(count)
        assert decode(encode(graph), Graph) == graph


def test_a_stranger_has_no_circle() -> None:
    with pytest.raises(KeyError):
        drawn(300).circle(ClientId("z"))
