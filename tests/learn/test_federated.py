"""What the training of this folder comes to when a whole federation uses it."""

import numpy as np
import pytest
import torch
from torch import nn

from secure_clove.clustering.scores import adjusted_rand_index
from secure_clove.foundation.ids import ClientId
from secure_clove.foundation.seeds import SimulatedEntropy, stream
from secure_clove.foundation.trees import Vector
from secure_clove.learn.architectures import Autoencoder
from secure_clove.learn.learner import TorchLearner
from secure_clove.learn.models import architecture, load_flat
from secure_clove.learn.normalisation import ReplacedLayerWarning, private_model
from secure_clove.learn.tasks import TorchTask
from secure_clove.sdk.config import PrivacySettings, Settings, TrainingSettings, plan
from secure_clove.sdk.simulate import simulate
from tests.builders import names
from tests.learn.builders import CLASSES, FEATURES, examples, make_batch_norm

QUANTISED = 2.0**-15


def make_group_norm() -> nn.Module:
    return nn.Sequential(nn.GroupNorm(1, FEATURES), nn.Linear(FEATURES, CLASSES))


def test_running_statistics_become_those_of_all_examples_together() -> None:
    tasks = {
        client: TorchTask(
            model=make_batch_norm, train=examples(10 * k, seed=k), test=examples(4, seed=k)
        )
        for k, client in enumerate(names(4), start=1)
    }
    settings = Settings(
        algorithm="fedavg", rounds=1, privacy=None, training=TrainingSettings(learning_rate=0.01)
    )
    model = simulate(settings, tasks).clients[ClientId("client-00")].model
    assert model is not None
    module = make_batch_norm()
    load_flat(module, model)
    together = torch.cat([task.training.x for task in tasks.values()]).numpy()
    # one step of torch's running mean, from 0 with momentum 0.1
    np.testing.assert_allclose(
        module.state_dict()["0.running_mean"], 0.1 * together.mean(0), atol=QUANTISED
    )
    assert (module.state_dict()["0.running_var"] > 0).all()


def private(rounds: int = 1) -> Settings:
    return Settings(
        clusters=2,
        rounds=rounds,
        max_examples=20,
        training=TrainingSettings(learning_rate=0.1, steps=2),
        privacy=PrivacySettings(epsilon_total=8.0, epsilon_embedding=2.0),
    )


def test_a_private_federation_trains_groupnorm_where_its_model_has_batch_norm() -> None:
    tasks = {
        client: TorchTask(model=make_batch_norm, train=examples(20, seed=k), test=examples(4))
        for k, client in enumerate(names(4))
    }
    with pytest.warns(ReplacedLayerWarning, match="BatchNorm mixes"):
        result = simulate(private(), tasks, noise=SimulatedEntropy(0))
    expected = private_model(make_batch_norm)()
    assert result.config.architecture == architecture(expected)
    for client in result.clients.values():
        assert client.model is not None
        assert client.accuracy is not None
        load_flat(expected, client.model)


def test_a_federation_with_groupnorm_is_the_one_with_batch_norm_replaced() -> None:
    with pytest.warns(ReplacedLayerWarning, match="BatchNorm mixes"):
        replaced, models = plan(private(), make_batch_norm)
    config, same_models = plan(private(), make_group_norm)
    assert (replaced, models) == (config, same_models)


def test_where_whole_clients_are_hidden_batch_norm_stays_on_both_sides() -> None:
    hiding = PrivacySettings(unit="client", noise="distributed", epsilon_total=8.0)
    settings = private().model_copy(update={"privacy": hiding, "algorithm": "fedavg"})
    config, _ = plan(settings, make_batch_norm)
    made = TorchLearner.of(
        TorchTask(model=make_batch_norm, train=examples(20), test=examples(4)), config
    )
    assert config.architecture == made.architecture == architecture(make_batch_norm())


def test_without_privacy_the_architecture_keeps_its_batch_norm() -> None:
    config, _ = plan(private().model_copy(update={"privacy": None}), make_batch_norm)
    assert config.architecture == architecture(make_batch_norm())


# ---- without labels

PLANES = stream(0, "planes").normal(size=(2, 2, FEATURES))
"""Two clusters of examples, each on a plane of its own."""


def make_autoencoder() -> nn.Module:
    return Autoencoder(nn.Linear(FEATURES, 2), nn.Linear(2, FEATURES))


def unlabelled(number: int) -> TorchTask:
    coordinates = stream(0, "plane", number).normal(size=(48, 2))
    x = (coordinates @ PLANES[number // 4]).astype(np.float32)
    return TorchTask(model=make_autoencoder, train=(x[:40], x[:40]), test=(x, x), loss="mse")


def reconstruction(learner: TorchLearner, model: Vector) -> float:
    return float(learner.losses(model[None]).mean())


def test_autoencoders_find_the_clusters_of_examples_without_labels() -> None:
    tasks = {client: unlabelled(number) for number, client in enumerate(names(8))}
    settings = Settings(
        clusters=2,
        rounds=4,
        privacy=None,
        training=TrainingSettings(learning_rate=0.02, optimizer="adam", epochs=20, batch_size=8),
    )
    result = simulate(settings, tasks, noise=SimulatedEntropy(0))
    assert adjusted_rand_index([0] * 4 + [1] * 4, [result.assignment[c] for c in names(8)]) == 1
    for client, own in result.clients.items():
        assert own.model is not None
        assert own.accuracy is None
        learner = TorchLearner.of(tasks[client], result.config)
        strangers = TorchLearner.of(unlabelled(7 - names(8).index(client)), result.config)
        assert reconstruction(learner, own.model) < 0.1 * reconstruction(strangers, own.model)
