"""Every figure is drawn for the ordinary run and for the odd one."""

from collections.abc import Callable, Sequence
from xml.etree import ElementTree

import numpy as np
import pytest

from secure_clove.errors import ConfigError
from secure_clove.observe.runs import RoundRecord
from secure_clove.studies.maps import (
    LARGEST,
    CentroidMap,
    EmbeddingMap,
    centroid_map,
    embedding_map,
)
from secure_clove.studies.plots import (
    accuracy_by_client,
    accuracy_by_round,
    ari_by_round,
    audit_bars,
    bytes_by_round,
    epsilon_by_round,
    signal_by_round,
)
from tests.observe.builders import make_audit, make_round

Plot = Callable[[Sequence[RoundRecord]], str]
BY_ROUND: tuple[Plot, ...] = (
    ari_by_round,
    accuracy_by_round,
    epsilon_by_round,
    signal_by_round,
    bytes_by_round,
)
UNKNOWN = {
    "ari": None,
    "agreement": None,
    "accuracy": None,
    "accuracy_released": None,
    "epsilon_embedding": None,
    "epsilon_update": None,
    "epsilon_metrics": None,
    "epsilon_total": None,
    "snr_embedding": None,
    "snr_update": None,
    "snr_metrics": None,
}


def parse(svg: str) -> ElementTree.Element:
    """Return the figure as a tree."""
    return ElementTree.fromstring(svg)  # noqa: S314  our own renderer's output


def words(svg: str) -> set[str]:
    """Return the texts, tooltips and descriptions of a figure."""
    return {element.text or "" for element in parse(svg).iter()}


@pytest.mark.parametrize("plot", BY_ROUND)
@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_a_figure_by_round_is_drawn_for_any_count_of_rounds(plot: Plot, count: int) -> None:
    assert parse(plot([make_round(n) for n in range(1, count + 1)])).tag == "svg"


@pytest.mark.parametrize("plot", BY_ROUND)
def test_a_figure_by_round_is_drawn_where_everything_is_unknown(plot: Plot) -> None:
    assert parse(plot([make_round(n, **UNKNOWN) for n in (1, 2)])).tag == "svg"


def test_the_round_in_which_the_clusters_were_found_is_said() -> None:
    records = [make_round(1, ari=0.4), make_round(2, ari=0.95), make_round(3, ari=1.0)]
    assert any("first reaches 0.9 in round 2" in word for word in words(ari_by_round(records)))


def test_an_index_that_is_known_at_the_end_alone_was_not_reached_there() -> None:
    records = [make_round(1, ari=None), make_round(2, ari=1.0)]
    assert any(word == "The last index is 1.00." for word in words(ari_by_round(records)))


def test_the_budget_is_drawn() -> None:
    assert "budget 4" in words(epsilon_by_round([make_round(1)], budget=4.0))


def test_what_the_last_signals_were_is_said() -> None:
    records = [make_round(1, snr_update=3.0), make_round(2, snr_embedding=None, snr_update=0.0)]
    assert "At last: clustering 2.50, model updates 0.00." in words(signal_by_round(records))


def test_every_client_has_a_bar_that_names_it() -> None:
    shown = words(accuracy_by_client({"a": 0.5, "b": 1.0, "c": 0.7}, {"a": 0, "b": 1}))
    assert {"a: 50.0 %, model 0", "b: 100.0 %, model 1", "c: 70.0 %, no model"} <= shown


def test_no_client_and_no_attack_are_drawn_as_empty_figures() -> None:
    assert parse(accuracy_by_client({}, {})).tag == "svg"
    assert parse(audit_bars({})).tag == "svg"


def test_many_clients_are_named_by_tooltips_only() -> None:
    accuracy = {f"s{n}": 0.5 for n in range(80)}
    shown = words(
        accuracy_by_client(accuracy, {client: n % 9 for n, client in enumerate(accuracy)})
    )
    assert "s7: 50.0 %, model 7" in shown
    assert "s7" not in shown


def test_an_attack_is_drawn_with_both_scores_and_its_limit() -> None:
    assert {"0.61", "1.00", "limit ≤ 0.64"} <= words(audit_bars({"A1": make_audit()}))


def test_the_limit_of_an_error_is_a_lower_one() -> None:
    audit = {"A3": make_audit(metric="L1 error", bound=0.9, interval_with=None)}
    assert "limit ≥ 0.90" in words(audit_bars(audit))


def make_map(count: int, width: int, *, truth: bool = True) -> EmbeddingMap:
    """Return ``count`` clients in vectors of ``width`` numbers."""
    places = range(count)
    return EmbeddingMap(
        vectors=np.random.default_rng(0).normal(size=(count, width)),
        clients=tuple(f"site-{n}" for n in places),
        assigned=tuple(n % 3 for n in places),
        truth=tuple(n % 2 for n in places) if truth else None,
    )


@pytest.mark.parametrize("count", [1, 2, 30])
@pytest.mark.parametrize("width", [1, 2, 7])
def test_the_map_is_drawn_for_any_shape(count: int, width: int) -> None:
    assert parse(embedding_map(make_map(count, width))).tag == "svg"


def test_vectors_that_are_all_alike_are_drawn() -> None:
    points = EmbeddingMap(vectors=np.ones((2, 3)), clients=("a", "b"), assigned=(0, 0))
    assert parse(embedding_map(points)).tag == "svg"


def test_every_point_of_the_map_names_its_client_and_both_clusters() -> None:
    assert "site-2: model 2, truly of cluster 0" in words(embedding_map(make_map(4, 3)))


def test_an_unknown_truth_is_not_told() -> None:
    assert "site-2: model 2" in words(embedding_map(make_map(4, 3, truth=False)))


def test_the_map_does_not_depend_on_the_sign_of_a_direction() -> None:
    points = make_map(6, 3)
    assert embedding_map(points) == embedding_map(make_map(6, 3))


@pytest.mark.parametrize(
    ("vectors", "clients"),
    [(np.zeros((2, 2)), ("a",)), (np.full((1, 2), np.nan), ("a",)), (np.zeros(1), ("a",))],
)
def test_a_map_of_parts_that_do_not_fit_is_refused(
    vectors: np.ndarray, clients: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError):
        EmbeddingMap(vectors=vectors, clients=clients, assigned=(0,) * len(clients))


def make_centroids(sizes: tuple[int, ...], width: int = 3) -> CentroidMap:
    """Return clusters of these sizes around centroids of ``width`` numbers."""
    return CentroidMap(
        centroids=np.random.default_rng(0).normal(size=(len(sizes), width)),
        sizes=sizes,
        models=tuple(range(len(sizes)))[::-1],
    )


@pytest.mark.parametrize("sizes", [(4,), (0, 0), (5, 5), tuple(range(30))])
@pytest.mark.parametrize("width", [1, 2, 7])
def test_centroids_are_drawn_for_any_shape(sizes: tuple[int, ...], width: int) -> None:
    assert parse(centroid_map(make_centroids(sizes, width))).tag == "svg"


def test_a_circle_tells_model_and_size() -> None:
    assert {"model 1: 7 clients", "model 0: 1 client"} <= words(
        centroid_map(make_centroids((7, 1)))
    )


def test_no_client_is_named_where_there_are_centroids_alone() -> None:
    assert "25 clients in 2 clusters" in "".join(words(centroid_map(make_centroids((20, 5)))))


def test_the_area_of_a_circle_is_the_size_of_its_cluster() -> None:
    whole = centroid_map(make_centroids((16, 4)))
    assert {radius(whole, "16 clients"), radius(whole, "4 clients")} == {LARGEST, LARGEST / 2}


def radius(svg: str, told: str) -> float:
    """Return the radius in points of the circle whose tooltip ends with ``told``."""
    for group in parse(svg).iter("g"):
        if any((title.text or "").endswith(f": {told}") for title in group.findall("title")):
            drawn = group.find(".//path")
            assert drawn is not None
            return float(drawn.attrib["d"].split()[2])
    raise LookupError(told)


@pytest.mark.parametrize(
    ("centroids", "sizes"),
    [
        (np.zeros((2, 2)), (1,)),
        (np.full((1, 2), np.nan), (1,)),
        (np.zeros(1), (1,)),
        (np.zeros((1, 2)), (-1,)),
        (np.zeros((0, 2)), ()),
    ],
)
def test_centroids_that_do_not_fit_are_refused(
    centroids: np.ndarray, sizes: tuple[int, ...]
) -> None:
    with pytest.raises(ConfigError):
        CentroidMap(centroids=centroids, sizes=sizes, models=(0,) * len(sizes))
