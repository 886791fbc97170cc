"""What a run writes to its folder: one JSON line a round, and a summary at the end."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from math import isfinite
from operator import index
from pathlib import Path
from typing import SupportsIndex, TypeVar

import msgspec

from secure_clove.errors import ConfigError, StoreError

SCHEMA_VERSION = 1
METRICS, SUMMARY, REPORT = "metrics.jsonl", "summary.json", "report.html"
KNOWN_FILES = (METRICS, SUMMARY, REPORT)

T = TypeVar("T")


def _refuse_non_finite(name: str, value: object) -> None:
    if isinstance(value, float) and not isfinite(value):
        raise ConfigError(f"{name} is not finite, which JSON cannot hold; pass None for unknown")
    if isinstance(value, Mapping):
        for part in value.values():
            _refuse_non_finite(name, part)
    elif isinstance(value, tuple):
        for part in value:
            _refuse_non_finite(name, part)


def _refuse_outside(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        raise ConfigError(f"{name} must lie in [{low:g}, {high:g}]")


def _refuse_negative(record: object, names: Iterable[str]) -> None:
    for name in names:
        value = getattr(record, name)
        if value is not None and value < 0:
            raise ConfigError(f"{name} must not be negative")


def _refuse_unfit(record: "RoundRecord | Summary | AuditRow") -> None:
    for slot in fields(record):
        _refuse_non_finite(slot.name, getattr(record, slot.name))
    if getattr(record, "schema_version", SCHEMA_VERSION) != SCHEMA_VERSION:
        raise ConfigError(f"schema version {SCHEMA_VERSION} expected; read it with its own release")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRecord:
    """One round as people see it: one line of ``metrics.jsonl``.

    Attributes:
        schema_version: Version of these fields.
        round: Counted from 1.
        ari: Adjusted Rand index with the true clusters; None where they are unknown.
        agreement: Adjusted Rand index with the round before; None in the first.
        accuracy: Mean of the clients' own held-out accuracies, as each knows it locally.
        accuracy_released: What the coordinator computes from noised, masked counts; the noise can
            push it outside [0, 1].
        epsilon_embedding: ε spent so far on clustering; None is no bound at all.
        epsilon_update: The same for the model updates.
        epsilon_metrics: The same for released metrics.
        epsilon_total: All of it composed together, at most the sum of the three.
        delta: δ of every ε here.
        snr_embedding: Signal to noise, norm over norm, of one client's embedding in this round, on
            average; None where none was released, or no noise of known law.
        snr_update: The same of the summed model updates.
        snr_metrics: The same of the released metrics.
        clusters: Count of clients by model index.
        assignment: Model index by client.
        stable_share: Share of clients that kept their model, in [0, 1].
        cohort: Count of clients asked.
        dropouts: Clients that did not finish.
        bytes_up: Bytes from all clients to the coordinator.
        bytes_down: Bytes from the coordinator to all clients.
        seconds: Wall-clock time of the round.
        aborted_attempts: Attempts that ended without a sum and were run again.
    """

    schema_version: int = SCHEMA_VERSION
    round: int
    ari: float | None
    agreement: float | None
    accuracy: float | None
    accuracy_released: float | None
    epsilon_embedding: float | None
    epsilon_update: float | None
    epsilon_metrics: float | None
    epsilon_total: float | None
    delta: float
    snr_embedding: float | None = None
    snr_update: float | None = None
    snr_metrics: float | None = None
    clusters: Mapping[str, int]
    assignment: Mapping[str, int]
    stable_share: float | None
    cohort: int
    dropouts: tuple[str, ...]
    bytes_up: int
    bytes_down: int
    seconds: float
    aborted_attempts: int

    def __post_init__(self) -> None:
        """Refuse what cannot have happened and what JSON cannot hold."""
        _refuse_unfit(self)
        if self.round < 1:
            raise ConfigError("rounds are counted from 1")
        for name in ("ari", "agreement"):
            _refuse_outside(name, getattr(self, name), -1.0, 1.0)
        for name in ("accuracy", "stable_share", "delta"):
            _refuse_outside(name, getattr(self, name), 0.0, 1.0)
        spent = ("epsilon_embedding", "epsilon_update", "epsilon_metrics", "epsilon_total")
        ratios = ("snr_embedding", "snr_update", "snr_metrics")
        counts = ("cohort", "bytes_up", "bytes_down", "seconds", "aborted_attempts")
        _refuse_negative(self, (*spent, *ratios, *counts))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """How far one attack got on this run.

    Attributes:
        metric: What is measured, such as ``AUC``.
        with_defence: Its value against the run as it was.
        without_defence: Its value against the same run without the defence.
        bound: What theory or guessing allows; None where nothing is claimed.
        note: One more sentence for people.
        interval_with: Confidence interval of ``with_defence``.
        interval_without: Confidence interval of ``without_defence``.
    """

    metric: str
    with_defence: float
    without_defence: float
    bound: float | None
    note: str = ""
    interval_with: tuple[float, float] | None = None
    interval_without: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that JSON cannot hold and intervals that are upside down."""
        _refuse_unfit(self)
        for interval in (self.interval_with, self.interval_without):
            if interval is not None and interval[0] > interval[1]:
                raise ConfigError("an interval is (lower end, upper end)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The whole run in numbers: ``summary.json``.

    Attributes:
        schema_version: Version of these fields.
        config_hash: Hex SHA-256 of the resolved configuration.
        dataset: Its name.
        clients: Count of clients.
        clusters: Count of cluster models.
        rounds: Rounds finished.
        transport: How messages travelled, such as ``local`` or ``http``.
        secure_aggregation: Whether model updates were masked.
        noise_mode: Who adds the noise: ``local``, ``distributed`` or ``none``.
        entropy: ``os``, or ``simulated``: the noise can be predicted and nothing is private.
        embedding: What clients send for clustering, such as ``directional`` or ``raw``.
        ari_by_round: One entry a round.
        ari_final: The last of them.
        first_round_ari_0_9: First round, counted from 1, with an index of 0.9 or more; None: never.
        accuracy_mean: Mean held-out accuracy of the clients at the end.
        accuracy_by_client: The same by client.
        epsilon_embedding: ε spent on clustering; None is no bound at all.
        epsilon_update: ε spent on model updates.
        epsilon_total: ε in total, metrics included.
        delta: δ of every ε here.
        unit: Whose presence ε hides, such as ``example``.
        dropouts: How often a client dropped out, over all rounds.
        bytes_up: Bytes from all clients to the coordinator.
        bytes_down: Bytes from the coordinator to all clients.
        wall_seconds: Wall-clock time of the run.
        audit: How far each attack got, by its name.
    """

    schema_version: int = SCHEMA_VERSION
    config_hash: str
    dataset: str
    clients: int
    clusters: int
    rounds: int
    transport: str
    secure_aggregation: bool
    noise_mode: str
    entropy: str
    embedding: str
    ari_by_round: tuple[float | None, ...]
    ari_final: float | None
    first_round_ari_0_9: int | None
    accuracy_mean: float | None
    accuracy_by_client: Mapping[str, float]
    epsilon_embedding: float | None
    epsilon_update: float | None
    epsilon_total: float | None
    delta: float
    unit: str
    dropouts: int
    bytes_up: int
    bytes_down: int
    wall_seconds: float
    audit: Mapping[str, AuditRow] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot have happened and what JSON cannot hold."""
        _refuse_unfit(self)
        if self.entropy not in ("os", "simulated"):
            raise ConfigError("entropy is 'os' or 'simulated'")
        for value in (self.ari_final, *self.ari_by_round):
            _refuse_outside("ari", value, -1.0, 1.0)
        for share in (self.accuracy_mean, self.delta, *self.accuracy_by_client.values()):
            _refuse_outside("accuracies and delta", share, 0.0, 1.0)
        spent = ("epsilon_embedding", "epsilon_update", "epsilon_total", "wall_seconds")
        counts = ("clients", "clusters", "rounds", "dropouts", "bytes_up", "bytes_down")
        _refuse_negative(self, (*spent, *counts))


def _plain_number(value: float | SupportsIndex) -> float | int:
    return float(value) if isinstance(value, float) else index(value)


_ENCODER = msgspec.json.Encoder(enc_hook=_plain_number)


class RunWriter:
    """Writes a run's folder: a whole line or nothing, so that a reader never sees half a round."""

    def __init__(self, directory: Path, *, fresh: bool = False) -> None:
        """Make the folder ready.

        Args:
            directory: The run's folder; created with its parents.
            fresh: Remove an earlier run's files; files of other names stay.

        Raises:
            StoreError: the folder holds a run already, or cannot be written.
        """
        self.directory = directory
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._clear(fresh=fresh)
        except OSError as error:
            raise StoreError(f"the run folder cannot be written: {error.strerror}") from error

    def _clear(self, *, fresh: bool) -> None:
        present = [self.directory / name for name in KNOWN_FILES]
        present = [path for path in present if path.is_file() and path.stat().st_size]
        if present and not fresh:
            raise StoreError(
                f"'{self.directory.name}' holds a run already; choose another name, or ask for a "
                "fresh start to remove it"
            )
        for path in present:
            path.unlink()

    def append(self, record: RoundRecord) -> None:
        """Add one round to ``metrics.jsonl``.

        Raises:
            StoreError: the line could not be written whole.
        """
        line = _ENCODER.encode(record) + b"\n"
        try:
            with (self.directory / METRICS).open("ab", buffering=0) as file:
                written = file.write(line)
        except OSError as error:
            raise StoreError(f"a round could not be recorded: {error.strerror}") from error
        if written != len(line):
            raise StoreError("a round was recorded in part; is the disk full?")

    def summarise(self, summary: Summary) -> Path:
        """Write ``summary.json`` and return its path.

        Raises:
            StoreError: it could not be written.
        """
        path = self.directory / SUMMARY
        write_summary(path, summary)
        return path


def read_rounds(path: Path) -> list[RoundRecord]:
    """Return the rounds of a ``metrics.jsonl``.

    A last line that was cut off, as a crash leaves it, is ignored.

    Raises:
        StoreError: the file cannot be read, or another line is damaged; the message names it.
    """
    lines = _read(path).split(b"\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if lines and not _is_json(lines[-1]):
        lines.pop()
    return [
        _decode(line, RoundRecord, f"line {n} of {path.name}") for n, line in enumerate(lines, 1)
    ]


def write_summary(path: Path, summary: Summary) -> None:
    """Write ``summary`` as readable JSON, replacing the file in one step.

    Raises:
        StoreError: it could not be written.
    """
    draft = path.with_name(f"{path.name}.tmp")
    try:
        draft.write_bytes(msgspec.json.format(_ENCODER.encode(summary), indent=2) + b"\n")
        draft.replace(path)
    except OSError as error:
        raise StoreError(f"the summary could not be written: {error.strerror}") from error


def read_summary(path: Path) -> Summary:
    """Return the summary at ``path``.

    Raises:
        StoreError: the file cannot be read or is not a summary.
    """
    return _decode(_read(path), Summary, path.name)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path.name} cannot be read: {error.strerror}") from error


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except msgspec.DecodeError:
        return False
    return True


def _decode(data: bytes, kind: type[T], where: str) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, ConfigError) as error:
        raise StoreError(f"{where} is not a valid {kind.__name__} of this release") from error
