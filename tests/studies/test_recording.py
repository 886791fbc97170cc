"""A record joins what the coordinator and the clients each know of a round."""

from collections.abc import Mapping
from typing import Any

from secure_clove.engine.progress import Progress
from secure_clove.engine.state import RoundReport
from secure_clove.foundation.ids import ClientId
from secure_clove.observe.runs import RoundRecord
from secure_clove.studies.recording import Recorder

A, B, C, D = (ClientId(name) for name in "abcd")
TRUTH = {A: 0, B: 0, C: 1, D: 1}


def reported(number: int, assignment: Mapping[ClientId, int]) -> RoundReport:
    """Return the coordinator's report of a round without privacy."""
    fields: dict[str, Any] = dict.fromkeys(
        ("agreement", "stable_share", "accuracy_before", "epsilon_embedding", "epsilon_update")
    )
    return RoundReport(
        round=number,
        assignment=assignment,
        epsilon_metrics=None,
        epsilon_total=None,
        delta=1e-5,
        snr_embedding=2.0,
        snr_update=None,
        snr_metrics=9.0,
        cohort=4,
        dropouts=(),
        aborted_attempts=0,
        bytes_up=0,
        milliseconds=1500,
        **fields,
    )


def recorded(
    *assignments: Mapping[ClientId, int], ends: Mapping[ClientId, int] | None = None
) -> list[RoundRecord]:
    """Return the records of a run whose rounds had these assignments."""
    recorder = Recorder(TRUTH)
    for number, assignment in enumerate(assignments, start=1):
        recorder.report(reported(number, assignment), (100 * number, 200 * number))
    if ends is not None:
        recorder.end(ends)
    return recorder.complete(is_over=True)


def test_an_assignment_is_scored_against_the_truth() -> None:
    assert recorded({A: 3, B: 3, C: 1, D: 1})[0].ari == 1.0


def test_a_hidden_assignment_has_no_score_and_no_sizes() -> None:
    (record,) = recorded({})
    assert (record.ari, record.clusters) == (None, {})


def test_the_models_that_clients_ended_with_are_those_of_the_last_round() -> None:
    first, last = recorded({}, {}, ends={A: 1, B: 1, C: 0, D: 0})
    assert (first.ari, first.assignment) == (None, {})
    assert (last.ari, last.clusters) == (1.0, {"0": 2, "1": 2})


def test_what_the_coordinator_knows_is_not_replaced_by_what_clients_say() -> None:
    known = {A: 0, B: 1, C: 0, D: 1}
    (record,) = recorded(known, ends={A: 0, B: 0, C: 1, D: 1})
    assert record.assignment == {str(client): model for client, model in known.items()}


def test_the_accuracy_of_a_round_is_measured_in_the_next() -> None:
    recorder = Recorder(TRUTH)
    recorder.report(reported(1, {}), (1, 1))
    recorder.progress(Progress(client=A, round=2, phase="train", step="evaluated", accuracy=0.5))
    assert recorder.complete(is_over=False) == []
    recorder.report(reported(2, {}), (2, 2))
    assert [record.accuracy for record in recorder.complete(is_over=False)] == [0.5]


def test_signal_to_noise_is_that_of_the_report() -> None:
    (record,) = recorded({})
    assert (record.snr_embedding, record.snr_update, record.snr_metrics) == (2.0, None, 9.0)


def test_traffic_is_told_by_round() -> None:
    assert [(r.bytes_up, r.bytes_down) for r in recorded({}, {})] == [(100, 200), (100, 200)]
