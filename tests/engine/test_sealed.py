"""Sealed CLoVE through the real machines: what the coordinator holds, charges and restarts."""

from dataclasses import replace
from typing import Any

import pytest

from secure_clove.clustering.scores import adjusted_rand_index
from secure_clove.engine.policy import Policy
from secure_clove.engine.terms import PrivacyPlan
from secure_clove.errors import ConfigError, PolicyRefusedError
from secure_clove.foundation.ids import ClientId
from secure_clove.secagg.session import Carriage
from tests.engine.builders import FORMS, LOUD, NAME, Toy

VISIBLE: dict[str, Any] = {"algorithm": "sealed-clove"}
HIDDEN: dict[str, Any] = {"algorithm": "sealed-clove", "options": {"membership": "hidden"}}
both = pytest.mark.parametrize("changes", [VISIBLE, HIDDEN], ids=["visible", "hidden"])


def picks(toy: Toy) -> dict[ClientId, int]:
    """Return the model that each client holds itself to belong to."""
    return {name: toy.participants[name]._own().pick for name in toy.names}


def ari(toy: Toy) -> float:
    found = picks(toy)
    return adjusted_rand_index([toy.truth[n] for n in toy.names], [found[n] for n in toy.names])


@both
def test_the_clusters_are_found_from_masked_sums(changes: dict[str, Any]) -> None:
    toy = Toy(changes=changes)
    toy.start()
    toy.run()
    assert ari(toy) == 1.0


@pytest.mark.parametrize("plan", FORMS, ids=lambda plan: plan.embedding_kind.value)
def test_the_clusters_are_found_from_every_embedding(plan: PrivacyPlan) -> None:
    toy = Toy(changes={**VISIBLE, "rounds": 2, "privacy": replace(plan, embedding=0.5)})
    toy.start()
    toy.run()
    assert ari(toy) == 1.0


@both
def test_a_federation_under_noise_comes_to_its_end(changes: dict[str, Any]) -> None:
    toy = Toy(changes={**changes, "privacy": LOUD, "rounds": 2})
    toy.start()
    toy.run()
    assert len(toy.coordinator.reports(NAME)) == 2


def test_with_hidden_membership_every_session_is_masked() -> None:
    toy = Toy(changes=HIDDEN)
    seen = set[Carriage]()
    for participant in toy.participants.values():
        put = participant._begin

        def watched(invitation: Any, put: Any = put) -> Any:
            seen.add(invitation.session.carriage)
            return put(invitation)

        participant._begin = watched  # type: ignore[method-assign]
    toy.start()
    toy.run()
    assert seen == {Carriage.MASKED}


def test_a_policy_of_sums_only_takes_the_hidden_form_and_refuses_the_visible_one() -> None:
    policy = Policy(max_epsilon=float("inf"), sum_only=True)
    Toy(changes=HIDDEN, policy=policy).turn()
    with pytest.raises(PolicyRefusedError, match="single replies"):
        Toy(changes=VISIBLE, policy=policy).turn()


def test_a_policy_of_sums_only_clusters_with_as_many_as_hide_each_other() -> None:
    policy = Policy(max_epsilon=float("inf"), sum_only=True)
    toy = Toy(clients=24, changes=HIDDEN, policy=policy)
    toy.start()
    toy.run(until_round=1)
    assert ari(toy) == 1.0


@both
def test_a_clustering_is_charged_once_however_many_sums_it_takes(changes: dict[str, Any]) -> None:
    toy = Toy(changes={**changes, "privacy": LOUD, "rounds": 1})
    toy.start()
    toy.run()
    for name in toy.names:
        charged = [entry.release.name for entry in toy.journals[name].entries()]
        assert charged.count("embedding") == 1


def test_a_client_that_restarts_after_the_moments_answers_from_the_same_vector() -> None:
    toy = Toy(changes={**VISIBLE, "privacy": LOUD})
    toy.start()
    name = toy.names[0]
    while toy.coordinator.state(NAME).exchange != "sketch":
        toy.turn()
    before = toy.participants[name]._own().vector
    toy.participants[name] = toy.participant(name)
    toy.run(until_round=1)
    assert (toy.participants[name]._own().vector == before).all()
    assert toy.journals[name].marks(NAME)[1].exchange == "sketch"


def test_noise_for_whole_clients_is_refused_where_only_the_clustering_would_have_it() -> None:
    options = {"membership": "hidden", "client_noise": 2.0}
    with pytest.raises(ConfigError, match="only where all of their replies have it"):
        Toy(changes={**HIDDEN, "options": options})
