"""Settings as a person writes them: what is refused, and that noise meets its budgets."""

import json
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from secure_clove.clustering.embedding import Embedding
from secure_clove.engine.pipeline import unpack
from secure_clove.engine.plan import Config, planned
from secure_clove.errors import ConfigError
from secure_clove.foundation.codec import decode, encode
from secure_clove.foundation.ids import digest
from secure_clove.privacy.accounting import totals
from secure_clove.sdk.config import PrivacySettings, Settings, TrainingSettings, plan
from tests.builders import tiny_model

INFINITE, NAN = float("inf"), float("nan")


def configured(**changes: Any) -> Config:
    return plan(Settings(**changes), tiny_model())[0]


# ---- what is refused, and where the error points

BAD: list[tuple[type, str, Any]] = [
    (Settings, "name", "Two Words"),
    (Settings, "name", ""),
    (Settings, "name", "-dash-first"),
    (Settings, "name", "a" * 64),
    (Settings, "name", "../up"),
    (Settings, "algorithm", "fedprox"),
    (Settings, "clusters", 0),
    (Settings, "clusters", 2.5),
    (Settings, "rounds", 0),
    (Settings, "rounds", 2**70),
    (Settings, "seed", -1),
    (Settings, "seed", 2**63),
    (Settings, "min_cohort", 2),
    (Settings, "stage_seconds", 0),
    (Settings, "stage_seconds", -1),
    (Settings, "stage_seconds", INFINITE),
    (Settings, "stage_seconds", NAN),
    (Settings, "max_examples", 0),
    (Settings, "max_examples", 2**64),
    (Settings, "update_bound", 0),
    (Settings, "update_bound", INFINITE),
    (Settings, "options", {"stable_share": NAN}),
    (TrainingSettings, "learning_rate", 0),
    (TrainingSettings, "learning_rate", INFINITE),
    (TrainingSettings, "momentum", 1),
    (TrainingSettings, "momentum", -0.1),
    (TrainingSettings, "steps", 0),
    (TrainingSettings, "rate", 0),
    (TrainingSettings, "rate", 1.01),
    (PrivacySettings, "delta", 0),
    (PrivacySettings, "delta", 1),
    (PrivacySettings, "epsilon_total", 0),
    (PrivacySettings, "epsilon_total", -1),
    (PrivacySettings, "epsilon_total", INFINITE),
    (PrivacySettings, "epsilon_embedding", NAN),
    (PrivacySettings, "epsilon_metrics", 0),
    (PrivacySettings, "clip", 0),
    (PrivacySettings, "clip", INFINITE),
    (PrivacySettings, "embedding_kind", "magic"),
    (PrivacySettings, "embedding_clip", 0),
    (PrivacySettings, "embedding_clip", INFINITE),
    (PrivacySettings, "embedding_clip", NAN),
]


@pytest.mark.parametrize(("kind", "field", "value"), BAD)
def test_a_bad_value_is_refused_with_the_name_of_its_field(
    kind: type, field: str, value: object
) -> None:
    with pytest.raises(ValidationError) as refused:
        kind(**{field: value})
    assert {error["loc"][0] for error in refused.value.errors()} == {field}


@pytest.mark.parametrize("kind", [Settings, TrainingSettings, PrivacySettings])
def test_a_mistyped_field_is_refused(kind: type) -> None:
    with pytest.raises(ValidationError, match="epsilon_totl"):
        kind(epsilon_totl=1)


@pytest.mark.parametrize("kind", [Settings, TrainingSettings, PrivacySettings])
def test_settings_cannot_be_changed_afterwards(kind: type) -> None:
    made = kind()
    with pytest.raises(ValidationError, match="frozen"):
        setattr(made, next(iter(type(made).model_fields)), 1)


UNWORKABLE: list[tuple[dict[str, Any], str]] = [
    ({"clusters": 1}, "at least 2 clusters"),
    ({"algorithm": "ifca", "clusters": 1}, "at least 2 clusters"),
    ({"options": {"momentum": 1}}, "does not have one of"),
    ({"algorithm": "fedavg", "options": {"clustering_rounds": 3}}, "does not have one of"),
    ({"options": {"clustering_rounds": 0}}, "whole numbers from 1"),
    ({"options": {"clustering_rounds": 2.5}}, "whole numbers from 1"),
    ({"options": {"stable_share": 1.5}}, "stable_share"),
    ({"update_bound": 2.0**-20}, "update_bound"),
    ({"stage_seconds": 1e-5}, "stage_ms"),
    ({"privacy": PrivacySettings(epsilon_total=0.5)}, "leaves nothing"),
    ({"privacy": PrivacySettings(epsilon_total=0.98)}, "leaves nothing"),
    ({"privacy": PrivacySettings(embedding_kind=Embedding.RAW)}, "without limit"),
    ({"privacy": PrivacySettings(embedding_clip=1.0)}, "clips nothing"),
    ({"privacy": PrivacySettings(embedding_kind=Embedding.CLIPPED)}, "needs a clip"),
    ({"privacy": PrivacySettings(), "options": {"square_root": True}}, "square_root"),
]


@pytest.mark.parametrize(("changes", "reason"), UNWORKABLE)
def test_settings_that_cannot_work_together_are_refused_with_the_reason(
    changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        configured(**changes)


def test_a_model_that_always_starts_alike_is_refused() -> None:
    from torch import nn

    def constant() -> nn.Module:
        layer = nn.Linear(4, 2)
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
        return layer

    with pytest.raises(ConfigError, match="initial models must differ"):
        plan(Settings(), constant)


# ---- what a plan holds


def test_settings_survive_being_written_as_json() -> None:
    settings = Settings(options={"clustering_rounds": 2, "stable_share": 0.5}, privacy=None)
    assert Settings.model_validate_json(settings.model_dump_json()) == settings
    assert json.loads(settings.model_dump_json())["options"]["clustering_rounds"] == 2


def test_the_same_settings_give_the_same_configuration() -> None:
    assert configured().hash == configured().hash


@pytest.mark.parametrize("changes", [{"seed": 1}, {"rounds": 13}, {"privacy": None}])
def test_other_settings_give_another_configuration(changes: dict[str, Any]) -> None:
    assert configured(**changes).hash != configured().hash


def test_the_configuration_names_the_initial_models_by_hash() -> None:
    config, packed = plan(Settings(), tiny_model())
    assert config.initial == digest(packed)


def test_the_initial_models_are_as_many_as_the_algorithm_starts_from_and_all_differ() -> None:
    config, packed = plan(Settings(options={"probes": 3}), tiny_model())
    models = unpack(packed)["models"]
    assert models.shape == (config.build().initial_models, config.parameters) == (8, 20)
    assert len(np.unique(models, axis=0)) == 8


@pytest.mark.parametrize("algorithm", ["clove", "fedavg", "ifca", "local"])
def test_the_algorithm_can_start_from_the_models_of_its_plan(algorithm: str) -> None:
    config, packed = plan(Settings.model_validate({"algorithm": algorithm}), tiny_model())
    config.build().start(unpack(packed)["models"])


def test_the_configuration_survives_the_codec() -> None:
    config = configured(training=TrainingSettings(learning_rate=1, momentum=0, rate=1))
    assert decode(encode(config), Config) == config


def test_without_privacy_settings_there_is_no_noise_and_the_cost_is_unbounded() -> None:
    config = configured(privacy=None)
    assert config.privacy is None
    assert totals(planned(config), 1e-5).total == INFINITE


@pytest.mark.parametrize("kind", ["clipped", "relative"])
def test_the_embedding_is_chosen_by_name(kind: str) -> None:
    written = {"privacy": {"embedding_kind": kind, "embedding_clip": 2.5}}
    settings = Settings.model_validate_json(json.dumps(written))
    assert Settings.model_validate_json(settings.model_dump_json()) == settings
    privacy = plan(settings, tiny_model())[0].privacy
    assert privacy is not None
    assert (privacy.embedding_kind.value, privacy.embedding_clip) == (kind, 2.5)


def test_every_embedding_takes_the_same_noise_for_the_same_budget() -> None:
    relative = PrivacySettings(embedding_kind=Embedding.RELATIVE, embedding_clip=2.5)
    plans = [configured(privacy=asked).privacy for asked in (PrivacySettings(), relative)]
    assert len({made.embedding for made in plans if made}) == 1


# ---- budgets

BUDGETS: list[dict[str, Any]] = [
    {},
    {"rounds": 1},
    {"rounds": 2},
    {"rounds": 100},
    {"options": {"clustering_rounds": 1}},
    {"options": {"clustering_rounds": 50}},
    {"options": {"probes": 15}},
    {"algorithm": "ifca"},
    {"algorithm": "ifca", "rounds": 3},
    {"training": TrainingSettings(steps=7)},
    {"privacy": PrivacySettings(epsilon_total=1.0, epsilon_embedding=0.3, epsilon_metrics=0.2)},
    {"privacy": PrivacySettings(epsilon_total=20.0, epsilon_embedding=9.0, delta=1e-7)},
    {"privacy": PrivacySettings(epsilon_total=0.02, epsilon_embedding=0.01)},
]


@pytest.mark.parametrize("changes", BUDGETS)
def test_a_whole_federation_costs_no_more_than_asked_and_at_most_1_percent_less(
    changes: dict[str, Any],
) -> None:
    settings = Settings(**changes)
    asked = settings.privacy
    assert asked is not None
    cost = totals(planned(configured(**changes)), asked.delta)
    training = max(asked.epsilon_total, asked.epsilon_metrics)
    assert 0.99 * training <= cost.total <= training * (1 + 1e-9)
    assert 0.99 * asked.epsilon_embedding <= cost.embedding <= asked.epsilon_embedding * (1 + 1e-9)
    assert 0.99 * asked.epsilon_metrics <= cost.metrics <= asked.epsilon_metrics * (1 + 1e-9)


def test_an_algorithm_without_embeddings_spends_its_whole_budget_on_updates() -> None:
    cost = totals(planned(configured(algorithm="fedavg")), 1e-5)
    assert cost.embedding == 0
    assert 0.99 * 3.95 <= cost.update <= 3.95


def test_local_training_costs_nothing() -> None:
    assert totals(planned(configured(algorithm="local")), 1e-5).total == 0


def test_sampled_training_costs_no_more_than_asked() -> None:
    config = configured(training=TrainingSettings(rate=0.2, steps=5))
    assert totals(planned(config), 1e-5).total <= 3.95


def test_more_rounds_take_more_noise() -> None:
    few, many = configured(rounds=4).privacy, configured(rounds=40).privacy
    assert few is not None
    assert many is not None
    assert few.update < many.update
    assert few.metrics < many.metrics


def test_rounds_beyond_the_last_clustering_do_not_change_the_noise_of_embeddings() -> None:
    few, many = configured(rounds=4).privacy, configured(rounds=40).privacy
    assert few is not None
    assert many is not None
    assert few.embedding == many.embedding


@pytest.mark.parametrize("options", [{"clustering_rounds": "many"}, {"selection": "magic"}])
def test_an_option_that_the_algorithm_does_not_understand_is_refused(
    options: dict[str, Any],
) -> None:
    with pytest.raises(ConfigError):
        configured(options=options)
