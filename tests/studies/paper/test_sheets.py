"""Sheets: every table and figure of the issue is there, can be narrowed, and names no run twice."""

import pytest

from secure_clove.data.paper import PAPER_SIZES
from secure_clove.errors import ConfigError
from secure_clove.studies.paper.catalogue import SHEETS, sheet_called
from secure_clove.studies.paper.published import PUBLISHED
from secure_clove.studies.paper.sheet import cells, narrowed
from secure_clove.studies.paper.tables import MEASURES
from secure_clove.studies.play.cell import Setting, make_algorithm
from tests.studies.paper.builders import cell, row, sheet


def test_every_table_and_figure_that_is_ours_to_run_is_there() -> None:
    tables = {1, 2, 3, 4, 5, *range(8, 18)}
    assert {sheet.table for sheet in SHEETS.values()} - {0} == tables
    figures = {name for name in SHEETS if name.startswith("figure")}
    assert figures == {f"figure {number}" for number in range(2, 8)}


def test_every_published_figure_has_a_row_to_stand_beside() -> None:
    rows = {
        (sheet.table, row.setting.dataset, row.name, row.setting.algorithm, measure)
        for sheet in SHEETS.values()
        for row in sheet.rows
        for measure in sheet.measures
    }
    printed = {(p.table, p.dataset, p.row, p.algorithm, p.measure) for p in PUBLISHED}
    assert printed - rows == set()


def test_settings_of_one_name_are_the_same_setting() -> None:
    known: dict[str, Setting] = {}
    for found in SHEETS.values():
        for line in found.rows:
            assert known.setdefault(line.setting.name, line.setting) == line.setting


@pytest.mark.parametrize("name", SHEETS)
def test_every_row_has_an_algorithm_that_can_be_built(name: str) -> None:
    for line in sheet(name).rows:
        assert make_algorithm(cell(line), parameters=3).initial_models >= 1


def test_tables_have_columns_that_can_be_printed() -> None:
    for found in SHEETS.values():
        assert set(found.measures) <= {*MEASURES, "curve", "heat"}


def test_counts_are_those_of_table_6() -> None:
    for line in (*sheet("table 1").rows, *sheet("table 8").rows, *sheet("table 3").rows):
        setting = line.setting
        assert any(
            (s.dataset, s.kind, s.clients, s.clusters, s.examples)
            == (
                setting.dataset,
                setting.kind,
                setting.clients,
                setting.clusters,
                setting.examples,
            )
            for s in PAPER_SIZES
        )


def test_supervised_clove_draws_its_first_assignment_and_never_stops_clustering() -> None:
    options = row().setting.options
    assert (options["first_assignment"], options["centred"], options["probes"]) == (
        "random",
        False,
        0,
    )
    assert options["clustering_rounds"] == options["stable_rounds"] == 1_000_000


def test_unsupervised_clove_clusters_at_once() -> None:
    setting = row("table 4", kind="single-class").setting
    assert "first_assignment" not in setting.options
    assert setting.target == "input"


def test_a_sheet_narrows_to_what_is_named() -> None:
    found = narrowed(
        sheet(), datasets=["mnist"], rows=["label-skew-1"], algorithms=["clove", "ifca"]
    )
    assert [r.setting.algorithm for r in found.rows] == ["ifca", "clove"]
    runs = cells(found, rounds=2, seeds=range(2), preset="paper")
    assert [(c.seed, c.setting.algorithm) for c in runs] == [
        (0, "ifca"),
        (0, "clove"),
        (1, "ifca"),
        (1, "clove"),
    ]


def test_another_count_of_examples_is_another_run() -> None:
    found = narrowed(sheet(), datasets=["cifar10"], examples=200)
    setting = found.rows[0].setting
    assert (setting.examples, setting.test_examples) == (200, 50)
    assert setting.name.endswith("-examples-200")


@pytest.mark.parametrize(
    "named", [{"datasets": ["femnist"]}, {"rows": ["writers"]}, {"algorithms": ["k-fed"]}]
)
def test_what_a_sheet_does_not_have_is_refused_with_what_it_has(
    named: dict[str, list[str]],
) -> None:
    with pytest.raises(ConfigError, match="it has"):
        narrowed(
            sheet(),
            datasets=named.get("datasets", ()),
            rows=named.get("rows", ()),
            algorithms=named.get("algorithms", ()),
        )


def test_names_that_never_meet_are_refused() -> None:
    with pytest.raises(ConfigError, match="no such row"):
        narrowed(sheet("table 3"), datasets=["ag-news"], rows=["groups"])


@pytest.mark.parametrize(("table", "figure"), [(None, None), ("1", 2)])
def test_one_table_or_one_figure_must_be_named(table: str | None, figure: int | None) -> None:
    with pytest.raises(ConfigError, match="one table or one figure"):
        sheet_called(table=table, figure=figure)


def test_a_sheet_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"no table 6; there are table 1"):
        sheet_called(table="6", figure=None)


def test_our_own_sheets_are_called_by_their_names() -> None:
    assert sheet_called(table="unknown-k", figure=None).table == 0
    assert sheet_called(table=None, figure=5).measures == ("heat",)
