"""The statement always says everything it must, and never promises more than was kept."""

import math

import pytest

from secure_clove.privacy.accounting import Totals, totals
from secure_clove.privacy.events import Schedule
from secure_clove.privacy.statement import plan_statement, statement

KEPT = Totals(embedding=0.25, update=6.333, metrics=0.0, total=6.354)
BROKEN = Totals(embedding=math.inf, update=6.333, metrics=0.0, total=math.inf)
MEASURED = Totals(embedding=0.25, update=1.0, metrics=0.75, total=1.1)


@pytest.mark.parametrize("totals", [KEPT, BROKEN, MEASURED])
@pytest.mark.parametrize(
    "clause",
    [
        "Unit: one example",
        "Neighbours:",
        "zero-out",
        "Adversary:",
        "Guarantee:",
        "Covered:",
        "Held-out examples:",
        "Not covered:",
        "takes part",
        "cluster it belongs to",
        "No client-level guarantee",
    ],
)
def test_a_statement_names_every_clause(totals: Totals, clause: str) -> None:
    assert clause in statement(totals, delta=1e-4, is_simulated=False)


def test_epsilon_and_delta_are_those_of_the_ledger() -> None:
    text = statement(KEPT, delta=1e-4, is_simulated=False)
    assert "epsilon = 6.354, delta = 0.0001" in text


def test_each_part_has_its_epsilon() -> None:
    text = statement(KEPT, delta=1e-4, is_simulated=False)
    assert "loss embeddings, epsilon = 0.25; model updates, epsilon = 6.333" in text


def test_replacing_an_example_costs_two_units() -> None:
    text = statement(MEASURED, delta=1e-5, is_simulated=False)
    assert "epsilon = 2.2, delta = 4e-05" in text


def test_nothing_is_claimed_for_replacement_when_its_delta_is_meaningless() -> None:
    totals = Totals(embedding=20, update=0, metrics=0, total=20)
    assert "nothing is claimed" in statement(totals, delta=1e-4, is_simulated=False)


def test_a_release_without_noise_leaves_no_guarantee() -> None:
    text = statement(BROKEN, delta=1e-4, is_simulated=False)
    assert "Guarantee: none" in text
    assert "loss embeddings, without noise" in text


def test_held_out_examples_are_not_claimed_unless_charged() -> None:
    assert "Held-out examples: not covered" in statement(KEPT, delta=1e-4, is_simulated=False)


def test_metrics_without_noise_do_not_cover_held_out_examples() -> None:
    totals = Totals(embedding=0, update=1, metrics=math.inf, total=math.inf)
    text = statement(totals, delta=1e-4, is_simulated=False)
    assert "not covered; their metrics were released without noise" in text


def test_noised_metrics_cover_held_out_examples() -> None:
    text = statement(MEASURED, delta=1e-5, is_simulated=False)
    assert "covered by noise on the metrics, epsilon = 0.75" in text


def test_a_simulation_says_first_that_it_protects_nobody() -> None:
    assert statement(KEPT, delta=1e-4, is_simulated=True).startswith("SIMULATION")


def test_a_real_run_does_not_speak_of_simulation() -> None:
    assert "SIMULATION" not in statement(KEPT, delta=1e-4, is_simulated=False)


PLAN = Schedule(rounds=4, embeddings=3, steps=5, rate=0.128, embedding=15, update=2.5, metrics=6)


def test_a_plan_is_said_before_what_it_promises() -> None:
    plan, promise = plan_statement(PLAN, delta=1e-4).split("\n", 1)
    assert plan == (
        "Plan: rounds, 4; loss embeddings in all, 3, noise multiplier 15; training steps of a "
        "round, 5, each on a random 0.128 of the examples, which the coordinator cannot see, noise "
        "multiplier 2.5; one count over held-out examples a round, noise multiplier 6."
    )
    spent = totals(PLAN.releases(), 1e-4)
    assert promise == statement(spent, delta=1e-4, is_simulated=False)


def test_a_plan_says_that_all_examples_are_used() -> None:
    assert "each on all examples" in plan_statement(Schedule(update=2.5), delta=1e-4)


def test_a_plan_says_where_noise_is_missing() -> None:
    text = plan_statement(Schedule(embeddings=1, embedding=0), delta=1e-4)
    assert "loss embeddings in all, 1, without noise" in text
    assert "Guarantee: none" in text


def test_shared_noise_names_whom_it_protects_against() -> None:
    text = statement(KEPT, delta=1e-5, is_simulated=False, is_distributed=True)
    assert "less than a third of the clients of each sum" in text
