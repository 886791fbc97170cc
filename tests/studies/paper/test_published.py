"""The figures beside ours are the paper's, each where it says, and none is forgotten."""

import re
from itertools import groupby
from math import inf

import pytest

from secure_clove.studies.paper.published import PUBLISHED, Figure, Place
from tests.builders import REPOSITORY

PAPER = REPOSITORY.parent / "shared" / "papers" / "clove.txt"
LINES = PAPER.read_text().split("\n") if PAPER.is_file() else []

IMAGES = ("mnist", "cifar10", "fashion-mnist")
TEXTS = ("amazon-reviews", "ag-news")
ROUNDS = ("ari_10", "first_round")
MIXINGS = ("label-skew-1", "label-skew-2", "label-skew-3", "label-skew-4")
SHIFTS = ("concept-shift", "feature-skew")

COLUMNS: dict[int, list[tuple[str, str]]] = {
    **{table: [(d, "accuracy") for d in IMAGES] for table in (1, 8)},
    **{table: [(d, "ari") for d in IMAGES] for table in (2, 9)},
    **{table: [(d, m) for m in ROUNDS for d in IMAGES] for table in (5, 10)},
    3: [(d, "accuracy") for d in TEXTS],
    4: [(d, "loss") for d in IMAGES],
    11: [(d, "ari") for d in TEXTS],
    12: [(d, m) for m in ROUNDS for d in TEXTS],
    13: [("cifar10", "accuracy"), ("cifar10", "stable_round")],
    14: [("mnist", m) for m in ("accuracy", "ari", *ROUNDS)],
    15: [(d, m) for m in ("ari", "accuracy") for d in IMAGES],
    16: [("mnist", "loss"), ("mnist", "ari")],
    17: [("cifar10", "accuracy")],
}
"""The head of each printed table; Tables 1 and 2 print it twice, side by side."""

NAMES = {"fedavg": "FedAvg", "local": "Local-only", "ifca": "IFCA", "clove": "CLoVE"}
"""The algorithms here, in the paper's words."""

LABELS = {
    "original": "Original",
    "no-matching": "No matching",
    "agglomerative": "Agglomerative",
    "square-root": "Square root",
    **{mixing: mixing.replace("-", " ").capitalize() for mixing in (*MIXINGS, *SHIFTS)},
}
"""The rows that the paper names in other letters than ours."""

needs_paper = pytest.mark.skipif(not LINES, reason=f"the paper's text is not at {PAPER}")
each_table = pytest.mark.parametrize("table", sorted(COLUMNS))


def printed(line: int) -> list[tuple[float, float] | None]:
    """Return a printed line's figures from left to right; None: a dash."""
    text = LINES[line - 1].replace("\\pm", "±")
    found = re.findall(r"([\d.]+) ± ([\d.]+)|(—)", text)
    return [None if dash else (float(mean), float(spread)) for mean, spread, dash in found]


def body(table: int) -> list[int]:
    """Return a table's lines with figures: they end at the second empty line after its caption."""
    caption = next(n for n, text in enumerate(LINES, 1) if text.startswith(f"Table {table}:"))
    end = next((n for n in range(caption + 2, len(LINES)) if not LINES[n - 1].strip()), len(LINES))
    return [n for n in range(caption + 2, end + 1) if printed(n)]


def names(line: int) -> set[str]:
    """Return which of the algorithms a line names; Per-FedAvg is not FedAvg."""
    return {
        name
        for name, word in NAMES.items()
        if re.search(rf"(?<![\w-]){word}(?![\w-])", LINES[line - 1], re.IGNORECASE)
    }


def algorithm(table: int, line: int) -> str | None:
    """Return which of the algorithms a row is of; None: one that is not here."""
    if table in (13, 14, 17):
        return "clove"  # the only one of these tables: their captions or their section say so
    if table in (15, 16):  # named in the first of its rows only
        line = max(n for n in body(table) if n <= line and names(n))
    return next(iter(names(line)), None)


def block(table: int, line: int) -> str:
    """Return the text that names a row: CLoVE ends each data mixing of Tables 1, 2, 5, 8-10."""
    if table not in (1, 2, 5, 8, 9, 10):
        return LINES[line - 1]
    ends = [n for n in body(table) if "clove" in names(n)]
    after, last = max((n for n in ends if n < line), default=0), min(n for n in ends if n >= line)
    return "\n".join(LINES[n - 1] for n in body(table) if after < n <= last)


def column(place: Place) -> int:
    is_right = place.table in (1, 2) and place.row in SHIFTS
    return COLUMNS[place.table].index((place.dataset, place.measure)) + 3 * is_right


def of(table: int) -> list[tuple[Place, Figure]]:
    return [(place, figure) for place, figure in PUBLISHED.items() if place.table == table]


def test_the_tables_are_those_that_the_study_reproduces() -> None:
    assert {place.table for place in PUBLISHED} == {0, *COLUMNS}


@needs_paper
def test_a_figure_of_the_text_stands_in_its_sentence() -> None:
    ((place, figure),) = of(0)
    assert (place.dataset, place.row) == ("femnist", "writers")
    assert "FEMNIST" in LINES[figure.line - 1]
    assert printed(figure.line) == [(figure.mean, figure.deviation)]


@needs_paper
@each_table
def test_a_figure_stands_in_its_line_and_column(table: int) -> None:
    for place, figure in of(table):
        expected = printed(figure.line)[column(place)]
        found = None if figure.is_never else (figure.mean, figure.deviation)
        assert (place, found) == (place, expected)


@needs_paper
@each_table
def test_a_line_is_of_its_table_and_algorithm(table: int) -> None:
    for place, figure in of(table):
        assert figure.line in body(table), place
        assert place.algorithm == algorithm(table, figure.line), place


@needs_paper
@each_table
def test_a_line_is_of_its_row(table: int) -> None:
    for place, figure in of(table):
        text = block(table, figure.line)
        if place.row in LABELS:
            assert LABELS[place.row] in text, place
        elif table in (14, 15, 16):
            before_first_figure = text.split("±")[0].split()[-2]
            assert place.row.split("-")[1] == before_first_figure, place


@needs_paper
@each_table
def test_no_figure_of_our_algorithms_is_forgotten(table: int) -> None:
    ours = [(figure.line, column(place)) for place, figure in of(table)]
    theirs = [(n, c) for n in body(table) if algorithm(table, n) for c in range(len(printed(n)))]
    assert sorted(ours) == theirs


def test_in_tables_of_texts_a_row_is_the_partition_of_its_data_set() -> None:
    rows = {(place.dataset, place.row) for table in (3, 11, 12) for place, _ in of(table)}
    assert rows == {("amazon-reviews", "groups"), ("ag-news", "label-pairs")}


def test_only_a_first_round_can_be_never() -> None:
    measures = {place.measure for place, figure in PUBLISHED.items() if figure.is_never}
    assert measures == {"first_round"}


def test_accuracies_are_percents_and_indices_are_not() -> None:
    limits = {"accuracy": 100.0, "ari": 1.0, "ari_10": 1.0, "loss": 1.0}
    by_measure = sorted(PUBLISHED, key=lambda place: place.measure)
    for measure, places in groupby(by_measure, key=lambda place: place.measure):
        assert 0 < max(PUBLISHED[place].mean for place in places) <= limits.get(measure, inf)
