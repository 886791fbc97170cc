"""What is kept of a run: one line a round, and one line for the whole."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from secure_clove.clustering.scores import adjusted_rand_index
from secure_clove.foundation.ids import ClientId
from secure_clove.learn.losses import Score
from secure_clove.studies.play.cell import Cell
from secure_clove.studies.play.table import Measured

REACHED = 0.9
"""Adjusted Rand index of the "first round". Source: clove.txt, Table 5."""

EARLY = 10
"""Round of "ARI reached in 10 rounds": the paper prints the index of that round, not the best one
so far (Table 10, label skew 4). Source: clove.txt, Table 5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundLine:
    """One round: one line of a cell's file.

    Attributes:
        round: Counted from 1.
        ari: Adjusted Rand index with the planted clusters, among those who took part; None where
            clients train alone.
        ari_of_all: The same among all clients that have a model.
        stable_share: Share of those who took part that declared stability, if they are asked.
        accuracy: On held-out examples, by client that has a model; None without classes.
        loss: Mean loss on held-out examples, likewise.
        training_accuracy: On training examples; None where it was not measured.
        training_loss: Likewise.
        assignment: Model by client.
        seconds: Wall-clock time, measuring included.
    """

    round: int
    ari: float | None
    ari_of_all: float | None = None
    stable_share: float | None = None
    accuracy: Mapping[ClientId, float] | None = None
    loss: Mapping[ClientId, float] | None = None
    training_accuracy: Mapping[ClientId, float] | None = None
    training_loss: Mapping[ClientId, float] | None = None
    assignment: Mapping[ClientId, int]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one cell: one line of the results.

    Attributes:
        cell: What was run.
        reason: Why it was not run; None if it was.
        accuracy: Mean over the clients after the last round, on held-out examples.
        training_accuracy: The same on training examples.
        loss: Mean over the clients of their mean held-out loss, after the last round.
        ari: After the last round, among those who took part in it.
        ari_10: After round `EARLY`, likewise.
        first_round: First round with an ARI of `REACHED` or more; None: never.
        stable_round: First round in which everybody who took part declared stability; None: never.
        models: How many models were in use after the last round.
        curve: ARI of every round, among all clients that have a model.
        heat: Loss of a client of each planted cluster under the model of one of each, where asked.
        seconds: Of all rounds.
    """

    cell: Cell
    reason: str | None = None
    accuracy: float | None = None
    training_accuracy: float | None = None
    loss: float | None = None
    ari: float | None = None
    ari_10: float | None = None
    first_round: int | None = None
    stable_round: int | None = None
    models: int | None = None
    curve: tuple[float | None, ...] = ()
    heat: tuple[tuple[float, ...], ...] | None = None
    seconds: float = 0.0


def line_of(measured: Measured, truth: Mapping[ClientId, int]) -> RoundLine:
    """Return the line of a round, scored against the planted clusters."""
    chosen = measured.assignment
    return RoundLine(
        round=measured.round,
        ari=_ari(truth, chosen, measured.cohort),
        ari_of_all=_ari(truth, chosen, tuple(chosen)),
        stable_share=measured.stable_share,
        accuracy=_accuracy(measured, measured.held_out),
        loss=_loss(measured.held_out),
        training_accuracy=_accuracy(measured, measured.training or {}),
        training_loss=_loss(measured.training or {}),
        assignment=chosen,
        seconds=measured.seconds,
    )


def summed_up(
    cell: Cell, lines: Sequence[RoundLine], heat: tuple[tuple[float, ...], ...] | None = None
) -> Result:
    """Return the result of a finished cell from its rounds."""
    last = lines[-1]
    return Result(
        cell=cell,
        accuracy=_mean(last.accuracy),
        training_accuracy=_mean(last.training_accuracy),
        loss=_mean(last.loss),
        ari=last.ari,
        ari_10=lines[EARLY - 1].ari if len(lines) >= EARLY else None,
        first_round=_first(lines, lambda r: r.ari is not None and r.ari >= REACHED),
        stable_round=_first(lines, lambda r: r.stable_share == 1),
        models=len(set(last.assignment.values())) or None,
        curve=tuple(line.ari_of_all for line in lines),
        heat=heat,
        seconds=sum(line.seconds for line in lines),
    )


def _ari(
    truth: Mapping[ClientId, int], chosen: Mapping[ClientId, int], clients: Sequence[ClientId]
) -> float | None:
    found = [client for client in clients if client in chosen]
    if not found:
        return None
    return adjusted_rand_index([truth[c] for c in found], [chosen[c] for c in found])


def _accuracy(measured: Measured, scores: Mapping[ClientId, Score]) -> dict[ClientId, float] | None:
    if not measured.has_classes:
        return None
    return {c: score.hits / score.examples for c, score in scores.items() if score.examples} or None


def _loss(scores: Mapping[ClientId, Score]) -> dict[ClientId, float] | None:
    return {client: score.loss for client, score in scores.items() if score.examples} or None


def _mean(values: Mapping[ClientId, float] | None) -> float | None:
    return fmean(values.values()) if values else None


def _first(lines: Sequence[RoundLine], has: Callable[[RoundLine], bool]) -> int | None:
    return next((line.round for line in lines if has(line)), None)
