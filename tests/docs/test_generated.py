"""What the docs say about the code and about the recorded run is what these say."""

import re

from tests.docs.conftest import Said
from tests.docs.pages import PAGES, ROOT, documented


def test_every_generated_block_is_up_to_date(said: Said) -> None:
    assert said.checked[1] == "docs/spoiled.md is stale\n", "run python docs/generate.py"


def test_a_stale_page_fails_the_check(said: Said) -> None:
    assert said.checked[0] == 1


def test_a_block_edited_by_hand_is_mended(said: Said) -> None:
    assert "by hand" not in (said.root / "docs" / "spoiled.md").read_text()


def test_what_was_written_is_up_to_date(said: Said) -> None:
    assert said.checked_again == [0, ""]


def test_a_recorded_run_is_kept_as_it_is(said: Said) -> None:
    kept = said.root / "docs" / "data" / "demo-summary.json"
    assert kept.read_bytes() == (said.root / "run" / "summary.json").read_bytes()


def test_a_recorded_run_is_shown_in_the_readme(said: Said) -> None:
    readme = (said.root / "README.md").read_text()
    assert "| mean accuracy on the clients' held-out examples | 0.875 |" in readme


def test_nothing_but_blocks_is_rewritten(said: Said) -> None:
    block = re.compile(r"(<!-- generated: [a-z-]+ -->\n).*?(<!-- /generated -->)", re.DOTALL)
    for page in (page for page in PAGES if page.name == "README.md" or "docs" in page.parts):
        after = (said.root / page.relative_to(ROOT)).read_text()
        assert block.sub("", after) == block.sub("", page.read_text())


def test_every_block_that_opens_closes() -> None:
    for page in PAGES:
        marks = re.findall(r"^<!-- (/?generated)", page.read_text(), re.MULTILINE)
        assert marks == ["generated", "/generated"] * (len(marks) // 2), page


def test_the_documented_options_of_a_command_are_those_of_its_help(said: Said) -> None:
    for command, options in documented():
        shown = set(re.findall(r"--[a-z-]+", said.helps[command])) - {"--help"}
        assert set(options) == shown, command
