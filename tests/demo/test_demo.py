"""`secure-clove demo`: real processes, real HTTP, real noise, and the promised numbers."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

KEYS = {
    *("schema_version", "config_hash", "dataset", "clients", "clusters", "rounds", "transport"),
    *("secure_aggregation", "noise_mode", "ari_by_round", "ari_final", "first_round_ari_0_9"),
    *("accuracy_mean", "accuracy_by_client", "epsilon_embedding", "epsilon_update"),
    *("epsilon_total", "delta", "unit", "dropouts", "bytes_up", "bytes_down", "wall_seconds"),
    *("audit", "entropy", "embedding"),
}


def demo(folder: Path, *options: str) -> dict[str, Any]:
    command = "from secure_clove.cli.app import app; app()"
    done = subprocess.run(
        [sys.executable, "-c", command, "demo", "--folder", str(folder), *options],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONFAULTHANDLER": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("private")
    return demo(folder), folder


def test_the_five_groups_are_found_by_the_second_round(
    private: tuple[dict[str, Any], Path],
) -> None:
    summary, _ = private
    assert summary["ari_final"] == 1.0
    assert summary["first_round_ari_0_9"] <= 2


def test_the_models_are_good_at_the_promised_privacy(
    private: tuple[dict[str, Any], Path],
) -> None:
    summary, _ = private
    assert summary["accuracy_mean"] >= 0.95
    assert summary["epsilon_total"] <= 4.0
    assert summary["epsilon_embedding"] <= 1.0
    assert summary["delta"] == 1e-5


def test_the_summary_has_every_key_and_says_how_it_was_made(
    private: tuple[dict[str, Any], Path],
) -> None:
    summary, _ = private
    assert summary.keys() == KEYS
    made = {name: summary[name] for name in ("transport", "noise_mode", "entropy", "unit")}
    assert made == {
        "transport": "http",
        "noise_mode": "local",
        "entropy": "os",
        "unit": "example",
    }
    assert summary["secure_aggregation"] is True
    assert len(summary["accuracy_by_client"]) == summary["clients"] == 25


def test_the_audit_stands_beside_its_bound(private: tuple[dict[str, Any], Path]) -> None:
    summary, _ = private
    assert summary["audit"].keys() == {"A1", "A3", "A3 active", "A4", "A5", "A10"}
    a1 = summary["audit"]["A1"]
    assert a1["without_defence"] == 1.0
    assert a1["interval_with"][0] <= a1["bound"]
    unbounded = {name for name, row in summary["audit"].items() if row["bound"] is None}
    assert unbounded == {"A3 active", "A5"}  # who is in which cluster is visible


def test_a_record_of_every_round_and_a_report_are_left_behind(
    private: tuple[dict[str, Any], Path],
) -> None:
    summary, folder = private
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["round"] for line in lines] == list(range(1, summary["rounds"] + 1))
    assert all(line["accuracy"] is not None for line in lines)
    report = (folder / "report.html").read_text()
    assert "http://" not in report
    assert "https://" not in report


def test_the_report_shows_centroids_and_no_client_vector(
    private: tuple[dict[str, Any], Path],
) -> None:
    report = (private[1] / "report.html").read_text()
    assert "No client has a point." in report
    assert "noised vector" not in report


def test_with_hidden_membership_the_clients_alone_know_that_the_groups_were_found(
    tmp_path: Path,
) -> None:
    summary = demo(tmp_path, "--membership", "hidden", "--rounds", "3", "--no-audit")
    assert summary["ari_by_round"] == [None, None, 1.0]
    assert (summary["ari_final"], summary["first_round_ari_0_9"]) == (1.0, None)


def test_without_privacy_the_models_are_better_and_nothing_is_claimed(tmp_path: Path) -> None:
    summary = demo(tmp_path, "--privacy", "off", "--no-audit")
    assert summary["accuracy_mean"] >= 0.97
    assert summary["ari_final"] == 1.0
    assert (summary["epsilon_total"], summary["noise_mode"]) == (None, "none")
    assert summary["audit"] == {}
