"""What the docs say about the code is what the code says."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from secure_clove.observe.runs import Summary, write_summary
from tests.docs.pages import PAGES, ROOT


def generate(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the generator of the checkout at ``root``."""
    return subprocess.run(
        [sys.executable, str(root / "docs" / "generate.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_generated_block_is_up_to_date() -> None:
    done = generate(ROOT, "--check")
    assert done.returncode == 0, f"run python docs/generate.py: {done.stdout}{done.stderr}"


def test_every_block_that_opens_closes() -> None:
    for page in PAGES:
        marks = re.findall(r"^<!-- (/?generated)", page.read_text(), re.MULTILINE)
        assert marks == ["generated", "/generated"] * (len(marks) // 2), page


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose docs may be spoiled."""
    root = tmp_path_factory.mktemp("copy")
    for name in ("secure_clove", "api", "threat_models"):
        (root / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "docs", root / "docs")
    shutil.copy(ROOT / "README.md", root / "README.md")
    return root


def test_a_recorded_run_is_kept_and_shown_in_the_readme(copy: Path) -> None:
    (copy / "run").mkdir()
    write_summary(copy / "run" / "summary.json", summary())
    generate(copy, "--run", str(copy / "run"))
    kept, readme = copy / "docs" / "data" / "demo-summary.json", (copy / "README.md").read_text()
    assert kept.read_bytes() == (copy / "run" / "summary.json").read_bytes()
    assert "| mean accuracy on the clients' held-out examples | 0.875 |" in readme


def test_a_block_edited_by_hand_is_noticed_and_mended(copy: Path) -> None:
    page = copy / "docs" / "reference" / "surface.md"
    generate(copy)
    good = page.read_text()
    page.write_text(good.replace("`EACH` |", "`SUM` |", 1))
    assert generate(copy, "--check").returncode == 1
    generate(copy)
    assert page.read_text() == good


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
