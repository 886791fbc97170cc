"""Telling a client's cluster from sums, sizes and who takes part."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from secure_clove.errors import NotFoundError
from secure_clove.foundation.ids import ClientId
from tests.threat_models.builders import doctored
from threat_models.base import Case, NotApplicable, Verdict
from threat_models.membership import Membership, beliefs, disaggregate
from threat_models.suite import case_of
from threat_models.views import CoordinatorView, MaskedSum


def attacked(case: Case) -> Verdict:
    found = Membership().run(case, 100, lambda _: None)
    assert isinstance(found, Verdict)
    return found


def merged(case: Case, *, missing: bool) -> Case:
    """A run with visible membership, as it would look with hidden one.

    Args:
        case: The run.
        missing: Whether one client is missing in each further round.
    """
    known = [seen for seen in case.view.summed("train") if seen.round == 2]
    examples = {one: len(data.train_y) for one, data in case.world.federation.clients.items()}
    slots = {client: seen.group for seen in known for client in seen.members}
    models = np.zeros((case.view.config.clusters, case.view.config.parameters))
    for seen in known:
        models[seen.group] = seen.ask["model"]

    def summed(round_: int, members: tuple[ClientId, ...]) -> MaskedSum:
        total = np.zeros(len(models))
        for client in members:
            total[slots[client]] += examples[client]
        return replace(
            known[0],
            round=round_,
            group=0,
            members=members,
            ask={"models": models},
            total={"examples": total},
            sent={},
        )

    everybody = tuple(sorted(slots))
    rounds = [everybody]
    if missing:
        rounds += [tuple(c for c in everybody if c != one) for one in everybody]
    sums = tuple(summed(number, who) for number, who in enumerate(rounds, 1))
    return Case(view=replace(case.view, singles=(), sums=sums), world=case.world)


# ---- from sums to single clients


def test_one_sum_over_everybody_moves_every_client_alike() -> None:
    found = disaggregate(np.zeros((4, 2)), np.ones((1, 4), dtype=bool), np.array([[4.0, 8.0]]))
    assert found == pytest.approx(np.tile([1.0, 2.0], (4, 1)))


def test_the_difference_between_two_sums_is_the_client_that_was_missing() -> None:
    members = np.array([[True, True, True], [True, True, False]])
    found = disaggregate(np.zeros((3, 1)), members, np.array([[6.0], [2.0]]))
    assert found[2] == pytest.approx([4.0])


def test_what_is_believed_stays_where_sums_agree_with_it() -> None:
    prior = np.array([[1.0], [3.0]])
    found = disaggregate(prior, np.ones((1, 2), dtype=bool), np.array([[4.0]]))
    assert found == pytest.approx(prior)


# ---- on a run


def test_hidden_membership_gives_no_more_than_the_largest_cluster(hidden_folder: Path) -> None:
    found = attacked(case_of(hidden_folder))
    assert found.passed
    assert found.bound == found.extras["majority_class"] == 0.5
    assert found.interval_with[0] <= 0.5


def test_with_the_same_clients_in_all_sums_everybody_looks_alike(hidden_folder: Path) -> None:
    shares = beliefs(case_of(hidden_folder).view).shares
    assert shares == pytest.approx(np.tile(shares[0], (8, 1)))


@pytest.mark.parametrize("fixture", ["visible_folder", "noised_folder"])
def test_sums_of_their_own_tell_every_cluster(fixture: str, request: pytest.FixtureRequest) -> None:
    found = attacked(case_of(request.getfixturevalue(fixture)))
    assert found.with_defence == 1
    assert found.bound is None
    assert "knows every client's cluster" in found.verdict


def test_merging_the_sums_hides_membership(visible_folder: Path) -> None:
    assert attacked(merged(case_of(visible_folder), missing=False)).passed


def test_clients_that_are_missing_now_and_then_are_found_out(visible_folder: Path) -> None:
    found = attacked(merged(case_of(visible_folder), missing=True))
    assert found.with_defence == 1
    assert not found.passed
    assert "differences between sums" in found.note


def test_messages_whose_size_depends_on_the_cluster_are_found_out(hidden_folder: Path) -> None:
    case = case_of(hidden_folder)
    truth = case.world.federation.truth

    def longer(seen: MaskedSum) -> list[MaskedSum]:
        sizes = {client: 100 + truth[client] for client in seen.members}
        return [replace(seen, sent={**seen.sent, "masked": sizes})]

    found = attacked(doctored(case, longer))
    assert found.extras["attacker"] == "message sizes"
    assert not found.passed


def test_a_run_without_sums_has_no_membership_to_tell(hidden_folder: Path) -> None:
    case = case_of(hidden_folder)
    silent = CoordinatorView(config=case.view.config, singles=())
    found = Membership().run(Case(view=silent, world=case.world), 100, lambda _: None)
    assert isinstance(found, NotApplicable)
    with pytest.raises(NotFoundError, match="belongs to a model"):
        beliefs(silent)
