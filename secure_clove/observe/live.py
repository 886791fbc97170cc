"""The run on the terminal while it happens: rounds, privacy spent, clusters, what goes on now."""

from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from secure_clove.errors import ConfigError
from secure_clove.observe.runs import RoundRecord
from secure_clove.observe.wording import (
    duration,
    epsilon,
    percent,
    printable,
    ratio,
    score,
    volume,
)

WIDTH = 100
BLOCKS = 60  # blocks in the line of clusters before one block stands for several clients
COLOURS = ("#3987e5", "#d95926", "#199e70", "#c98500", "#7d70e0", "#d55181", "#008f9c", "#8a7a5c")
REST = "#8f8f8f"  # the part of the bar that is still to come
NEARLY_SPENT = 0.8  # share of the budget from which ε is shown as a warning
CHROME = 12  # lines of the frame that are not rounds
LEAST_WANTED = frozenset({"agrees", "up", "down"})  # left out below 100 columns


class LiveTable:
    """A context manager that shows a run on the terminal, or prints a line a round into a pipe."""

    def __init__(
        self,
        *,
        federation: str,
        clients: int,
        clusters: int,
        rounds: int,
        transport: str,
        privacy: str,
        budget: float | None = None,
        console: Console | None = None,
    ) -> None:
        """Describe the run.

        Args:
            federation: Its name.
            clients: Count of clients, at least 1.
            clusters: Count of cluster models, at least 1.
            rounds: Rounds planned, at least 1.
            transport: How messages travel.
            privacy: The protection in a few words.
            budget: Largest ε allowed in total; None where there is no limit.
            console: Where to print; standard output by default.

        Raises:
            ConfigError: a count is below 1.
        """
        if min(clients, clusters, rounds) < 1:
            raise ConfigError("clients, clusters and rounds must be at least 1")
        self._console = console or Console(highlight=False)
        self._facts = f"{clients} clients · {clusters} clusters · {printable(transport)}"
        self._federation, self._privacy = printable(federation), printable(privacy, limit=300)
        self._planned, self._budget = rounds, budget
        self._rounds: list[RoundRecord] = []
        self._activity = ""
        self._is_over = False
        self._progress = self._make_progress()
        self._live = self._make_live()

    def _make_progress(self) -> Progress:
        progress = Progress(
            TextColumn("rounds", style="bold"),
            BarColumn(None, REST, complete_style=COLOURS[0], finished_style=COLOURS[2]),
            MofNCompleteColumn(),
            TextColumn("·"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            TextColumn("{task.fields[clock]}"),
            console=self._console,
            expand=True,
        )
        progress.add_task("rounds", total=self._planned, clock="left")
        return progress

    def _make_live(self) -> Live | None:
        if not self._console.is_terminal or self._console.is_dumb_terminal:
            return None
        return Live(get_renderable=self._frame, console=self._console, refresh_per_second=8)

    def __enter__(self) -> Self:
        """Start drawing."""
        if self._live is None:
            self._print(f"{self._federation} · {self._facts} · {self._privacy}")
        else:
            self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last state of the table on the terminal, every round of it."""
        self._is_over, self._activity = True, ""
        if self._live is not None:
            self._live.stop()

    def round(self, record: RoundRecord) -> None:
        """Show one more finished round."""
        self._rounds.append(record)
        done = len(self._rounds) >= self._planned
        task = self._progress.task_ids[0]
        clock = "in total" if done else "left"
        self._progress.update(task, completed=len(self._rounds), clock=clock)
        if self._live is None:
            self._print(plain_line(record, rounds=self._planned, budget=self._budget))
        else:
            self._live.refresh()

    def activity(self, text: str) -> None:
        """Say what goes on now, such as ``round 3 · train · 22 of 25 masked``."""
        self._activity = printable(text)

    def _print(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True, highlight=False)

    def _frame(self) -> RenderableType:
        parts: list[RenderableType] = [self._header(), self._progress, "", self._table(), ""]
        if self._rounds and self._rounds[-1].clusters:
            parts.append(cluster_blocks(self._rounds[-1]))
        if not self._is_over:
            parts.append(Text(f"▸ {self._activity or 'starting'}", style="italic"))
        frame = Table.grid()
        frame.add_column(width=min(WIDTH, self._console.width))
        for part in parts:
            frame.add_row(part)
        return frame

    def _header(self) -> Text:
        header = Text(self._federation, style="bold")
        header.append(f"  {self._facts}\n", style="not bold")
        return header.append(self._privacy, style="not bold italic")

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 1), expand=True, header_style="bold")
        shown = self._columns()
        for name in shown:
            table.add_column(self._heading(name), justify="right", no_wrap=True)
        hidden = 0 if self._is_over else max(0, len(self._rounds) - self._room())
        if hidden:
            table.add_row("⋯")
        for record in self._rounds[hidden:]:
            cells = self._cells(record)
            table.add_row(*[cells[name] for name in shown])
        return table

    def _columns(self) -> list[str]:
        names = ["round", "ARI", "agrees", "accuracy", "ε embed", "ε update", "ε total"]
        names += ["clients", "up", "down", "time"]
        is_narrow = self._console.width < WIDTH
        return [name for name in names if not (is_narrow and name in LEAST_WANTED)]

    def _heading(self, name: str) -> str:
        return f"{name} of {self._budget:g}" if name == "ε total" and self._budget else name

    def _room(self) -> int:
        return max(3, self._console.height - CHROME)

    def _cells(self, record: RoundRecord) -> dict[str, Text]:
        good = record.ari is not None and record.ari >= 0.9
        return {
            "round": Text(str(record.round)),
            "ARI": Text(score(record.ari), style="bold green" if good else ""),
            "agrees": Text(score(record.agreement)),
            "accuracy": Text(percent(record.accuracy)),
            "ε embed": Text(epsilon(record.epsilon_embedding)),
            "ε update": Text(epsilon(record.epsilon_update)),
            "ε total": Text(epsilon(record.epsilon_total), style=self._alarm(record.epsilon_total)),
            "clients": _attendance(record),
            "up": Text(volume(record.bytes_up)),
            "down": Text(volume(record.bytes_down)),
            "time": Text(duration(record.seconds)),
        }

    def _alarm(self, spent: float | None) -> str:
        if self._budget is None:
            return ""
        if spent is None or spent > self._budget:
            return "bold red"
        return f"bold {COLOURS[3]}" if spent >= NEARLY_SPENT * self._budget else "bold"


def _attendance(record: RoundRecord) -> Text:
    lost = len(record.dropouts)
    text = Text(f"{record.cohort - lost}")
    return text.append(f" -{lost}", style=COLOURS[3]) if lost else text


def cluster_blocks(record: RoundRecord) -> Text:
    """Return the sizes of the clusters as a line of coloured blocks with their numbers."""
    each = -(-sum(record.clusters.values()) // BLOCKS) or 1
    line = Text("clusters ", style="bold")
    for place, (name, count) in enumerate(sorted(record.clusters.items(), key=_by_number)):
        line.append(f" {printable(name, limit=12)} ", style="not bold")
        line.append("■" * -(-count // each), style=f"not bold {COLOURS[place % len(COLOURS)]}")
        line.append(f" {count} ", style="not bold")
    return line.append(f" ■ = {each} clients", style="not bold italic") if each > 1 else line


def _by_number(item: tuple[str, int]) -> tuple[int, str]:
    return (int(item[0]) if item[0].isdecimal() else 0, item[0])


def plain_line(record: RoundRecord, *, rounds: int, budget: float | None) -> str:
    """Return one round as one line, for a pipe or a log.

    Args:
        record: The round.
        rounds: Rounds planned.
        budget: Largest ε allowed in total; None where there is no limit.
    """
    of_budget = "" if budget is None else f" of {budget:g}"
    parts = [
        f"round {record.round}/{rounds}",
        f"ARI {score(record.ari)}",
        f"agreement {score(record.agreement)}",
        f"accuracy {percent(record.accuracy)}",
        f"epsilon {epsilon(record.epsilon_total)}{of_budget} (embedding "
        f"{epsilon(record.epsilon_embedding)}, update {epsilon(record.epsilon_update)})",
        f"signal to noise embedding {ratio(record.snr_embedding)}, "
        f"update {ratio(record.snr_update)}",
        f"clients {record.cohort - len(record.dropouts)}/{record.cohort}",
        f"up {volume(record.bytes_up)}",
        f"down {volume(record.bytes_down)}",
        duration(record.seconds),
    ]
    return " · ".join(parts)
