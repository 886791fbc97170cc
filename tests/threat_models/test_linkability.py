"""Linking clients between rounds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from secure_clove.foundation.seeds import stream
from tests.threat_models.builders import finished_run, one_by_one, settings
from threat_models.base import Case, NotApplicable, Verdict
from threat_models.linkability import Linkability, by_shadows, pairs
from threat_models.links import COSTS, GUESSES, RULES, Pair, guessed, learned, linked, predicted
from threat_models.suite import case_of
from threat_models.views import coordinator_view


def changed(noise: float, clients: int = 30) -> Pair:
    """Vectors before and after an affine change of all of them."""
    rng = stream(0, "changed")
    before = rng.normal(size=(clients, 4))
    after = before @ rng.normal(size=(4, 4)) + 5 + rng.normal(0, noise, (clients, 4))
    return Pair(rounds=(1, 2), before=before, after=after)


def unrelated(clients: int = 200) -> Pair:
    rng = stream(1, "unrelated")
    return Pair(
        rounds=(1, 2),
        before=rng.normal(size=(clients, 4)),
        after=rng.normal(size=(clients, 4)),
    )


def test_an_affine_change_of_all_vectors_hides_nobody() -> None:
    assert linked(changed(1e-3)).share == 1


def test_the_predictor_absorbs_what_distances_do_not() -> None:
    pair = changed(1e-3)
    assert RULES["nearest"](predicted(pair)) == len(pair)
    assert RULES["nearest"](COSTS["unchanged"](pair)) < len(pair)


def test_unrelated_vectors_are_linked_by_chance_only() -> None:
    low, _ = linked(unrelated()).interval
    assert low <= 1 / 200


def test_noise_lowers_the_share_of_links() -> None:
    assert linked(changed(3.0)).share < linked(changed(0.1)).share


@pytest.mark.parametrize("cost", COSTS)
def test_the_order_of_clients_does_not_matter(cost: str) -> None:
    pair, order = changed(0.5), stream(0, "order").permutation(30)
    shuffled = Pair(rounds=(1, 2), before=pair.before[order], after=pair.after[order])
    expected = COSTS[cost](pair)[np.ix_(order, order)]
    assert COSTS[cost](shuffled) == pytest.approx(expected, rel=1e-6)


def test_vectors_that_are_all_equal_break_no_attacker() -> None:
    pair = Pair(rounds=(1, 2), before=np.ones((5, 3)), after=np.ones((5, 3)))
    assert all(np.isfinite(costs(pair)).all() for costs in COSTS.values())


def test_one_to_one_matching_uses_every_reply_once() -> None:
    costs = np.array([[1.0, 0.9], [5.0, 1.0]])
    assert RULES["nearest"](costs) == 1
    assert RULES["one-to-one"](costs) == 2


def test_the_interval_allows_for_the_choice_among_attackers() -> None:
    found = linked(unrelated())
    low, high = found.interval
    assert low <= found.share <= high
    assert len(found.hits) == 4


def test_a_run_is_compared_with_its_own_pairs_of_rounds_and_promises_nothing(
    run_folder: Path,
) -> None:
    case = case_of(run_folder)
    found = Linkability().run(case, 100, lambda _: None)
    assert isinstance(found, Verdict)
    assert found.bound is None
    assert found.passed
    assert found.extras["chance"] == pytest.approx(1 / 8)
    assert found.without_defence == 1
    for one, two in ((1, 2), (2, 3)):
        assert f"with_defence, rounds {one} to {two}" in found.extras
        assert f"without_defence, rounds {one} to {two}" in found.extras


def test_a_run_that_settled_early_is_told_what_later_rounds_would_show(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, settings(rounds=2))
    found = Linkability().run(case_of(folder), 100, lambda _: None)
    assert isinstance(found, Verdict)
    assert found.extras["rounds"] == "rounds 1 to 2"
    assert found.extras["without_defence, rounds 2 to 3"] == 1
    assert "rounds 2 to 3 link 1.00" in found.note


def test_a_single_round_of_replies_has_nothing_to_link(single_folder: Path) -> None:
    assert pairs(coordinator_view(single_folder / "coordinator")) == ()
    found = Linkability().run(case_of(single_folder), 100, lambda _: None)
    assert isinstance(found, NotApplicable)
    assert "fewer than two" in found.reason


def test_replies_that_are_all_alike_are_linked_by_chance() -> None:
    alike = Pair(rounds=(1, 2), before=np.ones((20, 3)), after=np.ones((20, 3)))
    found = guessed(alike, stream(0, "guesses"))
    low, high = found.interval
    assert low <= 1 / 20 <= high
    assert found.links == 20 * GUESSES


def test_known_groups_are_linked_by_chance_within_the_group() -> None:
    groups = np.repeat(np.eye(4), 5, axis=0)
    low, high = guessed(Pair(rounds=(1, 2), before=groups, after=-groups), stream(1, "")).interval
    assert low <= 1 / 5 <= high


def test_guesses_link_whoever_can_be_told_apart() -> None:
    assert guessed(changed(1e-3), stream(2, "")).share == 1


def test_a_predictor_learned_from_others_links_clients_it_has_never_seen() -> None:
    pair = changed(1e-3, clients=60)
    costs = learned(pair.before[:30], pair.after[:30], pair.before[30:], pair.after[30:])
    assert RULES["nearest"](costs) == 30


def test_a_noised_run_is_also_attacked_with_shadow_clients(run_folder: Path) -> None:
    case = case_of(run_folder)
    pair = pairs(case.view)[-1]
    costs = by_shadows(case, pair)
    assert costs.shape == (8, 8)
    assert linked(pair, {"shadows": costs}).hits.keys() > linked(pair).hits.keys()


def test_hidden_membership_leaves_chance(hidden_folder: Path) -> None:
    found = Linkability().run(case_of(hidden_folder), 100, lambda _: None)
    assert isinstance(found, Verdict)
    assert found.passed
    assert found.bound == pytest.approx(1 / 8)
    low, high = found.interval_with
    assert low <= 1 / 8 <= high


def test_visible_membership_leaves_chance_within_the_cluster(visible_folder: Path) -> None:
    found = Linkability().run(case_of(visible_folder), 100, lambda _: None)
    assert isinstance(found, Verdict)
    assert found.passed
    assert found.bound is not None
    assert 1 / 8 < found.bound <= 3 / 8


def test_sums_of_single_clients_are_linked(hidden_folder: Path) -> None:
    leaking = one_by_one(case_of(hidden_folder), "moments")
    found = Linkability().run(leaking, 100, lambda _: None)
    assert isinstance(found, Verdict)
    assert not found.passed
    assert "LEAK" in found.verdict


def test_one_sealed_clustering_has_nothing_to_link(hidden_folder: Path) -> None:
    case = case_of(hidden_folder)
    first = tuple(seen for seen in case.view.sums if seen.round == 1)
    view = replace(case.view, sums=first)
    found = Linkability().run(Case(view=view, world=case.world), 100, lambda _: None)
    assert isinstance(found, NotApplicable)
    assert "fewer than two" in found.reason
