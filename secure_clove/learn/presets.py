"""Local training as the paper prints it and as its authors' public code does it."""

from secure_clove.engine.terms import TrainingPlan
from secure_clove.errors import ConfigError
from secure_clove.learn.architectures import ARCHITECTURES

PRESETS = ("paper", "authors")
"""Names that `training_preset` knows."""


def training_preset(name: str, architecture: str) -> TrainingPlan:
    """Return how ``architecture`` is trained under ``name``, one of `PRESETS`.

    ``paper``: Adam at 1e-3, batches of 64, one epoch; 25 epochs for linear regression.
    ``authors``: Adam at 1e-2 for the CNN of MNIST and Fashion-MNIST and at 1e-3 elsewhere, batches
    of 100, one epoch; 25 for linear regression and FEMNIST. Both make Adam anew in every round.

    Args:
        name: ``paper`` or ``authors``.
        architecture: A key of `ARCHITECTURES`.

    Raises:
        ConfigError: no such preset or architecture.

    Source: ``paper``: clove.txt, section 5 ("Training Settings") and D.1.1. ``authors``: config.py
    and config_driver.py of Nokia-Bell-Labs/Loss-Vector-based-Clustered-Federated-Learning.
    """
    if name not in PRESETS:
        raise ConfigError(f"no preset '{name}'; choose one of {', '.join(PRESETS)}")
    if architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ConfigError(f"no architecture '{architecture}'; choose one of {known}")
    is_authors = name == "authors"
    is_long = architecture == "linear-regression" or (is_authors and architecture == "femnist-cnn")
    return TrainingPlan(
        optimizer="adam",
        learning_rate=1e-2 if is_authors and architecture == "paper-cnn" else 1e-3,
        epochs=25 if is_long else 1,
        batch_size=100 if is_authors else 64,
    )
