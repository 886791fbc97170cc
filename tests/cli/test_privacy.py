"""The privacy commands: known answers, refusals with their cure, ledgers that were cut."""

import math
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from secure_clove.cli.app import app
from secure_clove.cli.console import REFUSED, out
from secure_clove.engine.ports import Mark
from secure_clove.foundation.ids import FederationId
from secure_clove.privacy.accounting import totals
from secure_clove.privacy.calibration import multiplier_for
from secure_clove.privacy.events import Release
from secure_clove.privacy.ledger import Ledger
from secure_clove.privacy.statement import statement
from secure_clove.stores.journal import SqlJournal

WARD = FederationId("ward[red]")
DESIGN = ("--update-noise", "2.5", "--rate", "0.128", "--steps", "20", "--rounds", "40")
"""A client of the design document: 800 steps on 64 of 500 examples each."""

RELEASES = (
    Release(name="embedding", multiplier=15),
    Release(name="update", multiplier=2.5, rate=0.128, steps=20),
    Release(name="metrics", multiplier=6),
)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print tables without folding; the console may have settled on another width already."""
    monkeypatch.setattr(out, "_width", 200)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["privacy", *map(str, arguments)])


def cells(result: Result, first: str) -> list[str]:
    """Return the cells of the printed table's row that begins with ``first``."""
    assert result.exit_code == 0, result.output
    rows = ([c.strip() for c in line.split("│")[1:-1]] for line in result.stdout.splitlines())
    (found,) = (row for row in rows if row and row[0] == first)
    return found


def refused(result: Result) -> str:
    assert result.exit_code == REFUSED
    assert result.stdout == ""
    return re.sub(r"\s+", " ", result.stderr)


# ---- cost


@pytest.mark.parametrize(
    ("embeddings", "expected"), [(None, 6.333), (3, 6.354), (10, 6.405)], ids=str
)
def test_a_client_of_the_design_document_costs_its_known_epsilon(
    embeddings: int | None, expected: float
) -> None:
    more = ("--embedding-noise", "15", "--embeddings", str(embeddings)) if embeddings else ()
    total = cells(run("cost", *DESIGN, *more, "--delta", "1e-4"), "total")
    assert float(total[3]) == pytest.approx(expected, abs=1e-3)
    assert float(total[4]) > expected


@pytest.mark.parametrize(
    ("multiplier", "expected"),
    [(30.75, 0.1), (13.29, 0.25), (7.03, 0.5), (3.731, 1), (1.994, 2), (1.081, 4), (0.600, 8)],
)
def test_a_single_embedding_costs_its_known_epsilon(multiplier: float, expected: float) -> None:
    found = cells(run("cost", "--embedding-noise", str(multiplier)), "embedding")
    assert float(found[3]) == pytest.approx(expected, rel=1e-3)


def test_every_kind_of_release_has_a_row() -> None:
    result = run("cost", *DESIGN, "--embedding-noise", "15", "--metrics-noise", "6")
    assert cells(result, "embedding")[:3] == ["embedding", "15", "1"]
    assert cells(result, "update")[:3] == ["update", "2.5", "800 at rate 0.128"]
    assert cells(result, "metrics")[:3] == ["metrics", "6", "40"]


def test_the_total_is_the_larger_where_metrics_cost_more() -> None:
    result = run("cost", "--update-noise", "9", "--metrics-noise", "1")
    assert cells(result, "total")[3] == cells(result, "metrics")[3]


def test_no_noise_costs_without_bound() -> None:
    assert cells(run("cost", "--update-noise", "0"), "total")[3:] == ["unbounded"] * 2


def test_growth_is_printed_if_asked() -> None:
    plan = ("cost", *DESIGN, "--embedding-noise", "15", "--embeddings", "3", "--delta", "1e-4")
    result = run(*plan, "--every", "15")
    after = [cells(result, number) for number in ("15", "30", "40")]
    assert [row[1] for row in after] == [cells(result, "embedding")[3]] * 3
    assert float(after[0][4]) < float(after[1][4]) < float(after[2][4])
    assert after[2][4] == cells(result, "total")[3]
    assert "after round" not in run(*plan).stdout


def test_the_noise_is_held_against_the_signal_if_the_examples_are_known() -> None:
    noise = ("--embedding-noise", "15", "--update-noise", "2", "--rate", "0.1")
    text = run("cost", *noise, "--examples", "500").stdout
    assert "embedding: 0.03 in each number of a vector no longer than 1" in text
    assert "update: 0.04 in each number of a step's mean gradient" in text
    assert "Standard deviation" not in run("cost", *noise).stdout


# ---- calibrate


@pytest.mark.parametrize(
    ("epsilon", "expected"),
    [(0.1, 30.75), (0.25, 13.29), (0.5, 7.03), (1, 3.731), (2, 1.994), (4, 1.081), (8, 0.600)],
)
def test_a_single_embedding_gets_its_known_noise(epsilon: float, expected: float) -> None:
    found = cells(run("calibrate", "--epsilon-embedding", str(epsilon)), "embedding")
    assert float(found[1]) == pytest.approx(expected, rel=1e-3)


def test_a_budget_is_kept_and_used_up() -> None:
    shares = ("--epsilon", "6.4", "--epsilon-embedding", "0.25", "--epsilon-metrics", "1")
    counts = ("--embeddings", "3", *DESIGN[2:], "--delta", "1e-4", "--examples", "500")
    result = run("calibrate", *shares, *counts)
    assert cells(result, "embedding")[2:4] == ["3", "0.25"]
    assert cells(result, "metrics")[2:4] == ["40", "1"]
    assert cells(result, "update")[2] == "800 at rate 0.128"
    assert cells(result, "total")[3] == "6.4"
    assert "embedding: 0.03781 in each number" in result.stdout


def test_what_calibration_finds_costs_what_was_asked() -> None:
    counts = ("--rounds", "4", "--steps", "5", "--rate", "0.2")
    noise = cells(run("calibrate", "--epsilon", "2", *counts), "update")[1]
    found = cells(run("cost", "--update-noise", noise, *counts), "total")
    assert float(found[3]) == pytest.approx(2, rel=1e-3)


# ---- explain


def test_a_plan_is_explained_in_words() -> None:
    text = re.sub(r"\s+", " ", run("explain", *DESIGN, "--delta", "1e-4").stdout)
    for words in (
        "Plan: rounds, 40; training steps of a round, 20",
        "Unit: one example of this client",
        "zero-out",
        "Replacing an example counts as two such changes: epsilon = 12.67",
        "Adversary: the coordinator and all other clients together",
        "epsilon = 6.333, delta = 0.0001",
        "Not covered: that this client takes part",
    ):
        assert words in text


def test_a_ledger_is_explained_in_the_words_of_its_client(journal: Path) -> None:
    result = run("explain", "--ledger", journal, "--delta", "1e-4")
    said = statement(totals(2 * RELEASES, 1e-4), delta=1e-4, is_simulated=False)
    assert result.stdout.split() == said.split()


def test_a_broken_ledger_is_not_explained(journal: Path) -> None:
    change(journal, "DELETE FROM ledger WHERE sequence = 2")
    assert "store: the privacy ledger is broken at entry 2" in refused(
        run("explain", "--ledger", journal)
    )


# ---- refusals


@pytest.mark.parametrize("command", ["cost", "explain"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "a plan without a release; set --embedding-noise"),
        (("--embeddings", "3", "--update-noise", "1"), "set --embedding-noise"),
        (("--embedding-noise", "1", "--embeddings", "0"), "set how many"),
        (("--embedding-noise", "1", "--embeddings", "-1"), "embeddings to 0 or more"),
        (("--update-noise", "-1"), "noise multiplier -1.0 is not a finite number >= 0"),
        (("--update-noise", "nan"), "not a finite number"),
        (("--metrics-noise", "inf"), "not a finite number"),
        (("--update-noise", "1", "--rate", "1.5"), "rate 1.5 is no share of the examples"),
        (("--update-noise", "1", "--rate", "0"), "above 0 and at most at 1"),
        (("--update-noise", "1", "--steps", "0"), "steps is 0; a release is made at least once"),
        (("--update-noise", "1", "--rounds", "0"), "set rounds to 1 or more"),
        (("--update-noise", "1", "--delta", "0"), "delta must lie between 0 and 1, found 0.0"),
        (("--update-noise", "1", "--delta", "1"), "delta must lie between 0 and 1"),
        (("--update-noise", "1", "--delta", "nan"), "delta must lie between 0 and 1"),
        (("--update-noise", "1", "--examples", "0"), "examples is 0; give the number"),
        (("--update-noise", "1", "--examples", "100", "--delta", "0.01"), "below 1/n = 0.01"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_with_the_cure(
    command: str, arguments: tuple[str, ...], words: str
) -> None:
    said = refused(run(command, *arguments))
    assert said.startswith("config: ")
    assert words in said


def test_growth_that_never_comes_is_refused() -> None:
    result = run("cost", "--update-noise", "1", "--every", "0")
    assert result.exit_code == REFUSED
    assert "set --every to 1 or more" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no budget; set an epsilon"),
        (("--epsilon", "0"), "epsilon must be positive and at most 1e+06, found 0.0"),
        (("--epsilon", "-1"), "epsilon must be positive"),
        (("--epsilon", "nan"), "epsilon must be positive"),
        (("--epsilon-embedding", "inf"), "without limit there is nothing to calibrate"),
        (("--epsilon-metrics", "0"), "epsilon must be positive"),
        (("--epsilon", "1", "--delta", "0"), "delta must lie between 0 and 1"),
        (("--epsilon", "1", "--examples", "0"), "examples is 0"),
        (("--epsilon", "1", "--examples", "10", "--delta", "0.2"), "below 1/n = 0.1"),
        (("--epsilon", "1", "--steps", "0"), "steps is 0"),
        (("--epsilon", "1", "--rate", "2"), "rate 2.0 is no share"),
        (("--epsilon", "1", "--rounds", "0"), "set rounds to 1 or more"),
        (("--epsilon", "1", "--embeddings", "3"), "without an epsilon for them"),
        (("--epsilon-embedding", "1", "--embeddings", "0"), "plan at least 1"),
        (("--epsilon", "1", "--epsilon-embedding", "1"), "leaves nothing for further releases"),
    ],
)
def test_a_budget_that_cannot_be_kept_is_refused_with_the_cure(
    arguments: tuple[str, ...], words: str
) -> None:
    said = refused(run("calibrate", *arguments))
    assert said.startswith("config: ")
    assert words in said


def test_a_plan_and_a_ledger_are_not_explained_together(journal: Path) -> None:
    said = refused(run("explain", "--ledger", journal, "--update-noise", "1"))
    assert "a plan and a ledger; explain one of them" in said


# ---- the ledger


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Return a client's journal: two rounds of three releases, six entries."""
    path, ledger = tmp_path / "site.key.d" / "journal.sqlite", Ledger(limit=math.inf, delta=1e-5)
    store = SqlJournal(path)
    for number in (1, 2):
        where = {"federation": WARD, "round": number}
        grown = ledger.charge(*RELEASES, phase="train", attempt=1, **where)  # type: ignore[arg-type]
        mark = Mark(exchange="train", attempt=1, sid="ab" * 32, **where)  # type: ignore[arg-type]
        store.commit(grown.entries[len(ledger.entries) :], mark)
        ledger = grown
    store.close()
    return path


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def head(path: Path) -> str:
    found = re.search(r"Head ([0-9a-f]{64})\n", run("ledger", "verify", path).stdout)
    assert found
    return found[1]


@pytest.mark.parametrize("command", ["verify", "show"])
def test_a_whole_ledger_is_verified_and_its_totals_printed(command: str, journal: Path) -> None:
    result = run("ledger", command, journal, "--delta", "1e-4")
    spent = totals(2 * RELEASES, 1e-4)
    assert result.exit_code == 0
    assert "6 entries, the chain holds. Head " in result.stdout
    assert (
        f"Spent at δ = 0.0001 for any one example: ε of embedding {spent.embedding:.4g}, "
        f"update {spent.update:.4g}, metrics {spent.metrics:.4g}, total {spent.total:.4g}"
    ) in result.stdout


def test_every_entry_is_shown(journal: Path) -> None:
    result = run("ledger", "show", journal)
    row = ["ward[red]", "1", "train", "1"]
    assert cells(result, "0") == ["0", *row, "embedding", "example", "15", "1"]
    assert cells(result, "1") == ["1", *row, "update", "example", "2.5", "20 at rate 0.128"]
    assert cells(result, "5")[2:] == ["2", "train", "1", "metrics", "example", "6", "1"]


def test_looking_at_a_ledger_changes_nothing(journal: Path) -> None:
    before = journal.read_bytes()
    run("ledger", "show", journal)
    assert journal.read_bytes() == before
    assert [path.name for path in journal.parent.iterdir()] == ["journal.sqlite"]


def test_an_empty_ledger_is_whole(tmp_path: Path) -> None:
    SqlJournal(tmp_path / "journal.sqlite").close()
    result = run("ledger", "verify", tmp_path / "journal.sqlite")
    assert result.exit_code == 0
    assert "0 entries, the chain holds" in result.stdout


def test_a_ledger_that_ends_where_it_did_is_verified(journal: Path) -> None:
    assert run("ledger", "verify", journal, "--head", head(journal)).exit_code == 0


def test_a_ledger_whose_end_was_cut_off_is_found_out_by_its_head(journal: Path) -> None:
    before = head(journal)
    change(journal, "DELETE FROM ledger WHERE sequence = 5")
    assert run("ledger", "verify", journal).exit_code == 0
    said = refused(run("ledger", "verify", journal, "--head", before))
    assert "after 5 entries, not in the hash given" in said


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DELETE FROM ledger WHERE sequence = 3", "broken at entry 3"),
        ("UPDATE ledger SET sequence = 9 WHERE sequence = 0", "broken at entry 0"),
        (
            "UPDATE ledger SET entry = (SELECT entry FROM ledger WHERE sequence = 1)"
            " WHERE sequence = 4",
            "broken at entry 4",
        ),
        ("UPDATE ledger SET entry = x'c0' WHERE sequence = 2", "entry 2 of the privacy ledger"),
    ],
)
@pytest.mark.parametrize("command", ["verify", "show"])
def test_a_broken_chain_fails_and_the_entry_is_named(
    command: str, statement: str, words: str, journal: Path
) -> None:
    change(journal, statement)
    result = run("ledger", command, journal)
    assert result.exit_code == REFUSED
    assert result.stderr.startswith("store: ")
    assert words in result.stderr
    assert "the chain holds" not in result.stdout


@pytest.mark.parametrize("command", ["verify", "show"])
def test_a_journal_that_is_not_there_is_refused(command: str, tmp_path: Path) -> None:
    said = refused(run("ledger", command, tmp_path / "[red].sqlite"))
    assert "config: no journal at" in said
    assert "[red].sqlite" in said


def test_a_ledger_at_an_impossible_delta_is_refused(journal: Path) -> None:
    assert "delta must lie between 0 and 1" in refused(
        run("ledger", "verify", journal, "--delta", "2")
    )


# ---- whole clients


def test_what_hides_a_whole_client_is_calibrated_explained_and_counted_for_it() -> None:
    budget = ("--unit", "client", "--rounds", "40", "--epsilon", "4", "--examples", "500")
    found = run("calibrate", *budget)
    assert found.exit_code == 0, found.output
    assert "any one client" in found.output
    noise = str(multiplier_for(4.0, 1e-5, 40))
    said = run("explain", "--unit", "client", "--rounds", "40", "--update-noise", noise)
    assert "Unit: this client as a whole." in said.output
    assert "epsilon = 4," in said.output


@pytest.mark.parametrize(
    "more", [("--steps", "2"), ("--rate", "0.5"), ("--metrics-noise", "3"), ("--embeddings", "1")]
)
def test_a_whole_client_has_one_release_a_round(more: tuple[str, ...]) -> None:
    noises = ("--update-noise", "3", "--embedding-noise", "3")
    chosen = noises if more[0] == "--embeddings" else noises[:2]
    found = run("cost", "--unit", "client", *chosen, *more)
    assert "one release a round" in refused(found)


def test_shared_noise_is_explained_with_its_weaker_adversary() -> None:
    plain, shared = (
        run("explain", "--update-noise", "3", *more) for more in ((), ("--shared-noise",))
    )
    assert "less than a third" not in plain.output
    assert "less than a third of the clients of each sum" in shared.output
