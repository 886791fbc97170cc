"""The table of the sealed study, from runs whose figures are known."""

from dataclasses import replace

import pytest

from secure_clove.errors import ConfigError
from secure_clove.studies.play.cell import Cell
from secure_clove.studies.play.result import Result
from secure_clove.studies.sealed.page import HEADS, sealed_page, sealed_rows
from secure_clove.studies.sealed.pairs import CLEAR, CLIENTS, UNKNOWN, Pair, chosen, pairs


def result(pair: Pair, way: str, seed: int, curve: tuple[float, ...], accuracy: float) -> Result:
    setting = pair.ways[way]
    cell = Cell(setting=setting, seed=seed, rounds=len(curve), preset="authors")
    return Result(cell=cell, curve=curve, accuracy=accuracy, models=setting.clusters)


def both(pair: Pair) -> list[Result]:
    return [
        result(pair, CLEAR, 0, (0.5, 1.0, 1.0), 0.90),
        result(pair, CLEAR, 1, (0.7, 1.0, 1.0), 0.92),
        result(pair, "sealed", 0, (0.5, 1.0, 0.8), 0.89),
        result(pair, "sealed", 1, (0.5, 1.0, 1.0), 0.91),
    ]


def test_a_row_says_what_sealing_costs() -> None:
    (pair,) = chosen(["digits"], [])
    clear, sealed = sealed_rows(both(pair), [pair])
    assert dict(zip(HEADS, sealed, strict=True)) == {
        "setting": "digits label-skew-1, noise 4",
        "coordinator sees": "sums",
        "ARI round 1": "0.50 ± 0.00",
        "ARI from 2": "0.95 ± 0.10",
        "worst": "-0.10",
        "accuracy %": "90.0 ± 1.4",
        "change": "-1.0",
        "runs": "2 x 3 rounds",
    }
    assert clear[4] == clear[6] == ""


def test_runs_of_other_seeds_are_not_compared() -> None:
    (pair,) = chosen(["digits"], [])
    kept = [run for run in both(pair) if run.cell.seed == (pair.ways["sealed"] == run.cell.setting)]
    _, sealed = sealed_rows(kept, [pair])
    assert sealed[4] == sealed[6] == ""


def test_a_run_that_could_not_be_made_is_left_out() -> None:
    (pair,) = chosen(["digits"], [])
    assert sealed_rows([replace(run, reason="no data") for run in both(pair)], [pair]) == []


def test_the_models_in_use_are_shown_where_their_number_was_to_be_found() -> None:
    (pair,) = chosen([], [UNKNOWN])
    (row,) = sealed_rows([result(pair, "sealed, by residual", 0, (1.0, 1.0), 0.9)], [pair])
    assert row[1] == "sums, by residual, K 5"


def test_what_has_no_clear_form_is_compared_with_nothing() -> None:
    (pair,) = chosen([], [CLIENTS])
    (row,) = sealed_rows([result(pair, "sealed", 0, (1.0, 0.9), 0.9)], [pair])
    assert (row[3], row[4], row[6]) == ("0.90", "", "")


def test_the_page_says_when_nothing_was_run() -> None:
    assert sealed_page([]) == "Not run yet."


def test_every_way_of_every_pair_has_a_name_of_its_own() -> None:
    names = [setting.name for pair in pairs() for setting in pair.ways.values()]
    assert len(names) == len(set(names))


def test_a_pair_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ConfigError, match="it has digits label-skew-1, mnist label-skew-1"):
        chosen(["cifar10"], [])
