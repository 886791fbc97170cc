"""A client's own limits: every clause refuses, by name, before anything is computed."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from secure_clove.algorithms.clove import Clove
from secure_clove.algorithms.sealed_server import SealedServer
from secure_clove.clustering.embedding import Embedding
from secure_clove.engine.messages import Charter, Current
from secure_clove.engine.plan import Config, planned
from secure_clove.engine.policy import Policy
from secure_clove.engine.ports import Carrier
from secure_clove.engine.terms import PrivacyPlan
from secure_clove.errors import BudgetExceededError, ConfigError, PolicyRefusedError
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import Digest, FederationId
from secure_clove.foundation.trees import Vector
from secure_clove.privacy.accounting import totals
from tests.engine.builders import CLIPPED, FORMS, LOUD, NAME, RELATIVE, Toy, ToyTrainer, config


class Counting(ToyTrainer):
    """Counts how often its data are touched."""

    touched = 0

    def losses(self, models: Vector) -> Vector:
        self.touched += 1
        return super().losses(models)


@dataclass
class Recording:
    """A carrier that keeps what a client sends."""

    inner: Carrier
    sent: list[str]

    def charter(self) -> Charter:
        return self.inner.charter()

    def current(self) -> Current | None:
        return self.inner.current()

    def artefact(self, content: Digest) -> bytes:
        return self.inner.artefact(content)

    def fetch(self, sid: str, resource: str) -> bytes | None:
        return self.inner.fetch(sid, resource)

    def put(self, sid: str, step: str, body: bytes) -> None:
        self.sent.append(step)
        self.inner.put(sid, step, body)


def watched(policy: Policy, **changes: Any) -> tuple[Toy, list[str]]:
    """Return a federation that counts every touch of data, and what all clients have sent."""
    sent: list[str] = []
    toy = Toy(policy=policy, changes=changes, wrap=lambda _, carrier: Recording(carrier, sent))
    toy.trainers = {name: Counting(old.points) for name, old in toy.trainers.items()}
    toy.start()
    return toy, sent


def done(toy: Toy) -> tuple[int, int]:
    """Return how often data were touched and how many releases were charged."""
    trainers = [t for t in toy.trainers.values() if isinstance(t, Counting)]
    touched = sum(t.touched + t.trainings for t in trainers)
    return touched, sum(len(journal.entries()) for journal in toy.journals.values())


def refused(clause: str, *, policy: Policy, **changes: Any) -> None:
    toy, sent = watched(policy, **({"privacy": LOUD} | changes))
    with pytest.raises(PolicyRefusedError) as caught:
        toy.run()
    assert caught.value.clause == clause
    assert f"'{clause}'" in str(caught.value)
    assert (done(toy), sent) == ((0, 0), [])


def test_a_federation_that_may_cost_more_than_the_policy_allows_is_refused() -> None:
    refused("max_epsilon", policy=Policy(max_epsilon=0.5))


def test_a_federation_without_noise_is_refused_by_any_finite_budget() -> None:
    refused("max_epsilon", policy=Policy(max_epsilon=1e6), privacy=None)


def test_a_budget_that_just_covers_the_plan_is_enough() -> None:
    toy = Toy(changes={"privacy": LOUD, "rounds": 2})
    cost = totals(planned(toy.config), 1e-5).total
    toy = Toy(policy=Policy(max_epsilon=cost), changes={"privacy": LOUD, "rounds": 2})
    toy.start()
    toy.run()
    assert len(toy.coordinator.reports(NAME)) == 2


def test_an_embedding_that_the_policy_does_not_name_is_refused() -> None:
    refused("embedding", policy=Policy(max_epsilon=99.0, embeddings=("relative", "clipped")))
    allowed = Policy(max_epsilon=99.0, embeddings=("directional",))
    refused("embedding", policy=allowed, privacy=CLIPPED)


def test_raw_losses_are_refused_by_a_policy_that_names_embeddings() -> None:
    allowed = Policy(max_epsilon=float("inf"), embeddings=("directional",))
    refused("embedding", policy=allowed, privacy=None)


@pytest.mark.parametrize("embeddings", [None, ("raw",)])
def test_raw_losses_pass_where_no_limit_is_set(embeddings: tuple[str, ...] | None) -> None:
    toy = Toy(policy=Policy(max_epsilon=float("inf"), embeddings=embeddings), changes={"rounds": 1})
    toy.start()
    toy.run()
    assert len(toy.coordinator.reports(NAME)) == 1


@pytest.mark.parametrize("plan", FORMS, ids=lambda plan: plan.embedding_kind.value)
def test_every_embedding_with_a_guarantee_passes_unless_told_otherwise(plan: PrivacyPlan) -> None:
    toy = Toy(policy=Policy(max_epsilon=99.0), changes={"rounds": 1, "privacy": plan})
    toy.start()
    toy.run()
    assert len(toy.coordinator.reports(NAME)) == 1


def test_a_policy_about_embeddings_lets_algorithms_pass_that_make_none() -> None:
    policy = Policy(max_epsilon=99.0, embeddings=())
    toy = Toy(policy=policy, changes={"privacy": LOUD, "algorithm": "fedavg", "rounds": 1})
    toy.start()
    toy.run()
    assert len(toy.coordinator.reports(NAME)) == 1


def test_sums_over_fewer_clients_than_allowed_are_refused() -> None:
    refused("min_cohort", policy=Policy(max_epsilon=99.0, min_cohort=4))


def test_a_delta_that_promises_nothing_is_refused() -> None:
    refused("delta", policy=Policy(max_epsilon=99.0, delta=0.5))


def test_shared_noise_is_refused_by_a_policy_of_local_noise() -> None:
    refused(
        "local_noise",
        policy=Policy(max_epsilon=99.0, local_noise=True),
        privacy=replace(LOUD, noise="distributed"),
    )


def test_single_replies_are_refused_by_a_sum_only_policy() -> None:
    refused("sum_only", policy=Policy(max_epsilon=99.0, sum_only=True))


def test_sums_that_tell_of_single_replies_are_refused_by_a_sum_only_policy() -> None:
    hidden = {"algorithm": "sealed-clove", "options": {"membership": "hidden"}}
    refused("sum_only", policy=Policy(max_epsilon=99.0, sum_only=True), **hidden)


@pytest.mark.parametrize("algorithm", ["fedavg", "ifca", "local"])
def test_a_sum_only_policy_lets_algorithms_pass_that_need_only_sums(algorithm: str) -> None:
    policy = Policy(max_epsilon=99.0, sum_only=True)
    toy = Toy(policy=policy, changes={"privacy": LOUD, "algorithm": algorithm, "rounds": 1})
    toy.start()
    toy.run()
    assert len(toy.coordinator.reports(NAME)) == 1


SEALED: dict[str, Any] = {"algorithm": "sealed-clove", "options": {"membership": "visible"}}


def test_clustering_in_the_clear_is_refused_by_a_policy_of_sealed_vectors() -> None:
    refused("visibility", policy=Policy(max_epsilon=99.0, visibility="sealed"))


@pytest.mark.parametrize("changes", [SEALED, {"algorithm": "fedavg"}, {"algorithm": "ifca"}])
def test_a_policy_of_sealed_vectors_lets_sums_and_cluster_numbers_pass(
    changes: dict[str, Any],
) -> None:
    policy = Policy(max_epsilon=99.0, visibility="sealed")
    toy = Toy(policy=policy, changes={"privacy": LOUD, "rounds": 1} | changes)
    toy.start()
    toy.run()
    assert len(toy.coordinator.reports(NAME)) == 1


def test_membership_that_shows_is_refused_by_a_sum_only_policy() -> None:
    refused("sum_only", policy=Policy(max_epsilon=99.0, sum_only=True), **SEALED)


def test_more_rounds_than_allowed_are_refused() -> None:
    refused("max_rounds", policy=Policy(max_epsilon=99.0, max_rounds=3))


def test_as_many_rounds_as_allowed_pass() -> None:
    toy, _ = watched(Policy(max_epsilon=99.0, max_rounds=1), privacy=LOUD, rounds=1)
    toy.run()
    assert len(toy.coordinator.reports(NAME)) == 1


@pytest.mark.parametrize("changes", [{}, SEALED], ids=["noised", "sealed"])
def test_more_embeddings_than_the_signed_configuration_speaks_of_are_refused(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a coordinator that never ends the clustering, and a policy with epsilon to spare."""
    join = SealedServer.join
    monkeypatch.setattr(Clove, "_settled", lambda self, state: state)
    monkeypatch.setattr(SealedServer, "join", lambda *args: replace(join(*args), is_settled=False))
    options = {**changes.get("options", {}), "clustering_rounds": 1, "stable_rounds": 9}
    settings = {"privacy": LOUD} | changes | {"options": options}
    toy, sent = watched(Policy(max_epsilon=99.0), **settings)
    with pytest.raises(PolicyRefusedError, match="answered 1 times") as caught:
        toy.run()
    assert caught.value.clause == "at_most"
    for name, participant in toy.participants.items():
        charged = [entry.release.name for entry in toy.journals[name].entries()]
        assert charged.count("embedding") == 1
        assert {mark.round for mark in toy.journals[name].marks(NAME)} == {1}
        assert participant._answer is None or participant._answer.round == 1
    assert sent.count("reply") == 12  # of the only clustering: its vectors, or where each belongs


def test_another_architecture_is_refused() -> None:
    refused("architecture", policy=Policy(max_epsilon=99.0), architecture="plane")


def test_more_examples_than_the_federation_takes_are_refused() -> None:
    refused("max_examples", policy=Policy(max_epsilon=99.0), max_examples=20)


def test_a_ledger_filled_elsewhere_refuses_before_computing() -> None:
    toy = Toy(policy=Policy(max_epsilon=99.0), changes={"privacy": LOUD, "rounds": 2})
    toy.start()
    toy.run()
    spent = toy.participants[toy.names[0]].ledger.totals().total
    cost = totals(planned(toy.config), 1e-5).total
    again = Toy(
        policy=Policy(max_epsilon=max(spent, cost) * 1.01), changes={"privacy": LOUD, "rounds": 2}
    )
    journal = again.journals[again.names[0]]
    moved = [
        replace(e, federation=FederationId("elsewhere"))
        for e in toy.journals[toy.names[0]].entries()
    ]
    relinked: list[Any] = []
    for entry in moved:
        previous = relinked[-1].hash if relinked else entry.previous
        relinked.append(replace(entry, previous=previous))
    mark = toy.journals[toy.names[0]].marks(NAME)[0]
    journal.commit(relinked, replace(mark, federation=FederationId("elsewhere")))
    again.start()
    with pytest.raises(BudgetExceededError, match="over the limit"):
        again.run()
    assert again.trainers[again.names[0]].trainings == 0


@pytest.mark.parametrize(
    "bad",
    [
        {"max_epsilon": 0.0},
        {"max_epsilon": float("nan")},
        {"delta": 0.0},
        {"delta": 1.0},
        {"min_cohort": 0},
        {"federation_key": "xyz"},
        {"federation_key": "ab"},
        {"embeddings": ("magic",)},
        {"max_epsilon": -1.0},
        {"delta": float("nan")},
        {"max_rounds": 0},
        {"visibility": "hidden"},
    ],
)
def test_a_policy_that_promises_nothing_cannot_be_made(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Policy(**({"max_epsilon": 1.0} | bad))


@pytest.mark.parametrize(
    "bad",
    [
        {"rounds": 0},
        {"parameters": 0},
        {"stage_ms": 0},
        {"max_examples": 0},
        {"clusters": 0, "algorithm": "fedavg"},
        {"clusters": 1},
        {"min_cohort": 2},
        {"update_step": 0.0},
        {"update_step": 9.0},
        {"update_bound": 2.0**60},
        {"max_examples": 2**60},
        {"algorithm": "magic"},
        {"options": {"magic": 1}},
        {"options": {"probes": -1}},
        {"privacy": LOUD, "options": {"square_root": True}},
        {"privacy": RELATIVE, "options": {"square_root": True}},
    ],
)
def test_a_configuration_that_can_never_run_cannot_be_made(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        config(b"", **bad)


@pytest.mark.parametrize(
    ("kind", "clip", "reason"),
    [
        (Embedding.RAW, None, "without limit"),
        (Embedding.DIRECTIONAL, 1.0, "clips nothing"),
        (Embedding.RELATIVE, None, "needs a clip"),
        (Embedding.CLIPPED, None, "needs a clip"),
        (Embedding.CLIPPED, 0.0, "needs a clip"),
        (Embedding.RELATIVE, float("nan"), "needs a clip"),
        (Embedding.RELATIVE, float("inf"), "needs a clip"),
    ],
)
def test_an_embedding_without_a_guarantee_cannot_be_planned(
    kind: Embedding, clip: float | None, reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        replace(LOUD, embedding_kind=kind, embedding_clip=clip)


@pytest.mark.parametrize("plan", FORMS, ids=lambda plan: plan.embedding_kind.value)
def test_a_signed_configuration_names_its_embedding(plan: PrivacyPlan) -> None:
    made = config(b"", privacy=plan)
    assert decode(encode(made), Config) == made
    assert (made.hash == config(b"", privacy=LOUD).hash) == (plan == LOUD)


def test_square_roots_are_taken_of_losses_alone() -> None:
    options = {"square_root": True}
    for plan in (None, CLIPPED):
        config(b"", privacy=plan, options=options)
    with pytest.raises(ConfigError, match="directional embedding holds differences"):
        config(b"", privacy=LOUD, options=options)


def test_a_plan_of_a_billion_rounds_is_priced_without_listing_them() -> None:
    plan = config(b"", rounds=10**9, privacy=LOUD)
    assert len(planned(plan)) == 3
