"""From the coordinator's reports and the clients' own measurements to one record a round."""

from collections import Counter, defaultdict
from collections.abc import Mapping

from secure_clove.clustering.scores import adjusted_rand_index
from secure_clove.engine.progress import Progress
from secure_clove.engine.state import RoundReport
from secure_clove.foundation.ids import ClientId
from secure_clove.observe.runs import RoundRecord


class Recorder:
    """Joins what each side knows of a round.

    A model is measured when it is sent out again: the accuracy after round r comes with round r+1,
    or with the closing. So a record is complete one round late.

    Args:
        truth: True cluster of each client, where it is known.
    """

    def __init__(self, truth: Mapping[ClientId, int]) -> None:
        self._truth = truth
        self._reports: dict[int, RoundReport] = {}
        self._accuracy: dict[int, dict[ClientId, float]] = defaultdict(dict)
        self._done = 0
        self._traffic = (0, 0)
        self._bytes: dict[int, tuple[int, int]] = {}
        self._ends: Mapping[ClientId, int] = {}

    @property
    def reported(self) -> int:
        """Last round that the coordinator has reported."""
        return max(self._reports, default=0)

    def report(self, report: RoundReport, traffic: tuple[int, int]) -> None:
        """Take the coordinator's report of a round.

        Args:
            report: Of the round that has just ended.
            traffic: Bytes sent and received by all clients so far.
        """
        self._reports[report.round] = report
        up, down = self._traffic
        self._bytes[report.round] = (traffic[0] - up, traffic[1] - down)
        self._traffic = traffic

    def progress(self, progress: Progress) -> None:
        """Take a client's measurement of the model it was sent in a round."""
        if progress.accuracy is not None:
            self._accuracy[progress.round][progress.client] = progress.accuracy

    def end(self, models: Mapping[ClientId, int]) -> None:
        """Take the model each client ended with, by index, which the coordinator may not know."""
        self._ends = models

    def complete(self, *, is_over: bool) -> list[RoundRecord]:
        """Return the records that have become complete since the last call.

        Args:
            is_over: Whether nothing more will come.
        """
        records = []
        while (number := self._done + 1) in self._reports:
            if number + 1 not in self._reports and not is_over:
                break
            records.append(self._record(self._reports[number]))
            self._done = number
        return records

    def _record(self, report: RoundReport) -> RoundRecord:
        accuracies = self._accuracy[report.round + 1].values()
        following = self._reports.get(report.round + 1)
        is_last = report.round == self.reported
        assignment = report.assignment or (self._ends if is_last else {})
        known = sorted(assignment.keys() & self._truth.keys())
        sizes = Counter(assignment.values())
        return RoundRecord(
            round=report.round,
            ari=adjusted_rand_index([self._truth[c] for c in known], [assignment[c] for c in known])
            if known
            else None,
            agreement=report.agreement,
            accuracy=sum(accuracies) / len(accuracies) if accuracies else None,
            accuracy_released=following.accuracy_before if following else None,
            epsilon_embedding=report.epsilon_embedding,
            epsilon_update=report.epsilon_update,
            epsilon_metrics=report.epsilon_metrics,
            epsilon_total=report.epsilon_total,
            delta=report.delta,
            snr_embedding=report.snr_embedding,
            snr_update=report.snr_update,
            snr_metrics=report.snr_metrics,
            clusters={str(model): sizes[model] for model in sorted(sizes)},
            assignment={str(client): model for client, model in assignment.items()},
            stable_share=report.stable_share,
            cohort=report.cohort,
            dropouts=tuple(report.dropouts),
            bytes_up=self._bytes[report.round][0],
            bytes_down=self._bytes[report.round][1],
            seconds=report.milliseconds / 1000,
            aborted_attempts=report.aborted_attempts,
        )
