"""Rows beside the paper's, and the command that prints them."""

from dataclasses import replace
from pathlib import Path

from typer.testing import CliRunner

from secure_clove.cli.app import app
from secure_clove.cli.console import REFUSED
from secure_clove.foundation.seeds import SimulatedEntropy
from secure_clove.studies.paper.study import Result, run_cell
from secure_clove.studies.paper.tables import HEADS, places, reasons, rows
from tests.studies.paper.builders import CLUSTERS, cell, federation

RUN = Result(cell=cell(), accuracy=0.99, training_accuracy=1.0, ari=1.0, first_round=2)


def test_a_row_shows_mean_deviation_and_difference() -> None:
    other = replace(RUN, cell=cell(seed=1), accuracy=0.97)
    (row,) = rows(1, [RUN, other])
    assert row[2:] == (
        "98.0 ± 1.0",
        "99.8 ± 0.0",
        "-1.8",
        "100.0 ± 0.0",
        "3 rounds, 2 seeds, authors",
    )


def test_one_seed_has_no_deviation() -> None:
    (row,) = rows(2, [RUN])
    assert row[2:] == (
        "1.00",
        "1.00 ± 0.00",
        "+0.00",
        "2.0",
        "2.0 ± 0.0",
        "3 rounds, 1 seed, authors",
    )


def test_a_cluster_never_found_is_said() -> None:
    assert rows(2, [replace(RUN, ari=0.4, first_round=None)])[0][5] == "never"
    late = replace(RUN, cell=cell(seed=1), ari=0.4, first_round=None)
    assert rows(2, [RUN, late])[0][5] == "2.0 (1 of 2 seeds)"


def test_other_rounds_are_another_row() -> None:
    assert len(rows(1, [RUN, replace(RUN, cell=cell(rounds=5))])) == 2


def test_a_cell_that_was_not_run_says_why() -> None:
    missed = Result(cell=cell(), reason="too few images")
    assert rows(1, [missed])[0][2:4] == ("not run", "99.8 ± 0.0")
    assert reasons([missed, RUN]) == ["mnist label-skew-1 clove was not run: too few images"]


def test_every_cell_has_a_row_of_full_width() -> None:
    for number in (1, 2):
        found = rows(number, [RUN], with_missing=True)
        assert [row[:2] for row in found] == [(f"{d} {k}", a) for d, k, a in places(number)]
        assert {len(row) for row in found} == {len(HEADS[number])}
        assert sum(row[2] == "not run yet" for row in found) == len(found) - 1


def command(folder: Path, *words: str) -> tuple[int, str]:
    named = ["study", "paper", "--data-dir", str(folder), "--folder", str(folder), *words]
    result = CliRunner().invoke(app, named, env={"COLUMNS": "240"})
    return result.exit_code, result.output


def test_the_command_prints_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    entropy = SimulatedEntropy(0)
    run_cell(
        cell(), federation(), tmp_path, clusters=CLUSTERS, entropy=entropy, watch=lambda *_: None
    )
    named = ("--dataset", "mnist", "--kind", "label-skew-1", "--rounds", "3", "--seeds", "1")
    code, said = command(tmp_path, "--table", "2", *named)
    assert code == 0
    assert "1.00" in said
    assert "mnist label-skew-1 ifca was not run: mnist is not complete" in " ".join(said.split())


def test_a_name_that_no_table_has_is_refused(tmp_path: Path) -> None:
    code, said = command(tmp_path, "--dataset", "nothing")
    assert code == REFUSED
    assert "config" in said
