"""The numbers of an audit in words."""

import pytest

from secure_clove.studies.verdicts import Verdict, attack_of, is_error, judge, sentence
from tests.observe.builders import make_audit


def test_the_sentence_names_attacker_score_limit_and_what_the_defence_changed() -> None:
    said = sentence("A1", make_audit(interval_with=None, note="Both halves agree."))
    assert said.startswith("An attacker who ")
    assert said.endswith(
        "gets AUC 0.61; theory allows at most 0.64; without the defence: 1.00. Both halves agree."
    )


def test_an_interval_is_told() -> None:
    assert "AUC 0.61 (0.58 to 0.63)" in sentence("A1", make_audit())


def test_an_attack_without_a_bound_claims_none() -> None:
    assert "allows" not in sentence("A1", make_audit(bound=None))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("A4", "A4"),
        ("A3 label distribution", "A3"),
        ("A3 active", "A3 active"),
        ("a1_trap_models", "A1"),
        ("linkability", "A4"),
        ("membership", "A2"),
        ("A12", ""),
    ],
)
def test_an_attack_is_known_by_its_number_or_its_word(name: str, code: str) -> None:
    assert attack_of(name).code == code


def test_an_attack_that_is_not_known_is_told_by_its_name() -> None:
    assert sentence("timing", make_audit()).startswith("The attack 'timing' gets AUC")


@pytest.mark.parametrize("metric", ["L1 of the histogram", "relative error", "RMS"])
def test_more_of_an_error_is_worse_for_the_attacker(metric: str) -> None:
    assert is_error(metric)


@pytest.mark.parametrize("metric", ["AUC", "top-1 accuracy", "TPR at 1 % FPR"])
def test_more_of_a_score_is_better_for_the_attacker(metric: str) -> None:
    assert not is_error(metric)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"interval_with": None}, Verdict.WITHIN),
        ({"interval_with": None, "with_defence": 0.7}, Verdict.OVER),
        ({"interval_with": (0.6, 0.8), "with_defence": 0.7}, Verdict.WITHIN),
        ({"interval_with": (0.65, 0.8), "with_defence": 0.7}, Verdict.OVER),
        ({"bound": None}, Verdict.UNLIMITED),
        ({"metric": "error", "interval_with": None}, Verdict.OVER),
        ({"metric": "error", "interval_with": (0.6, 0.7)}, Verdict.WITHIN),
    ],
)
def test_an_attack_is_judged_by_the_end_of_its_interval_that_favours_the_defence(
    changes: dict[str, object], verdict: Verdict
) -> None:
    assert judge(make_audit(**changes)) is verdict
