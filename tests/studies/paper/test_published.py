"""The figures beside ours are the paper's."""

import re

import pytest

from secure_clove.studies.paper.cells import ALGORITHMS
from secure_clove.studies.paper.published import ACCURACY, ARI, FIRST_ROUND, Figure
from secure_clove.studies.paper.tables import places
from tests.builders import REPOSITORY

PAPER = REPOSITORY.parent / "shared" / "papers" / "clove.txt"
ORDER = ("mnist", "cifar10", "fashion-mnist")
FIRST_COLUMN = {"concept-shift": 3, "feature-skew": 3}
"""Tables 1 and 2 print these beside the label skews."""


def printed(line: int) -> list[tuple[float, float]]:
    text = PAPER.read_text().split("\n")[line - 1].replace("\\pm", "±")
    return [(float(m), float(d)) for m, d in re.findall(r"([\d.]+) ± ([\d.]+)", text)]


def pair(figure: Figure) -> tuple[float, float]:
    return figure.mean, figure.deviation


needs_paper = pytest.mark.skipif(not PAPER.is_file(), reason="the paper's text is not here")


@needs_paper
@pytest.mark.parametrize("figures", [ACCURACY, ARI], ids=["table 1", "table 2"])
def test_a_figure_stands_in_its_line_and_column(
    figures: dict[tuple[str, str, str], Figure],
) -> None:
    for (dataset, kind, _), figure in figures.items():
        column = ORDER.index(dataset) + FIRST_COLUMN.get(kind, 0)
        assert pair(figure) == printed(figure.line)[column]


@needs_paper
def test_a_first_round_stands_in_its_line_and_column() -> None:
    for (dataset, _, _), figure in FIRST_ROUND.items():
        assert pair(figure) == printed(figure.line)[3 + ORDER.index(dataset)]


@needs_paper
def test_a_figure_stands_in_a_line_of_its_algorithm() -> None:
    words = {"fedavg": "fedavg", "local": "local-only", "ifca": "ifca", "clove": "clove"}
    lines = PAPER.read_text().split("\n")
    for figures in (ACCURACY, ARI, FIRST_ROUND):
        for (_, _, algorithm), figure in figures.items():
            assert words[algorithm] in lines[figure.line - 1].lower()


def test_every_cell_has_a_figure() -> None:
    assert set(places(1)) == set(ACCURACY)
    assert set(places(2)) == set(ARI)
    assert {algorithm for _, _, algorithm in ARI} == set(ALGORITHMS[2])
