"""The leading numbers that all models have in common (clove.txt, appendix B.1)."""

from typing import Any

import numpy as np
import pytest

from secure_clove.algorithms.base import Models
from secure_clove.algorithms.clove import Clove
from secure_clove.engine.asks import Ask, Asks, Index
from secure_clove.engine.pipeline import pack
from secure_clove.errors import ConfigError
from secure_clove.foundation.codec import encode
from secure_clove.foundation.ids import Digest, digest
from secure_clove.foundation.trees import Vector
from tests.algorithms.builders import DIMENSION, crowd, initial, partition
from tests.algorithms.test_clove import NEWCOMER, clove
from tests.builders import PointLearner, Room, names, room

SHARED = 2
every_share = pytest.mark.parametrize("shared", range(DIMENSION))


def sharing(shared: int = SHARED, *, probes: int = 0, **options: Any) -> Room:
    learners, _ = crowd(3)
    algorithm = clove(3, probes=probes, shared_parameters=shared, **options)
    return room(algorithm, initial(3 + probes), learners)


def assert_common(models: Vector, shared: int) -> None:
    np.testing.assert_array_equal(models[:, :shared], np.stack([models[0, :shared]] * len(models)))


@every_share
def test_the_shared_part_is_common_from_the_start_and_stays_so(shared: int) -> None:
    table = sharing(shared, probes=2)
    for _ in range(4):
        assert_common(table.state.table, shared)
        table.play()
    assert_common(table.state.table, shared)
    assert_common(table.state.saved, shared)


def test_the_rest_of_the_models_starts_and_stays_different() -> None:
    table = sharing()
    np.testing.assert_array_equal(table.state.models[:, SHARED:], initial(3)[:, SHARED:])
    table.play()
    assert len(np.unique(table.state.models[:, SHARED:], axis=0)) == 3


def test_the_shared_part_is_the_example_weighted_mean_over_everybody() -> None:
    table, plain = sharing(), sharing(0)
    plain.state = table.state  # the same start, averaged cluster by cluster alone
    plain.play()
    table.play()
    weights = {c: one.examples for c, one in table.learners.items()}
    before = initial(3)[0, :SHARED]
    steps = [
        weights[c] * (one.train(np.append(before, np.zeros(DIMENSION - SHARED)))[:SHARED] - before)
        for c, one in table.learners.items()
    ]
    expected = before + np.sum(steps, axis=0) / sum(weights.values())
    np.testing.assert_allclose(table.state.models[0, :SHARED], expected)
    rest = plain.state.models[:, SHARED:]
    np.testing.assert_array_equal(table.state.models[:, SHARED:], rest)


def test_a_model_that_nobody_trained_gets_the_shared_part_too() -> None:
    learners = {client: PointLearner(point=10.0 * np.ones(DIMENSION)) for client in names(6)}
    table = room(clove(3, shared_parameters=SHARED), initial(3), learners)
    table.play()
    assert len(set(table.state.assignment.values())) == 1
    assert_common(table.state.models, SHARED)
    assert not np.allclose(table.state.models[:, :SHARED], initial(3)[0, :SHARED])


def test_a_round_without_a_sum_leaves_every_model_as_it_was() -> None:
    table = sharing()
    before = table.state.table
    table.play(lost=list(table.learners))
    np.testing.assert_array_equal(table.state.table, before)


def test_the_rest_of_a_probe_is_never_trained() -> None:
    table = sharing(probes=2)
    for _ in range(3):
        table.play()
    np.testing.assert_array_equal(table.state.probes[:, SHARED:], initial(5)[3:, SHARED:])


class Watching(PointLearner):
    """Keeps what it was asked to evaluate."""

    seen: list[Vector] = []  # noqa: RUF012  one list is what the test wants

    def embedding(self, models: Models) -> Vector:
        whole = np.array([*models])
        self.seen.append(whole)
        return super().embedding(whole)


@every_share
@pytest.mark.parametrize("one_at_a_time", [False, True])
def test_clients_evaluate_the_whole_models(shared: int, one_at_a_time: bool) -> None:
    table, kept = sharing(shared, probes=2), dict[Digest, bytes]()
    exchange = table.algorithm.exchanges[0]
    state = table.algorithm.begin(table.state, 1, names(12))
    content = Asks(lambda data: keep(kept, data)).save(exchange.ask(state, names(1)[0]))
    ask = Ask(kept[content], kept.__getitem__)
    Watching.seen.clear()
    learner = Watching(point=np.zeros(DIMENSION))
    exchange.work(table.algorithm.enrol(), ask if one_at_a_time else dict(ask), learner)
    np.testing.assert_array_equal(Watching.seen, [state.table])


def test_the_clusters_are_found_through_the_rest_alone() -> None:
    _, truth = crowd(3)
    table = sharing(1, clustering_rounds=9)
    for _ in range(4):
        table.play()
    assert partition(table.state.assignment) == partition(truth)


def test_a_newcomer_is_asked_about_the_shared_part_saved_at_stability() -> None:
    table = sharing()
    table.learners = {**table.learners, NEWCOMER: PointLearner(point=np.zeros(DIMENSION))}
    for _ in range(4):
        table.play(cohort=names(12))
    state = table.algorithm.begin(table.state, 5, (NEWCOMER,))
    exchange = table.algorithm.next(state)
    assert exchange is not None
    ask = exchange.ask(state, NEWCOMER)
    np.testing.assert_array_equal(ask["shared"], state.saved[0, :SHARED])
    assert not np.allclose(ask["shared"], state.models[0, :SHARED])


@pytest.mark.parametrize("shared", [-1, DIMENSION, DIMENSION + 1, 1.5, "2"])
def test_sharing_less_than_nothing_or_everything_is_refused(shared: Any) -> None:
    with pytest.raises(ConfigError, match=rf"shared_parameters is .* has {DIMENSION} numbers"):
        clove(3, shared_parameters=shared)


# ---- what it saves


def keep(kept: dict[Digest, bytes], data: bytes) -> Digest:
    kept[digest(data)] = data
    return digest(data)


def bytes_of_an_ask(parameters: int, clusters: int, shared: int) -> int:
    """Return how many bytes a client fetches to evaluate every model."""
    models = np.random.default_rng(0).normal(size=(clusters, parameters))
    algorithm = Clove(parameters=parameters, clusters=clusters, seed=0, shared_parameters=shared)
    kept: dict[Digest, bytes] = {}
    state = algorithm.start(models)
    Asks(lambda data: keep(kept, data)).save(algorithm.exchanges[0].ask(state, names(1)[0]))
    return sum(map(len, kept.values()))


@pytest.mark.parametrize("clusters", [2, 5, 10])
@pytest.mark.parametrize("shared", [0, 1, 500, 999])
def test_an_ask_takes_the_common_part_once_and_the_rest_of_every_model(
    clusters: int, shared: int
) -> None:
    parameters, none = 1000, Digest("0" * 64)

    def array(length: int) -> int:
        return len(pack({"array": np.zeros(length)}))

    index = Index(rows={"models": (none,) * clusters}, whole={"shared": none} if shared else {})
    frame = array(parameters) - 8 * parameters
    assert 64 <= frame <= 96
    expected = len(encode(index)) + clusters * array(parameters - shared)
    expected += array(shared) if shared else 0
    assert bytes_of_an_ask(parameters, clusters, shared) == expected


def test_sharing_four_fifths_of_ten_models_saves_almost_three_quarters() -> None:
    share = bytes_of_an_ask(10_000, 10, 8_000) / bytes_of_an_ask(10_000, 10, 0)
    assert share == pytest.approx((8_000 + 10 * 2_000) / (10 * 10_000), rel=0.01)
