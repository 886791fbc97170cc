"""Every python and console block that a reader meets does what it says."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, blocks
from tests.docs.terminal import Terminal

RUN = [page for page in PAGES if blocks(page, "python", "console") and "adr" not in page.parts]


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    folder = tmp_path / "checkout"
    folder.mkdir()
    monkeypatch.chdir(folder)
    reader = Terminal(folder)
    yield reader
    reader.close()


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", RUN, ids=name)
def test_every_block_of_a_page_runs_in_order(page: Path, terminal: Terminal) -> None:
    for block in blocks(page, "python", "console"):
        if not block.targets:
            terminal.run(block)
    terminal.finish()


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {t for page in PAGES for block in blocks(page, "console") for t in block.targets}
    inline = {t for page in PAGES for t in re.findall(r"`make ([a-z-]+)", page.read_text())}
    assert named | inline <= targets
