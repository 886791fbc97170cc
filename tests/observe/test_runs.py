"""A run's folder: what goes in comes out, and what cannot be true is refused."""

from math import inf, nan
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_clove.errors import ConfigError, StoreError
from secure_clove.observe.runs import (
    METRICS,
    SUMMARY,
    RunWriter,
    Summary,
    read_rounds,
    read_summary,
    write_summary,
)
from tests.observe.builders import make_audit, make_round, make_summary

SUMMARY_KEYS = """
schema_version config_hash dataset clients clusters rounds transport secure_aggregation noise_mode
entropy embedding ari_by_round ari_final first_round_ari_0_9 accuracy_mean accuracy_by_client
epsilon_embedding epsilon_update epsilon_total delta unit dropouts bytes_up bytes_down wall_seconds
audit
"""


def test_rounds_come_back_as_they_were_written(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run")
    records = [make_round(number) for number in (1, 2, 3)]
    for record in records:
        writer.append(record)
    assert read_rounds(tmp_path / "run" / METRICS) == records


@given(client=st.text(min_size=1), ari=st.none() | st.floats(-0.5, 1))
def test_any_client_id_makes_one_line_of_json(client: str, ari: float | None) -> None:
    record = make_round(ari=ari, assignment={client: 0}, dropouts=(client,))
    line = msgspec.json.encode(record)
    assert b"\n" not in line
    assert msgspec.json.decode(line, type=type(record)) == record


def test_every_round_is_readable_as_soon_as_it_is_written(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    writer.append(make_round(1))
    assert len(read_rounds(tmp_path / METRICS)) == 1


def test_rounds_from_before_signal_to_noise_was_measured_are_read(tmp_path: Path) -> None:
    told = msgspec.to_builtins(make_round())
    old = {name: value for name, value in told.items() if not name.startswith("snr_")}
    (tmp_path / METRICS).write_bytes(msgspec.json.encode(old) + b"\n")
    (record,) = read_rounds(tmp_path / METRICS)
    assert (record.snr_embedding, record.snr_update, record.snr_metrics) == (None, None, None)


def test_numbers_of_numpy_are_written_as_plain_numbers(tmp_path: Path) -> None:
    RunWriter(tmp_path).append(make_round(ari=np.float64(0.25), clusters={"0": np.int64(4)}))
    assert read_rounds(tmp_path / METRICS)[0].clusters == {"0": 4}


def test_a_run_without_rounds_is_empty(tmp_path: Path) -> None:
    (tmp_path / METRICS).touch()
    assert read_rounds(tmp_path / METRICS) == []


def test_a_last_line_that_was_cut_off_is_ignored(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    writer.append(make_round(1))
    writer.append(make_round(2))
    path = tmp_path / METRICS
    path.write_bytes(path.read_bytes()[:-30])
    assert [record.round for record in read_rounds(path)] == [1]


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    line = msgspec.json.encode(make_round())
    (tmp_path / METRICS).write_bytes(line + b"\n" + line[:40] + b"\n" + line + b"\n")
    with pytest.raises(StoreError, match=r"line 2 of metrics\.jsonl"):
        read_rounds(tmp_path / METRICS)


def test_a_round_of_another_schema_version_is_refused(tmp_path: Path) -> None:
    line = msgspec.json.encode(make_round()).replace(b'"schema_version":1', b'"schema_version":2')
    (tmp_path / METRICS).write_bytes(line + b"\n")
    with pytest.raises(StoreError, match="line 1"):
        read_rounds(tmp_path / METRICS)


def test_an_error_never_quotes_the_damaged_line(tmp_path: Path) -> None:
    (tmp_path / METRICS).write_bytes(b'{"secret-site": 1}\n{}\n')
    with pytest.raises(StoreError) as caught:
        read_rounds(tmp_path / METRICS)
    assert "secret-site" not in str(caught.value)


def test_rounds_that_are_not_there_are_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        read_rounds(tmp_path / METRICS)


def test_an_existing_run_is_not_overwritten(tmp_path: Path) -> None:
    RunWriter(tmp_path).append(make_round())
    with pytest.raises(StoreError, match="holds a run already"):
        RunWriter(tmp_path)


def test_a_fresh_start_removes_the_old_run_only(tmp_path: Path) -> None:
    RunWriter(tmp_path).append(make_round())
    (tmp_path / "notes.txt").write_text("keep")
    RunWriter(tmp_path, fresh=True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_with_other_files_only_is_taken(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("x = 1")
    RunWriter(tmp_path).append(make_round())
    assert (tmp_path / METRICS).exists()


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        RunWriter(tmp_path / "file" / "run")


def test_a_summary_comes_back_as_it_was_written(tmp_path: Path) -> None:
    summary = make_summary([make_round()], audit={"A4": make_audit(bound=None, note="n")})
    path = RunWriter(tmp_path).summarise(summary)
    assert read_summary(path) == summary


def test_a_summary_has_exactly_the_promised_keys(tmp_path: Path) -> None:
    write_summary(tmp_path / SUMMARY, make_summary())
    assert set(msgspec.json.decode((tmp_path / SUMMARY).read_bytes())) == set(SUMMARY_KEYS.split())


def test_a_summary_leaves_no_draft_behind(tmp_path: Path) -> None:
    write_summary(tmp_path / SUMMARY, make_summary())
    assert [path.name for path in tmp_path.iterdir()] == [SUMMARY]


def test_a_file_that_is_no_summary_is_refused(tmp_path: Path) -> None:
    (tmp_path / SUMMARY).write_text("[]")
    with pytest.raises(StoreError, match="not a valid Summary"):
        read_summary(tmp_path / SUMMARY)


def test_a_summary_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="could not be written"):
        write_summary(tmp_path / "missing" / SUMMARY, make_summary())


@pytest.mark.parametrize("value", [nan, inf, -inf])
@pytest.mark.parametrize("name", ["ari", "accuracy_released", "epsilon_total", "seconds"])
def test_a_round_with_a_number_that_json_cannot_hold_is_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match="not finite"):
        make_round(**{name: value})


def test_numbers_that_json_cannot_hold_are_refused_inside_mappings() -> None:
    with pytest.raises(ConfigError, match="accuracy_by_client is not finite"):
        make_summary(accuracy_by_client={"a": nan})


def test_numbers_that_json_cannot_hold_are_refused_inside_tuples() -> None:
    with pytest.raises(ConfigError, match="ari_by_round is not finite"):
        make_summary(ari_by_round=(1.0, nan))


def test_numbers_that_json_cannot_hold_are_refused_inside_audits() -> None:
    with pytest.raises(ConfigError, match="bound is not finite"):
        make_audit(bound=inf)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("round", 0),
        ("ari", 1.1),
        ("accuracy", -0.1),
        ("stable_share", 2.0),
        ("epsilon_total", -1.0),
        ("snr_update", -1.0),
        ("bytes_up", -1),
        ("schema_version", 2),
    ],
)
def test_a_round_that_cannot_have_happened_is_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError):
        make_round(**{name: value})


def test_a_released_accuracy_may_leave_the_unit_interval_because_of_its_noise() -> None:
    assert make_round(accuracy_released=1.02).accuracy_released == 1.02


@pytest.mark.parametrize(
    ("name", "value"), [("entropy", "dice"), ("ari_final", 2.0), ("delta", -1.0), ("clients", -1)]
)
def test_a_summary_that_cannot_be_true_is_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError):
        make_summary(**{name: value})


def test_an_interval_upside_down_is_refused() -> None:
    with pytest.raises(ConfigError, match="lower end"):
        make_audit(interval_with=(0.7, 0.5))


def test_no_bound_at_all_is_written_as_null(tmp_path: Path) -> None:
    summary: Summary = make_summary(epsilon_total=None)
    write_summary(tmp_path / SUMMARY, summary)
    assert '"epsilon_total": null' in (tmp_path / SUMMARY).read_text()
