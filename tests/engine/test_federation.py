"""A whole federation in one process."""

from dataclasses import replace

import numpy as np
import pytest

from secure_clove.clustering.scores import adjusted_rand_index
from secure_clove.engine.policy import Policy
from secure_clove.engine.progress import Outcome
from secure_clove.engine.state import Phase
from secure_clove.engine.terms import PrivacyPlan
from secure_clove.errors import ConfigError, ConflictError, ModelMismatchError
from tests.engine.builders import CLIPPED, FORMS, LOUD, NAME, Toy, ToyTrainer

every_form = pytest.mark.parametrize("plan", FORMS, ids=lambda plan: plan.embedding_kind.value)


def ari(toy: Toy) -> float:
    found = toy.assignment()
    return adjusted_rand_index(
        [toy.truth[name] for name in sorted(found)], [found[name] for name in sorted(found)]
    )


def test_clove_finds_the_groups_and_their_means() -> None:
    toy = Toy()
    toy.start()
    toy.run()
    assert ari(toy) == 1.0
    for k in range(3):
        members = [name for name in toy.names if toy.truth[name] == k]
        mean = np.concatenate([toy.trainers[name].points for name in members]).mean(axis=0)
        for name in members:
            model = toy.participants[name].model
            assert model is not None
            np.testing.assert_allclose(model, mean, atol=1e-4)


@every_form
@pytest.mark.parametrize("algorithm", ["clove", "ifca"])
def test_every_embedding_comes_to_the_end_of_a_federation_and_costs_the_same(
    algorithm: str, plan: PrivacyPlan
) -> None:
    toy = Toy(changes={"algorithm": algorithm, "rounds": 1, "privacy": plan})
    toy.start()
    toy.run()
    for journal in toy.journals.values():
        charged = {entry.release.name: entry.release.multiplier for entry in journal.entries()}
        assert charged == {"embedding": 8.0, "update": 4.0, "metrics": 4.0}


@every_form
def test_every_embedding_finds_the_groups(plan: PrivacyPlan) -> None:
    toy = Toy(changes={"rounds": 2, "privacy": replace(plan, embedding=1.0)})
    toy.start()
    toy.run()
    assert ari(toy) == 1.0


def test_square_roots_are_taken_of_losses_that_noise_made_negative() -> None:
    options = {"square_root": True, "centred": False}
    toy = Toy(changes={"rounds": 2, "privacy": CLIPPED, "options": options})
    toy.start()
    toy.run()
    assert len(toy.coordinator.reports(NAME)) == 2


def test_clustering_stops_when_the_clients_declare_stability() -> None:
    toy = Toy(changes={"rounds": 5, "options": {"clustering_rounds": 5}})
    toy.start()
    toy.run()
    assert dict(toy.coordinator.state(NAME).held) == {"losses": 2, "train": 5}


@pytest.mark.parametrize("algorithm", ["clove", "fedavg", "ifca", "local"])
def test_every_algorithm_runs_to_its_end(algorithm: str) -> None:
    toy = Toy(changes={"algorithm": algorithm, "rounds": 2})
    toy.start()
    toy.run()
    assert toy.coordinator.state(NAME).phase is Phase.CLOSED
    assert all(p.model is not None for p in toy.participants.values())


@pytest.mark.parametrize("algorithm", ["clove", "fedavg", "ifca", "local"])
def test_every_algorithm_runs_under_noise(algorithm: str) -> None:
    toy = Toy(changes={"algorithm": algorithm, "rounds": 2, "privacy": LOUD})
    toy.start()
    toy.run()
    assert len(toy.coordinator.reports(NAME)) == 2


def test_local_only_neither_releases_nor_charges_anything() -> None:
    toy = Toy(changes={"algorithm": "local", "rounds": 2, "privacy": LOUD})
    toy.start()
    toy.run()
    assert all(journal.entries() == () for journal in toy.journals.values())


def test_the_same_seeds_give_the_same_sums() -> None:
    first, second = (Toy(changes={"privacy": LOUD, "rounds": 2}) for _ in range(2))
    for toy in (first, second):
        toy.start()
        toy.run()
    states = [toy.coordinator.state(NAME) for toy in (first, second)]
    assert states[0].algorithm == states[1].algorithm


def test_other_noise_gives_other_sums() -> None:
    first, second = (
        Toy(changes={"privacy": LOUD, "rounds": 1}, noise_seed=seed) for seed in (0, 1)
    )
    for toy in (first, second):
        toy.start()
        toy.run()
    states = [toy.coordinator.state(NAME) for toy in (first, second)]
    assert states[0].algorithm != states[1].algorithm


def test_the_ledger_holds_what_the_plan_says() -> None:
    toy = Toy(changes={"privacy": LOUD, "rounds": 3}, policy=Policy(max_epsilon=50.0, delta=1e-5))
    toy.start()
    toy.run()
    held = toy.coordinator.state(NAME).held
    for journal in toy.journals.values():
        names = [entry.release.name for entry in journal.entries()]
        assert names.count("update") == names.count("metrics") == held["train"] == 3
        assert names.count("embedding") == held["losses"]


def test_the_coordinator_and_the_clients_state_the_same_epsilon() -> None:
    toy = Toy(changes={"privacy": LOUD, "rounds": 2}, policy=Policy(max_epsilon=50.0, delta=1e-5))
    toy.start()
    toy.run()
    report = toy.coordinator.reports(NAME)[-1]
    for participant in toy.participants.values():
        assert participant.ledger.totals().total == report.epsilon_total


def test_a_federation_waits_until_enough_clients_are_there() -> None:
    toy = Toy()
    toy.start()
    for _ in range(5):
        assert toy.turn(toy.names[:2]) <= {Outcome.MOVED, Outcome.WAITING}
    toy.pass_deadline()
    assert toy.coordinator.state(NAME).round == 0


def test_the_first_round_begins_without_clients_that_never_come() -> None:
    toy = Toy()
    toy.start()
    toy.run(toy.names[:9], until_round=1)
    report = toy.coordinator.reports(NAME)[0]
    assert (report.cohort, report.dropouts) == (9, ())


def test_a_newcomer_after_stability_gets_the_model_of_its_cluster() -> None:
    toy = Toy(changes={"rounds": 6})
    toy.start()
    late = toy.names[-1]
    toy.run(toy.names[:-1], until_round=3)
    toy.run()
    own = toy.assignment()[late]
    assert {toy.assignment()[n] for n in toy.names if toy.truth[n] == toy.truth[late]} == {own}
    assert [e.release.name for e in toy.journals[late].entries()].count("embedding") == 1


def test_starting_again_with_the_same_roster_changes_nothing() -> None:
    toy = Toy()
    toy.start()
    before = toy.coordinator.state(NAME)
    toy.start()
    assert toy.coordinator.state(NAME) == before


def test_another_roster_after_the_start_is_refused() -> None:
    toy = Toy()
    toy.start()
    toy.names = toy.names[:5]
    with pytest.raises(ConflictError, match="another roster"):
        toy.start()


def test_a_roster_smaller_than_any_sum_is_refused() -> None:
    toy = Toy()
    toy.names = toy.names[:2]
    with pytest.raises(ConfigError, match="2 clients"):
        toy.start()


def test_initial_models_other_than_the_configuration_names_are_refused() -> None:
    toy = Toy()
    with pytest.raises(ModelMismatchError):
        toy.coordinator.create(toy.coordinator.state(NAME).config, b"other")


def test_a_cluster_too_small_to_hide_a_client_is_never_summed() -> None:
    toy = Toy(clients=7, changes={"min_cohort": 3, "rounds": 3})
    toy.start()
    toy.run()
    sizes = {m: list(toy.assignment().values()).count(m) for m in toy.assignment().values()}
    assert min(sizes.values()) >= 3


def test_a_toy_trainer_never_trains_twice_in_a_round() -> None:
    toy = Toy(changes={"rounds": 3})
    toy.start()
    toy.run()
    assert {t.trainings for t in toy.trainers.values() if isinstance(t, ToyTrainer)} == {3}
