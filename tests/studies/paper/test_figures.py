"""Figures of the paper from our runs: what stands in them, and what is refused."""

import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_clove.errors import ConfigError
from secure_clove.studies.paper.catalogue import SHEETS
from secure_clove.studies.paper.curves import apart
from secure_clove.studies.paper.figures import draw, figure_heads, figure_rows
from secure_clove.studies.paper.sheet import Sheet, cells, narrowed
from secure_clove.studies.play.result import Result

FIGURES = tuple(sheet for name, sheet in SHEETS.items() if name.startswith("figure"))
STARTS, REGRESSIONS, HEATS, SCALES = (SHEETS[f"figure {number}"] for number in (2, 3, 5, 7))
OWN, OTHER = 0.014, 0.05
IDENTITY = tuple(tuple(OWN if i == j else OTHER for j in range(10)) for i in range(10))
SHARED = tuple((OTHER,) * 10 for _ in range(10))
ONE = narrowed(HEATS, algorithms=("ifca",))


def parse(svg: str) -> ElementTree.Element:
    """Return a drawn document as a tree."""
    return ElementTree.fromstring(svg)  # noqa: S314  our own renderer's output


def texts(svg: str) -> list[str]:
    """Return what is written in a document, in order."""
    return [element.text or "" for element in parse(svg).iter() if element.tag.endswith("}text")]


def told(svg: str) -> str:
    """Return the description for those who cannot see a document."""
    return next(element.text or "" for element in parse(svg) if element.tag.endswith("}desc"))


def climbing(rounds: int, *, end: float = 1.0, found: int = 2) -> tuple[float, ...]:
    """Return an index that is 0.5 before round ``found`` and ``end`` from there on."""
    return tuple(0.5 if number < found else end for number in range(1, rounds + 1))


def results(sheet: Sheet, *, rounds: int = 30, seeds: int = 1) -> list[Result]:
    """Return runs of every row of a sheet, all of which find the clusters in round 2."""
    return [
        Result(cell=cell, models=10, curve=climbing(rounds), heat=IDENTITY)
        for cell in cells(sheet, rounds=rounds, seeds=range(seeds), preset="authors")
    ]


def first(sheet: Sheet) -> Sheet:
    """Return a figure of its first row."""
    return replace(sheet, rows=sheet.rows[:1])


# ---- documents


@pytest.mark.parametrize("sheet", FIGURES, ids=lambda sheet: sheet.name)
def test_a_figure_stands_alone_and_names_itself(sheet: Sheet) -> None:
    svg = draw(sheet, results(sheet))
    root = parse(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("role") == "img"
    assert root[0].text == f"{sheet.name.capitalize()}. {sheet.title}"
    assert root[2].get("fill") == "#fcfcfb"
    assert set(re.findall(r"https?://[^\"]*", svg)) == {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("sheet", FIGURES, ids=lambda sheet: sheet.name)
def test_a_row_that_was_not_run_says_so_in_place(sheet: Sheet) -> None:
    said = texts(draw(sheet, []))
    assert sum("not run yet" in text for text in said) == len(sheet.rows)


@pytest.mark.parametrize("sheet", [REGRESSIONS, ONE], ids=lambda sheet: sheet.name)
def test_the_same_results_are_the_same_text(sheet: Sheet) -> None:
    assert draw(sheet, results(sheet)) == draw(sheet, results(sheet))


def test_a_table_is_no_figure() -> None:
    for refuse in (
        lambda: draw(SHEETS["table 1"], []),
        lambda: figure_rows(SHEETS["table 1"], []),
        lambda: figure_heads(SHEETS["table 1"]),
    ):
        with pytest.raises(ConfigError, match="table 1 is not a figure"):
            refuse()


def test_a_reason_stands_where_the_row_would() -> None:
    sheet = first(REGRESSIONS)
    (run,) = results(sheet)
    missed = replace(run, reason="too few <examples> & $more$")
    assert any("not run: too few <examples>" in text for text in texts(draw(sheet, [missed])))
    assert figure_rows(sheet, [missed])[0][3] == "not run: too few <examples> & $more$"


# ---- curves


def test_algorithms_share_a_panel_for_each_start() -> None:
    said = texts(draw(STARTS, results(STARTS)))
    assert said.count("CLoVE") == said.count("IFCA") == said.count("round") == 4


def test_one_algorithm_is_one_panel_with_a_name_at_each_line() -> None:
    said = texts(draw(SCALES, results(SCALES)))
    assert said.count("round") == 1
    assert [text for text in said if "clients:" in text and "1.00" in text] == [
        f"{clients} clients: 1.00" for clients in (50, 100, 150, 200)
    ]


def test_the_description_tells_every_row() -> None:
    said = told(draw(REGRESSIONS, results(REGRESSIONS)))
    for row in REGRESSIONS.rows:
        assert f"{row.name}: 1.00, first 0.9 in round 2" in said


def test_rounds_in_which_nothing_changes_are_left_out_and_the_foot_says_so() -> None:
    quick = texts(draw(REGRESSIONS, results(REGRESSIONS, rounds=100)))
    late = [replace(r, curve=climbing(100, found=80)) for r in results(REGRESSIONS, rounds=100)]
    assert any("nothing changes after round 10" in text for text in quick)
    assert not any("nothing changes" in text for text in texts(draw(REGRESSIONS, late)))


def test_an_index_that_falls_again_is_said_to() -> None:
    sheet = first(REGRESSIONS)
    (run,) = results(sheet, rounds=3)
    said = texts(draw(sheet, [replace(run, curve=(1.0, 0.2, 1.0))]))
    assert "first 0.9 in round 1, falls again" in said


def test_rounds_and_runs_without_an_index_are_drawn() -> None:
    sheet = first(REGRESSIONS)
    (run,) = results(sheet, rounds=3)
    holes, nothing = (replace(run, curve=curve) for curve in ((None, 0.2, 1.0), (None,) * 3))
    assert "first 0.9 in round 3" in texts(draw(sheet, [holes]))
    assert any("without an index" in text for text in texts(draw(sheet, [nothing])))
    assert figure_rows(sheet, [nothing])[0][3:5] == ("-", "never")


def test_one_round_is_drawn() -> None:
    assert "round" in texts(draw(REGRESSIONS, results(REGRESSIONS, rounds=1)))


def test_a_band_is_named_where_there_are_seeds() -> None:
    one, two = (draw(REGRESSIONS, results(REGRESSIONS, seeds=seeds)) for seeds in (1, 2))
    assert not any("band" in text for text in texts(one))
    assert any("band: ± one deviation over seeds" in text for text in texts(two))


@given(wanted=st.lists(st.floats(0, 1), min_size=1, max_size=8), gap=st.floats(0.01, 0.3))
@settings(max_examples=50, deadline=None)
def test_labels_stay_apart_in_order_and_beside_the_panel(wanted: list[float], gap: float) -> None:
    places = apart(wanted, gap)
    room = min(gap, 1 / max(1, len(wanted) - 1))
    order = sorted(range(len(wanted)), key=lambda place: (-wanted[place], place))
    for above, below in pairwise(order):
        assert places[above] - places[below] >= room - 1e-9
    assert -1e-9 <= min(places) <= max(places) <= 1 + 1e-9


def test_labels_with_room_stand_where_they_want_to() -> None:
    assert apart([0.2, 0.9, 0.5], 0.1) == [0.2, 0.9, 0.5]


# ---- heat maps


def mapped(heat: tuple[tuple[float, ...], ...] | None, *, models: int = 10) -> list[Result]:
    """Return the run of a figure of one map."""
    return [replace(run, heat=heat, models=models) for run in results(ONE)]


def test_a_map_tells_where_the_diagonal_is_smallest() -> None:
    turned = mapped(IDENTITY[1:] + IDENTITY[:1], models=3)
    said = texts(draw(ONE, mapped(IDENTITY)))
    assert "diagonal smallest in 10 of 10 rows, 10 models in use" in said
    assert "diagonal smallest in 0 of 10 rows, 3 models in use" in texts(draw(ONE, turned))


def test_losses_are_printed_in_a_unit_that_the_foot_names() -> None:
    said = texts(draw(ONE, mapped(IDENTITY)))
    assert (said.count("14.0"), said.count("50.0")) == (10, 90)
    assert any("loss x 1000" in text for text in said)


def test_very_large_losses_are_coloured_and_hidden() -> None:
    far = tuple((*row[:9], 0.9 if place < 9 else row[9]) for place, row in enumerate(IDENTITY))
    svg = draw(ONE, mapped(far))
    assert svg.count("#f2b8ae") == 9
    assert "900" not in texts(svg)


def test_a_loss_that_is_no_number_counts_as_very_large() -> None:
    found = mapped(((float("nan"),) * 10, *IDENTITY[1:]))
    assert draw(ONE, found).count("#f2b8ae") == 10
    assert figure_rows(ONE, found)[0][3] == "9 of 10"


def test_a_map_of_nothing_but_very_large_losses_is_drawn() -> None:
    assert draw(ONE, mapped(((float("inf"),) * 2,) * 2)).count("#f2b8ae") == 4


def test_a_loss_of_zero_is_drawn() -> None:
    assert texts(draw(ONE, mapped(((0.0, 0.1), (0.1, 0.05))))).count("0.0") == 1


def test_a_model_that_all_share_is_nobodys_own() -> None:
    found = mapped(SHARED, models=1)
    assert "every column is the same, 1 model in use" in texts(draw(ONE, found))
    assert figure_rows(ONE, found)[0][3] == "0 of 10"


def test_a_run_without_a_map_says_so() -> None:
    assert "no map was kept" in texts(draw(ONE, mapped(None)))
    assert figure_rows(ONE, mapped(None))[0][3] == "-"


@pytest.mark.parametrize("heat", [((0.1, 0.2),), ((0.1, 0.2), (0.1,)), ()])
def test_a_map_that_is_not_square_is_refused(heat: tuple[tuple[float, ...], ...]) -> None:
    for refuse in (draw, figure_rows):
        with pytest.raises(ConfigError, match="not square"):
            refuse(ONE, mapped(heat))


# ---- lines of text


@pytest.mark.parametrize("sheet", FIGURES, ids=lambda sheet: sheet.name)
def test_every_row_is_a_line_of_full_width(sheet: Sheet) -> None:
    for found in ([], results(sheet)):
        lines = figure_rows(sheet, found)
        assert [line[1] for line in lines] == [row.name for row in sheet.rows]
        assert {len(line) for line in lines} == {len(figure_heads(sheet))}


def test_a_line_is_mean_and_deviation_over_seeds() -> None:
    sheet = first(REGRESSIONS)
    one, two = results(sheet, seeds=2)
    two = replace(two, curve=climbing(30, end=0.8), models=9)
    (line,) = figure_rows(sheet, [two, one])
    assert line == (
        "regression",
        "least distance 1.0",
        "clove",
        "0.90 ± 0.10",
        "2 (1 of 2 seeds)",
        "9.5",
        "30 rounds, 2 seeds, 25 x 1000 examples, authors",
    )


def test_the_maps_of_seeds_stand_one_after_the_other() -> None:
    one, two = results(ONE, seeds=2)
    assert figure_rows(ONE, [replace(two, heat=SHARED), one])[0][3] == "10, 0 of 10"


def test_the_longest_run_is_shown() -> None:
    sheet = first(REGRESSIONS)
    found = [*results(sheet, rounds=20), *results(sheet, rounds=30), *results(sheet, rounds=5)]
    (line,) = figure_rows(sheet, found)
    assert line[-1].startswith("30 rounds")
    assert any(text.startswith("30 rounds") for text in texts(draw(sheet, found)))


def test_runs_on_fewer_examples_stand_in_only_where_there_are_no_others() -> None:
    sheet = first(SCALES)
    fewer = results(narrowed(sheet, examples=20))
    assert "50 x 20 examples" in figure_rows(sheet, fewer)[0][-1]
    assert "50 x 100 examples" in figure_rows(sheet, [*fewer, *results(sheet)])[0][-1]


def test_seeds_that_were_not_run_do_not_count() -> None:
    sheet = first(REGRESSIONS)
    one, two = results(sheet, seeds=2)
    (line,) = figure_rows(sheet, [replace(one, reason="missing", curve=()), two])
    assert "1 seed," in line[-1]
