"""What a page names exists: links, options, protocol steps, files."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT

PROTOCOL = ROOT / "docs" / "spec" / "protocol.md"


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_file_that_is_named_exists(page: Path) -> None:
    named = re.findall(r"`((?:secure_clove|threat_models|tests|docs)/[\w./-]+)`", page.read_text())
    missing = [n for n in named if "NAME" not in n and not (ROOT / n).exists()]
    assert missing == []


def test_every_step_that_the_code_quotes_is_in_the_specification() -> None:
    step = re.compile(r"\b[EARNS][0-9]\.?[0-9]?\b")
    specified = set(re.findall(r"\*\*([EARNS][0-9](?:\.[0-9])?)\*\*", PROTOCOL.read_text()))
    quoted = {
        found
        for source in sources()
        for comment in re.findall(r"# ([RS][0-9](?:\.[0-9])?(?:, .*)?)$", source, re.MULTILINE)
        for found in step.findall(comment)
    }
    assert quoted
    assert quoted <= specified


def test_every_decision_that_the_code_quotes_was_written_down() -> None:
    written = {path.name[:4] for path in (ROOT / "docs" / "adr").glob("*.md")}
    assert {number for s in sources() for number in re.findall(r"ADR (\d{4})", s)} <= written


def sources() -> list[str]:
    """Return the text of every module."""
    folders = ("secure_clove", "api", "threat_models")
    return [path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.py")]
