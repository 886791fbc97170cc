"""A training plan says one thing only, travels in the signed configuration, and has presets."""

from dataclasses import asdict
from typing import Any

import pytest
from pydantic import ValidationError

from secure_clove.engine.plan import Config
from secure_clove.engine.terms import TrainingPlan
from secure_clove.errors import ConfigError
from secure_clove.foundation.codec import decode, encode
from secure_clove.learn.architectures import ARCHITECTURES
from secure_clove.learn.presets import PRESETS, training_preset
from secure_clove.sdk.config import PrivacySettings, Settings, TrainingSettings, plan
from tests.builders import tiny_model

EPOCHS = TrainingSettings(learning_rate=0.01, optimizer="adam", epochs=1, batch_size=8)


def configured(**changes: Any) -> Config:
    return plan(Settings(**changes), tiny_model())[0]


# ---- presets


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_paper_prints_adam_and_batches_of_64(architecture: str) -> None:
    preset = training_preset("paper", architecture)
    assert (preset.optimizer, preset.learning_rate, preset.batch_size) == ("adam", 1e-3, 64)
    assert preset.epochs == (25 if architecture == "linear-regression" else 1)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_authors_code_trains_with_adam_and_batches_of_100(architecture: str) -> None:
    preset = training_preset("authors", architecture)
    assert (preset.optimizer, preset.batch_size) == ("adam", 100)
    assert preset.learning_rate == (1e-2 if architecture == "paper-cnn" else 1e-3)
    assert preset.epochs == (25 if architecture in ("linear-regression", "femnist-cnn") else 1)


@pytest.mark.parametrize(
    ("name", "architecture", "words"),
    [
        ("best", "paper-cnn", "choose one of paper, authors"),
        ("paper", "resnet", "choose one of linear, paper-cnn"),
    ],
)
def test_an_unknown_preset_or_architecture_is_refused(
    name: str, architecture: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        training_preset(name, architecture)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_can_be_written_as_settings(name: str) -> None:
    preset = training_preset(name, "paper-cnn")
    config = configured(privacy=None, training=TrainingSettings(**asdict(preset)))
    assert config.training == preset


# ---- plans


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 1}, "go together"),
        ({"batch_size": 8}, "go together"),
        ({"epochs": 1, "batch_size": 8, "steps": 2}, "or by steps and rate"),
        ({"epochs": 1, "batch_size": 8, "rate": 0.5}, "or by steps and rate"),
        ({"epochs": 0, "batch_size": 8}, "count from 1"),
        ({"epochs": 1, "batch_size": 0}, "count from 1"),
        ({"optimizer": "rmsprop"}, "choose sgd or adam"),
        ({"optimizer": "adam", "momentum": 0.9}, "leave momentum at 0"),
        ({"learning_rate": float("inf")}, "learning_rate > 0"),
        ({"learning_rate": float("nan")}, "learning_rate > 0"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        TrainingPlan(**{"learning_rate": 0.1, **changes})


def test_private_training_by_epochs_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match="needs Poisson batches"):
        configured(privacy=PrivacySettings(), training=EPOCHS)


@pytest.mark.parametrize(
    ("field", "value"), [("optimizer", "lion"), ("epochs", 0), ("batch_size", 1.5)]
)
def test_a_bad_setting_is_refused_with_its_name(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as refused:
        TrainingSettings.model_validate({field: value})
    assert {error["loc"][0] for error in refused.value.errors()} == {field}


def test_a_configuration_with_epochs_survives_the_codec() -> None:
    config = configured(privacy=None, training=EPOCHS)
    assert decode(encode(config), Config) == config


def test_another_optimizer_is_another_configuration() -> None:
    adam, sgd = (
        configured(privacy=None, training=TrainingSettings(learning_rate=0.01, optimizer=name))
        for name in ("adam", "sgd")
    )
    assert adam.hash != sgd.hash
