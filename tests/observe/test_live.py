"""The run on the terminal, and in a pipe."""

from collections.abc import Sequence
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from secure_clove.errors import ConfigError
from secure_clove.observe.live import LiveTable, cluster_blocks
from secure_clove.observe.runs import RoundRecord
from tests.observe.builders import make_round


def shown(
    records: Sequence[RoundRecord],
    *,
    is_terminal: bool,
    width: int = 100,
    activity: str = "",
    budget: float | None = 8.0,
) -> str:
    """Return all that a run of ``records`` prints."""
    buffer = StringIO()
    console = Console(
        file=buffer, force_terminal=is_terminal, width=width, height=24, _environ={"TERM": "xterm"}
    )
    with LiveTable(
        federation="digits\x1b[2J",
        clients=4,
        clusters=2,
        rounds=30,
        transport="local",
        privacy="local noise",
        budget=budget,
        console=console,
    ) as live:
        for record in records:
            live.activity(activity)
            live.round(record)
    return buffer.getvalue()


def test_a_pipe_gets_a_heading_and_one_line_a_round() -> None:
    lines = shown([make_round(n) for n in (1, 2, 3)], is_terminal=False).splitlines()
    assert [line.split(" ·")[0] for line in lines[1:]] == ["round 1/30", "round 2/30", "round 3/30"]


def test_a_pipe_gets_no_escape_sequences_even_from_outside_text() -> None:
    text = shown([make_round(1)], is_terminal=False, activity="\x1b[31mred")
    assert "\x1b" not in text


def test_a_line_says_what_was_spent_of_the_budget() -> None:
    assert "epsilon 0.31 of 8" in shown([make_round(1)], is_terminal=False)


def test_a_line_without_a_budget_names_none() -> None:
    text = shown([make_round(1)], is_terminal=False, budget=None)
    assert "epsilon 0.31 (" in text


def test_a_line_says_how_far_the_signals_stood_out_of_the_noise() -> None:
    text = shown([make_round(1, snr_embedding=None)], is_terminal=False)
    assert "signal to noise embedding —, update 12.0 ·" in text


def test_a_line_counts_clients_without_the_dropouts() -> None:
    assert "clients 3/4" in shown([make_round(1)], is_terminal=False)


def test_a_run_without_privacy_shows_an_infinite_epsilon() -> None:
    text = shown([make_round(1, epsilon_total=None)], is_terminal=False)
    assert "epsilon ∞" in text


def test_a_terminal_shows_the_activity() -> None:
    text = shown([make_round(1)], is_terminal=True, activity="round 1 · train · 3 of 4 masked")
    assert "3 of 4 masked" in text


def test_a_terminal_is_not_steered_by_outside_text() -> None:
    assert "\x1b[2J" not in shown([make_round(1)], is_terminal=True, activity="\x1b[2J")


def test_the_last_frame_holds_every_round() -> None:
    text = shown([make_round(n) for n in range(1, 31)], is_terminal=True)
    last = text[text.rindex("agrees") :]
    rounds = [line.split()[0] for line in last.splitlines() if "MB" in line or "kB" in line]
    assert rounds == [str(n) for n in range(1, 31)]


@pytest.mark.parametrize("width", [80, 100, 200])
def test_no_line_is_wider_than_the_terminal_or_a_hundred_columns(width: int) -> None:
    console = Console(
        width=width, record=True, file=StringIO(), force_terminal=True, _environ={"TERM": "xterm"}
    )
    live = LiveTable(
        federation="digits",
        clients=4,
        clusters=2,
        rounds=30,
        transport="local",
        privacy="noise " * 60,
        budget=8.0,
        console=console,
    )
    with live:
        live.round(make_round(1, seconds=4000.0, bytes_up=123_456_789))
    text = console.export_text()
    lines = text[text.rindex("digits") :].splitlines()  # the last frame
    assert max(cell_len(line.rstrip()) for line in lines) <= min(width, 100)


def test_clusters_are_ordered_by_number_and_not_by_spelling() -> None:
    line = cluster_blocks(make_round(clusters={"10": 1, "9": 2})).plain
    assert line.index(" 9 ") < line.index(" 10 ")


def test_sizes_that_are_not_known_leave_no_line() -> None:
    text = shown([make_round(1, clusters={}, assignment={})], is_terminal=True)
    assert "ARI" in text
    assert "clusters  " not in text


def test_many_clients_share_a_block() -> None:
    line = cluster_blocks(make_round(clusters={"0": 600, "1": 600})).plain
    assert line.count("■") == 61  # 30 a cluster and one in the key
    assert "■ = 20 clients" in line


def test_a_run_of_no_rounds_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        LiveTable(
            federation="f", clients=1, clusters=1, rounds=0, transport="local", privacy="none"
        )
