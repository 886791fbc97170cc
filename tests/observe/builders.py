"""Made-up rounds and summaries for the tests of what people look at."""

from collections.abc import Sequence
from typing import Any

from secure_clove.observe.runs import AuditRow, RoundRecord, Summary

CLIENTS = ("a", "b", "c", "d")


def make_round(number: int = 1, /, **changes: object) -> RoundRecord:
    """Return a plausible round; ``changes`` replace fields."""
    fields: dict[str, Any] = {
        "round": number,
        "ari": 0.5,
        "agreement": None if number == 1 else 1.0,
        "accuracy": 0.8,
        "accuracy_released": 0.81,
        "epsilon_embedding": 0.05,
        "epsilon_update": 0.3 * number,
        "epsilon_metrics": 0.01,
        "epsilon_total": 0.31 * number,
        "delta": 1e-5,
        "snr_embedding": 2.5,
        "snr_update": 12.0 / number,
        "snr_metrics": None,
        "clusters": {"0": 2, "1": 2},
        "assignment": {"a": 0, "b": 0, "c": 1, "d": 1},
        "stable_share": None,
        "cohort": 4,
        "dropouts": ("d",),
        "bytes_up": 1200,
        "bytes_down": 3400,
        "seconds": 1.5,
        "aborted_attempts": 0,
    }
    return RoundRecord(**(fields | changes))


def make_audit(**changes: object) -> AuditRow:
    """Return an attack that stayed inside its limit; ``changes`` replace fields."""
    fields: dict[str, Any] = {
        "metric": "AUC",
        "with_defence": 0.61,
        "without_defence": 1.0,
        "bound": 0.64,
        "interval_with": (0.58, 0.63),
    }
    return AuditRow(**(fields | changes))


def make_summary(records: Sequence[RoundRecord] = (), /, **changes: object) -> Summary:
    """Return the summary of ``records``; ``changes`` replace fields."""
    fields: dict[str, Any] = {
        "config_hash": "ab" * 32,
        "dataset": "digits",
        "clients": 4,
        "clusters": 2,
        "rounds": len(records),
        "transport": "local",
        "secure_aggregation": True,
        "noise_mode": "local",
        "entropy": "os",
        "embedding": "directional",
        "ari_by_round": tuple(record.ari for record in records),
        "ari_final": 1.0,
        "first_round_ari_0_9": 2,
        "accuracy_mean": 0.8,
        "accuracy_by_client": dict.fromkeys(CLIENTS, 0.8),
        "epsilon_embedding": 0.05,
        "epsilon_update": 0.9,
        "epsilon_total": 0.93,
        "delta": 1e-5,
        "unit": "example",
        "dropouts": 3,
        "bytes_up": 5000,
        "bytes_down": 9000,
        "wall_seconds": 12.5,
        "audit": {"A1": make_audit()},
    }
    return Summary(**(fields | changes))
