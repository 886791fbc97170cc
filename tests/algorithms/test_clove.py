"""CLoVE as pure folds: who is placed where, when clustering ends, and what averaging keeps."""

from collections.abc import Mapping
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from secure_clove.algorithms.averaging import FedAvg
from secure_clove.algorithms.base import Replies, Reveal
from secure_clove.algorithms.clove import Clove
from secure_clove.errors import ConfigError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.trees import Vector
from tests.algorithms.builders import DIMENSION, centres, crowd, initial, partition
from tests.builders import PointLearner, Room, names, room

NEWCOMER = ClientId("newcomer")


def clove(clusters: int = 3, **options: Any) -> Clove:
    return Clove(parameters=DIMENSION, clusters=clusters, seed=0, **options)


def gathered(
    clusters: int = 3, *, seed: int = 0, models: Vector | None = None, **options: Any
) -> tuple[Room, dict[ClientId, int]]:
    """Return a room of separable clients before round 1, and their true clusters."""
    learners, truth = crowd(clusters, seed=seed)
    start = initial(clusters, seed=seed) if models is None else models
    return room(clove(clusters, **options), start, learners), truth


def losses(table: Room) -> dict[ClientId, dict[str, Vector]]:
    """Return what each client would answer about the current models."""
    models = table.state.models
    return {c: {"losses": one.embedding(models)} for c, one in table.learners.items()}


def are_separable(
    found: Mapping[ClientId, Mapping[str, Vector]], truth: Mapping[ClientId, int]
) -> bool:
    """Whether any two clusters lie five times further apart than any of them is wide."""
    vectors = np.stack([found[client]["losses"] for client in truth])
    vectors -= vectors.mean(axis=1, keepdims=True)
    labels = np.array(list(truth.values()))
    middles = np.stack([vectors[labels == k].mean(axis=0) for k in np.unique(labels)])
    width = np.linalg.norm(vectors - middles[labels], axis=1).max()
    return bool(all(np.linalg.norm(a - b) > 5 * width for a, b in combinations(middles, 2)))


# ---- clustering (Algorithm 1, lines 11-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 5), st.integers(0, 10**6))
def test_separable_losses_give_the_true_clusters_in_one_round(clusters: int, seed: int) -> None:
    table, truth = gathered(clusters, seed=seed)
    assume(are_separable(losses(table), truth))
    table.play()
    assert partition(table.state.assignment) == partition(truth)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_no_other_matching_of_clusters_and_models_loses_less(seed: int) -> None:
    table, truth = gathered(3, seed=seed)
    found = losses(table)
    assume(are_separable(found, truth))
    table.play()
    chosen = {truth[client]: model for client, model in table.state.assignment.items()}

    def total(model_of: dict[int, int]) -> float:
        return sum(float(found[c]["losses"][model_of[truth[c]]]) for c in truth)

    every = [dict(enumerate(order)) for order in permutations(range(3))]
    assert total(chosen) == pytest.approx(min(map(total, every)))


def test_every_client_trains_the_model_of_its_cluster() -> None:
    table, _ = gathered()
    table.play()
    for client, model in table.state.assignment.items():
        np.testing.assert_array_equal(table.model(client), table.state.models[model])


def test_separable_clusters_use_every_model_once() -> None:
    table, _ = gathered()
    table.play()
    assert set(table.state.assignment.values()) == {0, 1, 2}


def test_the_models_reach_the_points_of_their_clusters() -> None:
    table, truth = gathered()
    for _ in range(12):
        table.play()
    for client, cluster in truth.items():
        assert np.linalg.norm(table.model(client) - centres(3)[cluster]) < 0.5


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(12)))
def test_other_names_for_the_clients_change_nothing(order: list[int]) -> None:
    learners, _ = crowd(3)
    renamed = dict(zip(learners, names(12, "other"), strict=True))
    shuffled = {old: names(12, "other")[place] for old, place in zip(learners, order, strict=True)}
    tables = []
    for mapping in (renamed, shuffled):
        players = {mapping[client]: learner for client, learner in learners.items()}
        table = room(clove(), initial(3), players)
        table.play()
        table.play()
        tables.append((table, mapping))
    (one, to_one), (two, to_two) = tables
    for client in learners:
        assert one.state.assignment[to_one[client]] == two.state.assignment[to_two[client]]
    np.testing.assert_allclose(one.state.models, two.state.models)


def test_the_order_in_which_replies_arrive_changes_nothing() -> None:
    table, _ = gathered()
    exchange = clove().exchanges[0]
    state = table.algorithm.begin(table.state, 1, tuple(table.learners))
    found = losses(table)
    one = exchange.fold(state, Replies(each=found))
    two = exchange.fold(state, Replies(each=dict(reversed(found.items()))))
    assert one.assignment == two.assignment


def test_a_constant_added_to_all_losses_of_a_client_changes_nothing() -> None:
    table, _ = gathered()
    exchange = clove().exchanges[0]
    state = table.algorithm.begin(table.state, 1, tuple(table.learners))
    found = losses(table)
    shifted = {c: {"losses": v["losses"] + 100.0 * i} for i, (c, v) in enumerate(found.items())}
    one, two = (exchange.fold(state, Replies(each=each)) for each in (found, shifted))
    assert one.assignment == two.assignment


def test_fewer_participants_than_clusters_get_a_model_each() -> None:
    learners, _ = crowd(4, 1)
    two = list(learners)[:2]
    table = room(clove(4), initial(4), learners)
    table.play(cohort=two)
    assert sorted(table.state.assignment) == two
    assert len(set(table.state.assignment.values())) == 2


def test_a_single_participant_is_served() -> None:
    learners, _ = crowd(3, 1)
    table = room(clove(), initial(3), learners)
    table.play(cohort=names(1))
    assert len(table.state.assignment) == 1


def test_clients_that_are_all_alike_share_one_model() -> None:
    learners = {client: PointLearner(point=centres(3)[0]) for client in names(6)}
    table = room(clove(), initial(3), learners)
    table.play()
    assert len(set(table.state.assignment.values())) == 1


def test_a_cluster_too_small_to_hide_a_client_is_dissolved() -> None:
    learners, truth = crowd(2, 4)
    alone = {ClientId("z-alone"): PointLearner(point=-30.0 * np.ones(DIMENSION))}
    table = room(clove(3, smallest=3), initial(3), learners | alone)
    table.play()
    sizes = np.bincount(list(table.state.assignment.values()))
    assert sizes[sizes > 0].min() >= 3
    assert len(table.state.assignment) == len(truth) + 1


# ---- probes (ADR 0009)


def probed(count: int) -> Room:
    """Return a room with ``count`` probes whose K models are all alike, hence tell nothing."""
    learners, _ = crowd(3)
    models = np.concatenate([np.zeros((3, DIMENSION)), initial(count, seed=1)])
    return room(clove(3, probes=count), models, learners)


def test_probes_are_asked_about_behind_the_models() -> None:
    table = probed(4)
    losses_ = table.algorithm.exchanges[0]
    ask = losses_.ask(table.state, names(1)[0])["models"]
    np.testing.assert_array_equal(ask[3:], initial(4, seed=1))
    assert losses_.layout[0].shape == (7,)


@pytest.mark.parametrize("options", [{}, {"probes": 4}])
def test_every_client_is_asked_about_the_very_same_array(options: dict[str, Any]) -> None:
    table, _ = gathered(3, models=initial(7), **options)
    table.play()
    ask = table.algorithm.exchanges[0].ask
    first, second = (ask(table.state, client)["models"] for client in names(2))
    assert first is second


def test_probes_show_groups_that_the_models_do_not() -> None:
    _, truth = crowd(3)
    blind, seeing = probed(0), probed(4)
    blind.play()
    seeing.play()
    assert partition(blind.state.assignment) != partition(truth)
    assert partition(seeing.state.assignment) == partition(truth)


def test_nobody_trains_a_probe() -> None:
    table = probed(4)
    for _ in range(3):
        table.play()
    np.testing.assert_array_equal(table.state.probes, initial(4, seed=1))
    assert table.state.models.shape == (3, DIMENSION)
    assert set(table.state.assignment.values()) <= {0, 1, 2}


def test_a_newcomer_is_asked_about_the_saved_models_and_the_probes() -> None:
    table = probed(4)
    for _ in range(4):
        table.play(cohort=names(11))
    state = table.algorithm.begin(table.state, 5, names(12))
    exchange = table.algorithm.next(state)
    assert exchange is not None
    ask = exchange.ask(state, names(12)[11])["models"]
    np.testing.assert_array_equal(ask, state.saved)
    np.testing.assert_array_equal(ask[3:], initial(4, seed=1))
    assert not np.allclose(ask[:3], state.models)


def test_a_newcomer_is_placed_by_probes_too() -> None:
    _, truth = crowd(3)
    table = probed(4)
    for _ in range(4):
        table.play(cohort=names(11))
    table.play()
    assert partition(table.state.assignment) == partition(truth)


# ---- stability (section 3)


def test_clustering_ends_when_all_clients_declare_stability() -> None:
    table, _ = gathered(clustering_rounds=9, stable_rounds=2)
    for _ in range(4):
        table.play()
    assert table.held == [["losses", "train"], ["losses", "train"], ["train"], ["train"]]


@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_stability_takes_as_many_equal_rounds_as_agreed(rounds: int) -> None:
    table, _ = gathered(clustering_rounds=9, stable_rounds=rounds)
    for _ in range(6):
        table.play()
    assert sum("losses" in held for held in table.held) == rounds


def test_the_share_of_declarations_is_taken_over_the_whole_cohort() -> None:
    table, _ = gathered(clustering_rounds=9, stable_rounds=1)
    table.play(lost=names(3))
    assert table.state.stable_share == pytest.approx(0.75)


def test_declarations_of_too_few_do_not_end_the_clustering() -> None:
    table, _ = gathered(clustering_rounds=9, stable_rounds=1, stable_share=0.8)
    table.play(lost=names(3))
    assert not table.state.is_settled


def test_declarations_of_enough_end_the_clustering() -> None:
    table, _ = gathered(clustering_rounds=9, stable_rounds=1, stable_share=0.7)
    table.play(lost=names(3))
    assert table.state.is_settled


def test_a_client_whose_model_changes_is_not_stable() -> None:
    algorithm = clove(stable_rounds=2)
    train, learner = algorithm.exchanges[1], PointLearner(point=np.zeros(DIMENSION))
    own, said = algorithm.enrol(), []
    for number in (0, 1, 1, 0):
        ask = {"model": np.zeros(DIMENSION), "number": np.array(float(number))}
        own, reply = train.work(own, ask, learner)
        said.append(float(reply["stable"]))
    assert said == [0, 0, 1, 0]


def test_a_client_remembers_no_more_than_stability_needs() -> None:
    table, _ = gathered(stable_rounds=2)
    for _ in range(5):
        table.play()
    assert {len(own.history) for own in table.owns.values()} == {2}


@pytest.mark.parametrize("cap", [1, 2, 3])
def test_no_client_is_asked_for_more_embeddings_than_the_cap(cap: int) -> None:
    table, _ = gathered(clustering_rounds=cap, stable_rounds=99)
    for _ in range(cap + 3):
        table.play()
    assert [held.count("losses") for held in table.held] == [1] * cap + [0] * 3
    assert clove(clustering_rounds=cap).exchanges[0].at_most == cap


def test_a_clustering_that_nobody_answered_does_not_count_towards_the_cap() -> None:
    table, _ = gathered(clustering_rounds=1)
    table.play(lost=list(table.learners))
    table.play()
    assert table.held == [["losses", "train"], ["losses", "train"]]
    assert table.state.clusterings == 1


# ---- newcomers (line 15)


def settled(**options: Any) -> tuple[Room, dict[ClientId, int]]:
    """Return a room whose clustering is over and whose models have moved on since."""
    learners, truth = crowd(3)
    late = PointLearner(point=centres(3)[1] + 0.05)
    table = room(clove(**options), initial(3), learners | {NEWCOMER: late})
    for _ in range(4):
        table.play(cohort=list(learners))
    return table, truth


def test_a_newcomer_is_asked_about_the_models_saved_at_stability() -> None:
    table, _ = settled()
    state = table.algorithm.begin(table.state, 5, (NEWCOMER,))
    exchange = table.algorithm.next(state)
    assert exchange is not None
    ask = exchange.ask(state, NEWCOMER)["models"]
    np.testing.assert_array_equal(ask, state.saved)
    assert not np.allclose(ask, state.models)


def test_a_newcomer_gets_the_model_of_those_like_it() -> None:
    table, truth = settled()
    table.play()
    like = {table.state.assignment[client] for client, cluster in truth.items() if cluster == 1}
    assert {table.state.assignment[NEWCOMER]} == like


def test_the_current_models_would_send_a_newcomer_astray() -> None:
    """The losses of trained models are not near any centroid of the models saved at stability."""
    table, _ = settled()
    state, learner = table.state, table.learners[NEWCOMER]

    def distance(models: Vector) -> float:
        found = learner.embedding(models)
        return float(np.linalg.norm(state.centroids - (found - found.mean()), axis=1).min())

    assert distance(state.saved) < 5 < distance(state.models)


def test_only_newcomers_are_asked_after_stability() -> None:
    table, _ = settled()
    state = table.algorithm.begin(table.state, 5, tuple(sorted(table.learners)))
    exchange = table.algorithm.next(state)
    assert exchange is not None
    assert (exchange.name, exchange.cohort(state)) == ("losses", (NEWCOMER,))


def test_placing_a_newcomer_moves_nobody_else() -> None:
    table, _ = settled()
    before, centroids = table.state.assignment, table.state.centroids
    table.play()
    assert {c: m for c, m in table.state.assignment.items() if c != NEWCOMER} == before
    np.testing.assert_array_equal(table.state.centroids, centroids)


def test_a_newcomer_trains_in_the_round_it_is_placed() -> None:
    table, _ = settled()
    table.play()
    assert table.held[-1] == ["losses", "train"]
    assert table.owns[NEWCOMER].history == (table.state.assignment[NEWCOMER],)


def test_a_placed_newcomer_is_not_asked_again() -> None:
    table, _ = settled()
    table.play()
    table.play()
    assert table.held[-1] == ["train"]


def test_a_newcomer_that_does_not_answer_sits_out_and_is_asked_again() -> None:
    table, _ = settled()
    table.play(lost=[NEWCOMER])
    assert NEWCOMER not in table.state.assignment
    table.play()
    assert NEWCOMER in table.state.assignment


def test_a_client_without_a_model_takes_nothing_home() -> None:
    table, _ = settled()
    assert table.algorithm.personal(table.state, NEWCOMER) is None


# ---- who does not answer


def test_a_client_that_is_away_keeps_its_model() -> None:
    table, _ = gathered(clustering_rounds=9)
    table.play()
    away = names(2)
    before = {client: table.state.assignment[client] for client in away}
    table.play(cohort=[client for client in table.learners if client not in away])
    assert {client: table.state.assignment[client] for client in away} == before


def test_a_client_that_is_away_is_not_asked_to_train() -> None:
    table, _ = gathered(clustering_rounds=1)
    table.play()
    there = names(12)[2:]
    state = table.algorithm.begin(table.state, 2, there)
    train = table.algorithm.next(state)
    assert train is not None
    assert (train.name, train.cohort(state)) == ("train", there)


def test_a_client_that_drops_out_of_the_clustering_still_trains_its_old_model() -> None:
    table, _ = gathered(clustering_rounds=9)
    table.play()
    silent = names(1)[0]
    exchange = table.algorithm.exchanges[0]
    state = table.algorithm.begin(table.state, 2, tuple(table.learners))
    others = {c: reply for c, reply in losses(table).items() if c != silent}
    state = exchange.fold(state, Replies(each=others))
    train = table.algorithm.next(state)
    assert train is not None
    assert silent in train.cohort(state)
    assert train.group(state, silent) == table.state.assignment[silent]


def test_an_empty_clustering_changes_nothing_and_the_round_goes_on() -> None:
    table, _ = gathered(clustering_rounds=9)
    table.play()
    state = table.algorithm.begin(table.state, 2, tuple(table.learners))
    after = table.algorithm.exchanges[0].fold(state, Replies())
    assert after.assignment == state.assignment
    assert after.clusterings == state.clusterings
    train = table.algorithm.next(after)
    assert train is not None
    assert train.name == "train"


def test_an_empty_training_changes_no_model_and_the_round_ends() -> None:
    table, _ = gathered(clustering_rounds=9)
    table.play()
    state = table.algorithm.begin(table.state, 2, tuple(table.learners))
    state = table.algorithm.exchanges[0].fold(state, Replies())
    after = table.algorithm.exchanges[1].fold(state, Replies())
    np.testing.assert_array_equal(after.models, state.models)
    assert after.stable_share is None
    assert after.accuracy == state.accuracy
    assert table.algorithm.next(after) is None


def test_a_round_in_which_everybody_goes_silent_ends() -> None:
    table, _ = gathered()
    table.play(lost=list(table.learners))
    np.testing.assert_array_equal(table.state.models, initial(3))
    assert table.state.assignment == {}


def test_a_training_without_any_placed_client_asks_nobody() -> None:
    table, _ = gathered()
    state = table.algorithm.begin(table.state, 1, tuple(table.learners))
    assert table.algorithm.exchanges[1].cohort(state) == ()


# ---- averaging (line 22)


def test_a_cluster_moves_by_the_example_weighted_mean_of_its_members() -> None:
    table, _ = gathered()
    before = table.state.models
    table.play()
    for model in range(3):
        members = [c for c, m in table.state.assignment.items() if m == model]
        trained = [table.learners[c].train(before[model]) for c in members]
        weights = [table.learners[c].examples for c in members]
        expected = np.average(trained, axis=0, weights=weights)
        np.testing.assert_allclose(table.state.models[model], expected)


def test_an_empty_cluster_keeps_its_model() -> None:
    learners = {client: PointLearner(point=centres(3)[0]) for client in names(6)}
    table = room(clove(), initial(3), learners)
    table.play()
    (used,) = set(table.state.assignment.values())
    unused = [model for model in range(3) if model != used]
    np.testing.assert_array_equal(table.state.models[unused], initial(3)[unused])
    assert not np.allclose(table.state.models[used], initial(3)[used])


def test_inside_a_cluster_clove_is_federated_averaging() -> None:
    table, _ = gathered(clustering_rounds=1)
    table.play()
    model = table.state.assignment[names(1)[0]]
    members = {
        c: table.learners[c] for c, number in table.state.assignment.items() if number == model
    }
    alone = room(FedAvg(parameters=DIMENSION), table.state.models[model : model + 1], members)
    for _ in range(3):
        table.play()
        alone.play()
    np.testing.assert_allclose(table.state.models[model], alone.state.model)


def test_the_accuracy_is_the_share_of_hits_of_the_models_sent_out() -> None:
    table, _ = gathered(models=centres(3))
    table.play()
    assert table.state.accuracy == 1.0


# ---- what it shows, and what it refuses


def test_clove_shows_embeddings_one_by_one_and_training_as_sums() -> None:
    assert [(x.name, x.reveal) for x in clove().exchanges] == [
        ("losses", Reveal.EACH),
        ("train", Reveal.SUM),
    ]


def test_the_sums_of_a_training_are_by_cluster() -> None:
    table, _ = gathered()
    table.play()
    train = table.algorithm.exchanges[1]
    groups = {client: train.group(table.state, client) for client in table.learners}
    assert groups == table.state.assignment


@pytest.mark.parametrize(
    "options",
    [
        {"stable_rounds": 0},
        {"clustering_rounds": 0},
        {"clustering_rounds": 2.5},
        {"stable_rounds": 1.5},
        {"stable_share": 0.0},
        {"stable_share": 1.1},
        {"stable_share": float("nan")},
        {"smallest": 0},
        {"probes": -1},
        {"probes": 0.5},
        {"clusters": 1},
    ],
)
def test_a_setting_that_cannot_work_is_refused(options: dict[str, float]) -> None:
    fields: dict[str, Any] = {"parameters": DIMENSION, "clusters": 3, "seed": 0}
    with pytest.raises(ConfigError):
        Clove(**(fields | options))
