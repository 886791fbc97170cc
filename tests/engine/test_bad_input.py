"""Input that nothing can be made of: a clear error or a documented result, from end to end.

Where a client refuses, nothing was sent and nothing is in its ledger, and no message repeats a
number of its data. What the documents promise of losses that cannot be used: without a privacy plan
they are refused; under one the row of such an example counts as zero, as if it were zeroed out, so
that whether it overflowed does not show (privacy.md, "The loss embedding").
"""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from typer.testing import CliRunner

from secure_clove.cli.app import app
from secure_clove.engine.policy import Policy
from secure_clove.errors import CloveError, ConfigError, DataError, PolicyRefusedError
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.trees import Vector
from secure_clove.learn.models import linear
from secure_clove.learn.tasks import TorchTask
from secure_clove.privacy.calibration import multiplier_for
from secure_clove.privacy.ledger import Ledger
from secure_clove.sdk.config import PrivacySettings, Settings
from secure_clove.sdk.simulate import simulate
from tests.builders import tiny_tasks
from tests.engine.builders import LOUD, NAME, Toy, ToyTrainer

torch.set_num_threads(1)

SECRET = 1234.5678
"""A number of somebody's data that no message may repeat."""

VISIBLE: dict[str, Any] = {"algorithm": "sealed-clove", "options": {"membership": "visible"}}
HIDDEN: dict[str, Any] = {"algorithm": "sealed-clove", "options": {"membership": "hidden"}}
CLUSTERED: tuple[dict[str, Any], ...] = ({}, VISIBLE, HIDDEN, {"algorithm": "ifca"})
clustered = pytest.mark.parametrize(
    "changes", CLUSTERED, ids=["noised", "visible", "hidden", "ifca"]
)

ANYTHING = Policy(max_epsilon=float("inf"))
LIMITED = Policy(max_epsilon=99.0)


class Told(ToyTrainer):
    """Loses what it is told to."""

    def __init__(self, trainer: ToyTrainer, rows: Callable[[Vector], Vector]) -> None:
        super().__init__(trainer.points)
        self._rows = rows

    def losses(self, models: Vector) -> Vector:
        return self._rows(super().losses(models))


def told(
    rows: Callable[[Vector], Vector], policy: Policy, changes: dict[str, Any]
) -> tuple[Toy, list[str]]:
    """Return a federation whose clients lose what ``rows`` makes of it, and what they send."""
    sent: list[str] = []
    toy = Toy(policy=policy, changes={"rounds": 1} | changes)
    toy.trainers = {name: Told(old, rows) for name, old in toy.trainers.items()}
    for participant in toy.participants.values():
        put = participant._carrier.put

        def heard(sid: str, step: str, body: bytes, put: Any = put) -> None:
            sent.append(step)
            put(sid, step, body)

        participant._carrier.put = heard  # type: ignore[method-assign]
    toy.start()
    return toy, sent


def fails(toy: Toy, sent: list[str], error: type[CloveError], words: str) -> None:
    """Run to the error, of which nothing may have come."""
    with pytest.raises(error, match=words) as caught:
        toy.run()
    assert str(SECRET) not in str(caught.value)
    assert not {"reply", "masked"} & set(sent)
    assert all(journal.entries() == () for journal in toy.journals.values())


def spoilt(bad: float) -> Callable[[Vector], Vector]:
    """Return losses of which one example's are ``bad`` and one is a secret."""

    def rows(true: Vector) -> Vector:
        made = true.copy()
        made[0], made[1] = bad, SECRET
        return made

    return rows


def zeroed(true: Vector) -> Vector:
    return spoilt(0.0)(true)


# ---- losses


@clustered
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_without_privacy_a_loss_that_is_no_number_is_refused(
    changes: dict[str, Any], bad: float
) -> None:
    toy, sent = told(spoilt(bad), ANYTHING, changes)
    fails(toy, sent, DataError, "a loss is NaN or infinite; check data and models")


@pytest.mark.parametrize(
    ("changes", "bad"), [*((changes, np.nan) for changes in CLUSTERED), ({}, np.inf)]
)
def test_under_noise_a_loss_that_is_no_number_counts_as_an_example_zeroed_out(
    changes: dict[str, Any], bad: float
) -> None:
    made = {"privacy": LOUD} | changes
    found, reference = told(spoilt(bad), LIMITED, made)[0], told(zeroed, LIMITED, made)[0]
    for toy in (found, reference):
        toy.run()
    assert len(found.coordinator.reports(NAME)) == 1
    for name in found.names:
        assert found.participants[name].ledger == reference.participants[name].ledger
        ours, theirs = (toy.participants[name].model for toy in (found, reference))
        np.testing.assert_array_equal(ours, theirs)


@clustered
def test_under_noise_losses_that_are_all_equal_are_clustered_by_their_noise_alone(
    changes: dict[str, Any],
) -> None:
    """They say nothing: the same is released for every constant, and it is charged."""
    made = {"privacy": LOUD} | changes
    toys = [
        told(lambda true, c=constant: np.full_like(true, c), LIMITED, made)[0]  # type: ignore[misc]
        for constant in (SECRET, 0.5)
    ]
    for toy in toys:
        toy.run()
        assert len(toy.coordinator.reports(NAME)) == 1
    one, two = toys
    for name in one.names:
        assert 0 < one.participants[name].ledger.totals().embedding < 99
        np.testing.assert_array_equal(one.participants[name].model, two.participants[name].model)


@pytest.mark.parametrize("changes", [{}, VISIBLE], ids=["noised", "visible"])
def test_without_privacy_losses_that_are_all_equal_make_one_group(changes: dict[str, Any]) -> None:
    toy, _ = told(lambda true: np.full_like(true, 0.5), ANYTHING, changes)
    toy.run()
    assert len(set(toy.assignment().values())) == 1


class Amplified(nn.Module):
    """A classifier whose scores are far larger than its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = 100 * self.layer(x)
        return scores


def overflowing() -> dict[ClientId, TorchTask]:
    """Return tasks of which one has an example so far out that no model has a loss on it."""
    tasks: dict[ClientId, TorchTask] = {}
    for client, old in tiny_tasks().items():
        x, y = old.training.x.clone(), old.training.y
        x[0] = 3e38 if not tasks else x[0]
        tasks[client] = TorchTask(model=Amplified, train=(x, y), test=(x[1:], y[1:]))
    return tasks


def test_a_real_model_that_overflows_is_refused_without_privacy() -> None:
    made = Settings(clusters=2, rounds=1, privacy=None)
    with pytest.raises(DataError, match="NaN or infin") as caught:
        simulate(made, overflowing())
    assert not re.search(r"\d", str(caught.value))


def test_a_real_model_that_overflows_does_not_show_under_noise() -> None:
    result = simulate(Settings(clusters=2, rounds=1), overflowing())
    for client in result.clients.values():
        assert client.model is not None
        assert np.isfinite(client.model).all()
    spent = {client.spent.total for client in result.clients.values()}
    assert len(spent) == 1


# ---- no example, one model


@pytest.mark.parametrize("algorithm", ["clove", "sealed-clove", "ifca", "fedavg"])
@pytest.mark.parametrize("private", [True, False])
def test_a_client_without_examples_cannot_take_part(algorithm: str, private: bool) -> None:
    plan = LOUD if private else None
    toy, sent = told(lambda true: true, ANYTHING, {"algorithm": algorithm, "privacy": plan})
    toy.trainers = {name: ToyTrainer(np.zeros((0, 2))) for name in toy.names}
    fails(toy, sent, DataError, "no training examples, so it cannot take part")
    assert all(trainer.trainings == 0 for trainer in toy.trainers.values())


def test_a_task_without_examples_cannot_be_made() -> None:
    x, y = np.zeros((0, 3)), np.zeros(0, dtype=np.int64)
    with pytest.raises(DataError, match="no training examples"):
        TorchTask(model=lambda: linear(3, 2), train=(x, y), test=(x, y))


@pytest.mark.parametrize("changes", [{}, {"visibility": "sealed"}, {"algorithm": "ifca"}])
def test_one_model_cannot_be_clustered_and_the_cure_is_named(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="at least 2 clusters; for one model use fedavg"):
        simulate(Settings(clusters=1, **changes), tiny_tasks())


# ---- epsilon and delta


@pytest.mark.parametrize("epsilon", [0.0, -1.0, float("nan")])
def test_an_epsilon_that_is_not_positive_is_refused_wherever_it_is_written(epsilon: float) -> None:
    with pytest.raises(ConfigError, match="max_epsilon > 0"):
        Policy(max_epsilon=epsilon)
    with pytest.raises(ConfigError, match="epsilon must be positive"):
        multiplier_for(epsilon, 1e-5)
    for name in ("epsilon_total", "epsilon_embedding", "epsilon_metrics"):
        with pytest.raises(ValidationError, match=name):
            PrivacySettings.model_validate({name: epsilon})


def test_a_ledger_without_any_budget_lets_nothing_be_released() -> None:
    toy, sent = told(lambda true: true, LIMITED, {"privacy": LOUD})
    for participant in toy.participants.values():
        participant._policy = Policy(max_epsilon=1e-300)
    fails(toy, sent, PolicyRefusedError, "policy clause 'max_epsilon'")
    with pytest.raises(ConfigError, match="limit must be at least 0"):
        Ledger(limit=-1.0, delta=1e-5)


@pytest.mark.parametrize("policy", [LIMITED, ANYTHING], ids=["limited", "any epsilon"])
@pytest.mark.parametrize("delta", [1 / 20, 0.5])
def test_a_federation_whose_delta_lets_an_example_out_is_refused(
    policy: Policy, delta: float
) -> None:
    toy, sent = told(lambda true: true, policy, {"privacy": replace(LOUD, delta=delta)})
    fails(toy, sent, PolicyRefusedError, "policy clause 'delta'.* below 1/n")


def test_a_simulation_whose_delta_lets_an_example_out_is_refused() -> None:
    made = Settings(clusters=2, rounds=1, privacy=PrivacySettings(delta=1 / 24))
    with pytest.raises(PolicyRefusedError, match="policy clause 'delta'"):
        simulate(made, tiny_tasks())


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--max-epsilon", "0"),
        ("--max-epsilon", "-1"),
        ("--max-epsilon", "nan"),
        ("--delta", "0"),
        ("--delta", "1"),
        ("--min-cohort", "0"),
    ],
)
def test_a_site_with_an_impossible_policy_talks_to_nobody(
    option: str, value: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "data.npz", train_x=np.full((3, 2), SECRET))
    limits = {"--max-epsilon": "1"} | {option: value}
    arguments = ["client", "join", "http://127.0.0.1:9", "--identity", str(tmp_path / "key")]
    data = ["--data", str(tmp_path / "data.npz")]
    asked = [word for pair in limits.items() for word in pair]
    result = CliRunner().invoke(app, [*arguments, *data, *asked])
    assert result.exit_code == 2
    assert "max_epsilon > 0, 0 < delta < 1 and min_cohort >= 1" in " ".join(result.stderr.split())
    assert str(SECRET) not in result.output
    assert not (tmp_path / "key.d").exists()
