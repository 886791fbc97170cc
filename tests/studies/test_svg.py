"""Figures as parts of a page: clean, local, described."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_clove.studies.svg import BLUE, Drawing


def draw(text: str = "site", *, name: str = "one") -> str:
    """Return a small figure that shows ``text``."""
    with Drawing(name, title="Title", about="About") as sheet:
        (axes,) = sheet.axes()
        (dot,) = axes.plot([1, 2], [3, 4], "o", color=BLUE)
        sheet.tip(dot, text)
        axes.set_title(sheet.outside(text))
        return sheet.render()


@given(text=st.text(min_size=1, max_size=12))
@settings(max_examples=10, deadline=None)
def test_any_outside_text_leaves_the_figure_well_formed(text: str) -> None:
    ElementTree.fromstring(draw(text))  # noqa: S314  our own renderer's output


@pytest.mark.parametrize("text", ["$x^2$", "<b>&", "病院", "@0@", r"\frac"])
def test_outside_text_is_shown_as_it_is(text: str) -> None:
    root = ElementTree.fromstring(draw(text))  # noqa: S314  our own renderer's output
    assert text in [element.text for element in root.iter("text")]


def test_a_tip_is_a_title_of_its_mark() -> None:
    root = ElementTree.fromstring(draw("site-1"))  # noqa: S314  our own renderer's output
    assert "site-1" in [element.text for element in root.iter("title")]


@pytest.mark.parametrize("outside", ["http:", "https:", "//", "src=", "@import", "<style"])
def test_a_figure_refers_to_nothing_outside(outside: str) -> None:
    assert outside not in draw()


def test_a_figure_names_itself_for_those_who_cannot_see_it() -> None:
    root = ElementTree.fromstring(draw())  # noqa: S314  our own renderer's output
    named = [element.text for element in root if element.tag in ("title", "desc")]
    assert root.get("role") == "img"
    assert named == ["Title", "About"]


def test_colours_are_left_to_the_page() -> None:
    assert f"var(--series-1, {BLUE})" in draw()


def test_the_background_is_left_to_the_page() -> None:
    assert "#ffffff" not in draw()


def test_the_same_drawing_is_the_same_text() -> None:
    assert draw() == draw()


def test_two_figures_on_a_page_share_no_id() -> None:
    ids = [set(re.findall(r' id="([^"]+)"', draw(name=name))) for name in ("one", "two")]
    assert ids[0]
    assert ids[1]
    assert not ids[0] & ids[1]


def test_every_reference_finds_its_target() -> None:
    text = draw()
    wanted = set(re.findall(r'(?:href="|url\()#([\w-]+)', text))
    assert wanted <= set(re.findall(r' id="([^"]+)"', text))
