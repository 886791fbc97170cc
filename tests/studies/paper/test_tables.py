"""Lines beside the paper's."""

from dataclasses import replace

import pytest

from secure_clove.studies.paper.catalogue import SHEETS
from secure_clove.studies.paper.sheet import narrowed
from secure_clove.studies.paper.tables import heads, reasons, rows
from secure_clove.studies.play.cell import Cell
from secure_clove.studies.play.result import Result
from tests.studies.paper.builders import result, row, sheet

RUN = result()
ONE = narrowed(sheet(), datasets=["mnist"], rows=["label-skew-1"], algorithms=["clove"])
FAST = narrowed(sheet("table 5"), datasets=["mnist"], rows=["label-skew-1"], algorithms=["clove"])
WAY = "100 rounds, 1 seed, 25 x 500 examples, authors"


def test_a_line_shows_mean_deviation_and_difference() -> None:
    other = replace(result(seed=1), accuracy=0.97)
    (line,) = rows(ONE, [RUN, other])
    assert line == (
        "mnist",
        "label-skew-1",
        "clove",
        "98.0 ± 1.0",
        "99.8 ± 0.0",
        "-1.8",
        "100.0 ± 0.0",
        "100 rounds, 2 seeds, 25 x 500 examples, authors",
    )


def test_one_seed_has_no_deviation() -> None:
    (line,) = rows(FAST, [RUN])
    assert line[3:] == ("1.00", "1.00 ± 0.00", "+0.00", "2.0", "2.0 ± 0.0", "+0.0", WAY)


def test_what_never_happened_is_said() -> None:
    (line,) = rows(FAST, [replace(RUN, first_round=None)])
    assert line[6] == "never"
    late = replace(result(seed=1), first_round=None)
    assert rows(FAST, [RUN, late])[0][6] == "2.0 (1 of 2 seeds)"


def test_a_dash_of_the_paper_is_never_and_has_no_difference() -> None:
    ifca = row("table 5", algorithm="ifca")
    (line,) = rows(replace(FAST, rows=(ifca,)), [result(ifca)])
    assert line[6:9] == ("2.0", "never", "")


def test_fewer_than_ten_rounds_have_no_index_of_round_10() -> None:
    (line,) = rows(FAST, [replace(RUN, ari_10=None)])
    assert line[3] == "-"


def test_other_rounds_are_another_line() -> None:
    assert len(rows(ONE, [RUN, result(rounds=5)])) == 2


def test_another_count_of_examples_is_a_line_of_the_same_row() -> None:
    fewer = narrowed(ONE, examples=200).rows[0]
    lines = rows(ONE, [RUN, result(fewer)])
    assert [line[1] for line in lines] == ["label-skew-1"] * 2
    assert "25 x 200 examples" in lines[1][-1]


def test_results_of_other_rows_are_left_out() -> None:
    other = row("table 17", dataset="cifar10", kind="no-matching")
    assert rows(ONE, [result(other)]) == []


def test_a_cell_that_was_not_run_says_why() -> None:
    missed = Result(cell=RUN.cell, reason="too few images")
    assert rows(ONE, [missed])[0][3:5] == ("not run", "99.8 ± 0.0")
    assert reasons([missed, RUN]) == ["mnist-label-skew-1-clove was not run: too few images"]


def test_a_row_that_nobody_ran_says_so() -> None:
    (line,) = rows(ONE, [], with_missing=True)
    assert line[3:5] == ("not run yet", "99.8 ± 0.0")
    assert rows(ONE, []) == []


@pytest.mark.parametrize("name", [n for n in SHEETS if not n.startswith("figure")])
def test_every_line_has_the_width_of_its_heads(name: str) -> None:
    found = sheet(name)
    ran = [
        replace(RUN, cell=Cell(setting=r.setting, seed=0, rounds=9, preset="paper"))
        for r in found.rows[:2]
    ]
    lines = rows(found, ran, with_missing=True)
    assert len(lines) == len(found.rows)
    assert {len(line) for line in lines} == {len(heads(found))}
