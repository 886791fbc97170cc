"""Every attack this release knows, played one after the other on one run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from threadpoolctl import threadpool_limits

from threat_models.base import Attack, Case, Outcome, Tick, Verdict
from threat_models.class_models import ClassModels
from threat_models.label_inference import LabelInference
from threat_models.linkability import Linkability
from threat_models.membership import Membership
from threat_models.reconstruction import Reconstruction
from threat_models.trap_models import TrapModels
from threat_models.views import coordinator_view
from threat_models.world import load_world

ATTACKS: tuple[Attack, ...] = (
    TrapModels(),
    LabelInference(),
    ClassModels(),
    Linkability(),
    Membership(),
    Reconstruction(),
)

TRIALS = 6000
"""Games in each world: a standard error of 0.005 on an AUC, in about 20 seconds."""

FEWEST_TRIALS = 100
"""Fewer leave an attacker nothing to choose from."""


class Watch(Protocol):
    """Told about the progress of a suite."""

    def __call__(self, attack: Attack, total: int) -> Tick:
        """Return what to call while ``attack`` does its ``total`` units of work."""


def case_of(folder: Path) -> Case:
    """Return the run in ``folder`` as a case.

    Args:
        folder: Holds ``coordinator/``, ``settings.json`` and ``federation.json``.

    Raises:
        StoreError: something of it is missing or damaged.
    """
    return Case(view=coordinator_view(folder / "coordinator"), world=load_world(folder))


def run_suite(case: Case, trials: int, watch: Watch) -> Mapping[str, Outcome]:
    """Return the outcome of every attack by its code."""
    with threadpool_limits(limits=1):  # for matrices this small, threads wait longer than they work
        return {
            attack.code: attack.run(case, trials, watch(attack, attack.work(case, trials)))
            for attack in ATTACKS
        }


def has_leak(outcomes: Mapping[str, Outcome]) -> bool:
    """Return whether any measurement refutes a claim: what ``--gate`` fails on."""
    return any(isinstance(found, Verdict) and not found.passed for found in outcomes.values())
