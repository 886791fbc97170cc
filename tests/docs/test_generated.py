"""What the docs say about the code and about the recorded run is what these say."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from secure_clove.observe.runs import Summary, write_summary
from tests.docs.pages import PAGES, ROOT

SPOILED = "# Spoiled\n\n<!-- generated: surface -->\n\nby hand\n\n<!-- /generated -->\n"

CALLS = """
import sys
sys.path.insert(0, "docs")
import generate

for arguments in (["--check"], ["--run", "run"], ["--check"]):
    sys.argv = ["generate.py", *arguments]
    print("exit", generate.main())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What the generator said and did in a copy of the repository with one spoiled page."""

    root: Path
    checked: str
    written: str
    checked_again: str


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    root = tmp_path_factory.mktemp("copy")
    for name in ("secure_clove", "api", "threat_models"):
        (root / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "docs", root / "docs")
    shutil.copy(ROOT / "README.md", root / "README.md")
    (root / "docs" / "spoiled.md").write_text(SPOILED)
    (root / "run").mkdir()
    write_summary(root / "run" / "summary.json", summary())
    done = subprocess.run(
        [sys.executable, "-c", CALLS], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    checked, written, again, _ = re.split(r"(?<=exit \d)\n", done.stdout)
    return Generated(root=root, checked=checked, written=written, checked_again=again)


def test_every_generated_block_is_up_to_date(generated: Generated) -> None:
    stale = [line for line in generated.checked.splitlines() if line.endswith("is stale")]
    assert stale == ["docs/spoiled.md is stale"], "run python docs/generate.py"


def test_a_stale_page_fails_the_check(generated: Generated) -> None:
    assert generated.checked.endswith("exit 1")


def test_a_block_edited_by_hand_is_mended(generated: Generated) -> None:
    assert "by hand" not in (generated.root / "docs" / "spoiled.md").read_text()


def test_what_was_written_is_up_to_date(generated: Generated) -> None:
    assert generated.checked_again == "exit 0"


def test_a_recorded_run_is_kept_as_it_is(generated: Generated) -> None:
    kept = generated.root / "docs" / "data" / "demo-summary.json"
    assert kept.read_bytes() == (generated.root / "run" / "summary.json").read_bytes()


def test_a_recorded_run_is_shown_in_the_readme(generated: Generated) -> None:
    readme = (generated.root / "README.md").read_text()
    assert "| mean accuracy on the clients' held-out examples | 0.875 |" in readme


def test_nothing_but_blocks_is_rewritten(generated: Generated) -> None:
    block = re.compile(r"(<!-- generated: [a-z-]+ -->\n).*?(<!-- /generated -->)", re.DOTALL)
    for page in (page for page in PAGES if page.name == "README.md" or "docs" in page.parts):
        after = (generated.root / page.relative_to(ROOT)).read_text()
        assert block.sub("", after) == block.sub("", page.read_text())


def test_every_block_that_opens_closes() -> None:
    for page in PAGES:
        marks = re.findall(r"^<!-- (/?generated)", page.read_text(), re.MULTILINE)
        assert marks == ["generated", "/generated"] * (len(marks) // 2), page


def summary() -> Summary:
    """A run that nobody made."""
    return Summary(
        config_hash="0" * 64,
        dataset="made up",
        clients=4,
        clusters=2,
        rounds=1,
        transport="local",
        secure_aggregation=True,
        noise_mode="local",
        entropy="simulated",
        embedding="directional",
        ari_by_round=(1.0,),
        ari_final=1.0,
        first_round_ari_0_9=1,
        accuracy_mean=0.875,
        accuracy_by_client={},
        epsilon_embedding=1.0,
        epsilon_update=2.0,
        epsilon_total=2.5,
        delta=1e-5,
        unit="example",
        dropouts=0,
        bytes_up=1,
        bytes_down=1,
        wall_seconds=1.0,
    )
