"""The tree of deliberate errors: one root, one code each, nothing secret."""

from inspect import getdoc

import pytest

from secure_clove import errors
from secure_clove.errors import BudgetExceededError, CloveError, PolicyRefusedError

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, CloveError)
]
OWN_CODE = [kind for kind in KINDS if "code" in vars(kind)]


def test_every_error_descends_from_one_root() -> None:
    named = {name for name in vars(errors) if name.endswith("Error")}
    assert named == {kind.__name__ for kind in KINDS}


def test_no_two_errors_share_a_code() -> None:
    codes = [kind.code for kind in OWN_CODE]
    assert len(set(codes)) == len(codes)


def test_only_the_abstract_peer_error_inherits_its_code() -> None:
    assert [kind for kind in KINDS if kind not in OWN_CODE] == [errors.RemoteProtocolError]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_drawn_in_the_tree_of_the_module(kind: type[Exception]) -> None:
    assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_says_what_it_means(kind: type[Exception]) -> None:
    assert getdoc(kind)


def test_a_budget_error_names_the_cost_the_limit_and_the_cure() -> None:
    said = str(BudgetExceededError(after=4.25, limit=4.0, delta=1e-5))
    assert "4.25" in said
    assert "limit 4;" in said
    assert "max_epsilon" in said


def test_a_policy_error_keeps_its_clause() -> None:
    refused = PolicyRefusedError("min_cohort", "sums over 2 clients")
    assert (refused.clause, str(refused)) == (
        "min_cohort",
        "policy clause 'min_cohort': sums over 2 clients",
    )
