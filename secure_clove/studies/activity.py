"""What the clients of a federation are doing right now, as a line of text."""

from collections import Counter


class Activity:
    """Counts who has done the step that most clients are at.

    Args:
        clients: In the federation.
    """

    def __init__(self, clients: int) -> None:
        self._clients = clients
        self._round = 0
        self._steps: Counter[str] = Counter()

    def after(self, round_: int, phase: str, step: str) -> str:
        """Return the line after one more client has done ``step``.

        Args:
            round_: Its round, counted from 1.
            phase: Name of the exchange and its group.
            step: What it has done.
        """
        exchange = phase.partition("/")[0]
        if round_ > self._round:
            self._round, self._steps = round_, Counter()
        self._steps[f"{exchange} · {step}"] += 1
        done = self._steps[f"{exchange} · {step}"]
        return f"round {round_} · {exchange} · {step} {done} of {self._clients}"
