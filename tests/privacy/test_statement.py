"""The statement always says everything it must, and never promises more than was kept."""

import math

import pytest

from secure_clove.privacy.accounting import Totals
from secure_clove.privacy.statement import statement

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
