"""The audit of a whole run, as a person starts it."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from secure_clove.engine import guard
from secure_clove.errors import ConfigError, StoreError
from secure_clove.foundation.seeds import Entropy, SimulatedEntropy
from secure_clove.observe.runs import AuditRow
from secure_clove.privacy.mechanisms import Integers, discrete_gaussian
from tests.threat_models.builders import settings
from threat_models import report
from threat_models.__main__ import app
from threat_models.base import Case, Interval, NotApplicable, Outcome, Verdict
from threat_models.suite import ATTACKS, case_of, has_leak
from threat_models.trap_models import TrapModels
from threat_models.views import CoordinatorView

VERDICT = Verdict(
    metric="AUC",
    with_defence=0.6,
    without_defence=1.0,
    bound=0.61,
    interval_with=(0.55, 0.65),
    interval_without=(0.9, 1.0),
    level=0.999,
    trials=100,
    passed=True,
    verdict="holds",
    note="A sentence.",
    extras={"epsilon_claimed": float("inf"), "client": "client-00"},
)
NOTHING = NotApplicable(reason="nothing to attack")
TRIALS = "100"


@pytest.fixture(scope="module")
def audited(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the run with its audit.json."""
    folder = tmp_path_factory.mktemp("audited") / "run"
    shutil.copytree(run_folder, folder)
    result = CliRunner().invoke(app, ["run", str(folder), "--trials", TRIALS])
    assert result.exit_code == 0, result.output
    return folder


def rows(folder: Path) -> Mapping[str, AuditRow]:
    found = json.loads((folder / report.AUDIT).read_bytes())
    return msgspec.convert(found["attacks"], dict[str, AuditRow])


def test_every_attack_of_a_run_is_an_audit_row(audited: Path) -> None:
    assert rows(audited).keys() == {attack.code for attack in ATTACKS}


def test_the_file_states_its_version_and_what_was_measured(audited: Path) -> None:
    found = json.loads((audited / report.AUDIT).read_bytes())
    assert found["schema_version"] == 1
    extras = found["attacks"]["A1"]
    for name in ("tpr_at_1_percent", "epsilon_lower_bound", "epsilon_claimed", "trials"):
        assert isinstance(extras[name], int | float)


def test_the_claim_is_that_of_the_releases_really_made(audited: Path) -> None:
    found = json.loads((audited / report.AUDIT).read_bytes())["attacks"]["A1"]
    assert found["releases"] == len(case_of(audited).view.embeddings)
    budgets = settings().privacy
    assert budgets is not None
    assert found["epsilon_claimed"] <= budgets.epsilon_embedding + 1e-6


def test_clear_losses_give_members_away(audited: Path) -> None:
    assert rows(audited)["A1"].without_defence == 1


def test_the_real_client_code_is_not_accused(run_folder: Path) -> None:
    attack = TrapModels(noise=SimulatedEntropy(5))
    found = attack.run(case_of(run_folder), 200, lambda _: None)
    assert isinstance(found, Verdict)
    assert found.passed
    assert found.bound is not None
    assert found.interval_with[0] <= found.bound


def test_a_run_without_privacy_makes_no_promise(bare_folder: Path) -> None:
    found = TrapModels().run(case_of(bare_folder), 100, lambda _: None)
    assert isinstance(found, Verdict)
    assert found.bound is None
    assert found.with_defence == 1
    assert found.passed
    assert "no privacy" in found.verdict


def test_a_run_without_embeddings_has_no_members_to_trap(run_folder: Path) -> None:
    case = case_of(run_folder)
    silent = CoordinatorView(config=case.view.config, singles=())
    found = TrapModels().run(Case(view=silent, world=case.world), 100, lambda _: None)
    assert isinstance(found, NotApplicable)


def test_a_sealed_run_is_held_to_what_its_vectors_would_give_away(hidden_folder: Path) -> None:
    attack = TrapModels(noise=SimulatedEntropy(5))
    found = attack.run(case_of(hidden_folder), 200, lambda _: None)
    assert isinstance(found, Verdict)
    assert found.passed
    assert "every mask is broken" in found.note


def halved(sigma: float, count: int, entropy: Entropy) -> Integers:
    return discrete_gaussian(sigma / 2, count, entropy)


def repeated(sigma: float, count: int, entropy: Entropy) -> Integers:
    return np.repeat(discrete_gaussian(sigma, 1, entropy), count)


@pytest.mark.parametrize("broken", [halved, repeated])
def test_the_gate_fails_when_the_client_code_is_broken(
    single_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: object
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(single_folder, folder)
    monkeypatch.setattr(guard, "discrete_gaussian", broken)
    result = CliRunner().invoke(app, ["run", str(folder), "--trials", "300", "--gate"])
    assert result.exit_code == 1
    assert "LEAK" in result.output


def test_without_the_gate_a_leak_is_only_told() -> None:
    assert has_leak({"A1": replace(VERDICT, passed=False), "A4": NOTHING})
    assert not has_leak({"A1": VERDICT, "A4": NOTHING})


def test_json_goes_to_standard_output(single_folder: Path) -> None:
    chosen = ["--trials", "100", "--format", "json"]
    result = CliRunner().invoke(app, ["run", str(single_folder), *chosen])
    assert json.loads(result.stdout) == json.loads((single_folder / report.AUDIT).read_bytes())


def test_an_audit_of_nothing_fails_and_says_why(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["run", str(tmp_path)])
    assert result.exit_code == 2
    assert "finished run" in result.output.replace("\n", " ")


def test_the_attacks_are_listed() -> None:
    result = CliRunner().invoke(app, ["list"])
    assert result.exit_code == 0
    assert all(attack.code in result.output for attack in ATTACKS)


def test_a_run_of_one_round_says_what_could_not_be_attacked(single_folder: Path) -> None:
    result = CliRunner().invoke(app, ["run", str(single_folder), "--trials", "100"])
    assert result.exit_code == 0
    assert "not applicable" in result.output
    found = json.loads((single_folder / report.AUDIT).read_bytes())
    assert found["not_applicable"].keys() == {"A4"}


def test_what_is_not_finite_becomes_null() -> None:
    assert report.row(VERDICT)["epsilon_claimed"] is None


@pytest.mark.parametrize("found", [VERDICT, replace(VERDICT, passed=False, bound=None), NOTHING])
def test_every_outcome_has_a_line_for_people(found: Outcome) -> None:
    console = Console(width=100, file=StringIO())
    with console.capture() as captured:
        outcomes = {attack.code: NOTHING for attack in ATTACKS} | {"A1": found}
        console.print(report.shown(ATTACKS, outcomes))
    told = captured.get()
    assert "not applicable" in told
    assert isinstance(found, NotApplicable) or found.verdict in told


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="could not be written"):
        report.write(tmp_path / "missing", {"A1": VERDICT})


@pytest.mark.parametrize("interval", [(0.7, 0.6), (-0.1, 0.5), (0.5, 1.1)])
def test_an_interval_that_cannot_be_is_refused(interval: Interval) -> None:
    with pytest.raises(ConfigError, match="interval"):
        replace(VERDICT, interval_with=interval)


def test_a_verdict_without_trials_is_refused() -> None:
    with pytest.raises(ConfigError, match="trial"):
        replace(VERDICT, trials=0)
