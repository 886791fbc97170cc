"""The tables and the figure of the trade-off, from runs whose figures are known."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from secure_clove.studies.play.cell import Cell
from secure_clove.studies.play.result import Result
from secure_clove.studies.tradeoff.figure import draw
from secure_clove.studies.tradeoff.measured import Estimate, estimate, front, gain, measured
from secure_clove.studies.tradeoff.page import tradeoff_page, tradeoff_table
from secure_clove.studies.tradeoff.plans import PLANS, chosen
from secure_clove.studies.tradeoff.point import Point

CLUSTERING = chosen(
    "clustering",
    dataset=["mnist"],
    kind=["concept-shift"],
    embedding=["directional"],
    visibility=["noised"],
)
TRAINING = chosen("training", epsilon=[1.0], noise=["distributed"], visibility=["noised"])


def run(point: Point, seed: int, first: float, last: float, accuracy: float) -> Result:
    cell = Cell(setting=point.setting, seed=seed, rounds=point.rounds, preset="authors")
    curve = (first, *[last] * (point.rounds - 1))
    return Result(cell=cell, curve=curve, accuracy=accuracy)


RISING = [
    run(point, seed, 0.2, index, 0.9)
    for point, index in zip(CLUSTERING, (0.5, 0.9, 0.8, 1.0), strict=True)
    for seed in range(2)
]


def test_an_estimate_is_the_mean_with_students_interval() -> None:
    found = estimate([1.0, 2.0, 3.0, None])
    assert found is not None
    assert found.mean == 2.0
    assert found.half == pytest.approx(4.302652729749464 / 3**0.5)
    assert estimate([5.0]) == Estimate(mean=5.0, half=0.0)
    assert estimate([None]) is None


def test_a_row_says_what_was_spent_and_what_was_found() -> None:
    heads, *rows = tradeoff_table(CLUSTERING, RISING)
    assert dict(zip(heads, rows[0], strict=True)) == {
        "data": "mnist concept-shift",
        "algorithm": "clove",
        "sees": "noised",
        "embedding": "directional",
        "clustering ε": "0.05 in 2",
        "ARI 1": "0.20",
        "ARI end": "0.50",
        "acc. %": "90.0",
        "runs": "2 x 3",
        "front": "*",
    }


def test_what_costs_more_and_finds_less_is_not_on_the_front() -> None:
    found = front(measured(CLUSTERING, RISING))
    assert [one.epsilon for one in found] == [0.05, 0.1, 1.0]


def test_private_training_is_held_against_federated_averaging_of_the_same_budget() -> None:
    clove, fedavg = TRAINING
    results = [run(clove, 0, 1.0, 1.0, 0.96), run(fedavg, 0, 0.0, 0.0, 0.9)]
    heads, ours, theirs = tradeoff_table(TRAINING, results)
    assert ours[heads.index("gain")] == "+6.0"
    assert theirs[heads.index("gain")] == theirs[heads.index("ARI end")] == ""


def test_training_without_noise_is_held_against_raw_losses() -> None:
    raw, noised = chosen("accuracy", dataset=["mnist"], kind=["label-skew-1"])
    results = [run(raw, 0, 1.0, 1.0, 0.98), run(noised, 0, 1.0, 1.0, 0.979)]
    heads, _, line = tradeoff_table([raw, noised], results)
    assert line[heads.index("gain")] == "-0.1"


def test_runs_of_other_seeds_are_not_compared() -> None:
    one, other = measured(
        TRAINING, [run(TRAINING[0], 0, 1, 1, 0.96), run(TRAINING[1], 1, 0, 0, 0.9)]
    )
    assert gain(one, other) is None


def test_runs_that_failed_or_were_shorter_are_left_out() -> None:
    failed = [replace(result, reason="no data") for result in RISING]
    short = [replace(result, cell=replace(result.cell, rounds=2)) for result in RISING]
    assert measured(CLUSTERING, [*failed, *short]) == []


def test_the_page_has_a_table_for_each_plan_and_says_what_was_not_run() -> None:
    page = tradeoff_page(RISING)
    assert page.count("--plan ") == len(PLANS)
    assert page.count("Not run yet.") == len(PLANS) - 1
    assert page.count("\n| mnist concept-shift") == len(CLUSTERING)


@pytest.mark.parametrize("plan", ["clustering", "r-dpcfl"])
def test_the_figure_is_an_image_that_tells_its_numbers(plan: str) -> None:
    points = CLUSTERING if plan == "clustering" else chosen(plan, dataset=["mnist"])
    runs = RISING if plan == "clustering" else [run(p, 0, 1, 1, 0.9) for p in points]
    root = ElementTree.fromstring(draw(plan, points, runs))  # noqa: S314  our own drawing
    told = " ".join(root.itertext())
    assert ("0.50 at 0.05" if plan == "clustering" else "clustering of R-DPCFL") in told


def test_the_figure_of_accuracies_tells_what_the_noise_took() -> None:
    points = chosen("accuracy", dataset=["mnist"], kind=["label-skew-1"])
    runs = [
        run(p, seed, 1, 1, 0.98 if p.epsilon is None else 0.97) for p in points for seed in (0, 1)
    ]
    assert "mnist: label-skew-1, ε 0.25 -1.00" in draw("accuracy", points, runs)


@pytest.mark.parametrize("plan", PLANS)
def test_a_figure_of_nothing_says_so(plan: str) -> None:
    assert "Nothing was run" in draw(plan, chosen(plan), [])
