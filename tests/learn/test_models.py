"""Models as vectors: what goes in comes out, and initial models are drawn reproducibly."""

import numpy as np
import pytest
import torch
from torch import nn

from secure_clove.errors import ConfigError, DataError
from secure_clove.learn.losses import loss_rows
from secure_clove.learn.models import (
    BIAS_SCALE,
    architecture,
    flat,
    initial,
    linear,
    load_flat,
    parameter_count,
)
from secure_clove.learn.tasks import Examples
from tests.learn.builders import FEATURES, examples, make_linear, make_network, weights


def test_a_vector_written_is_read_back() -> None:
    model, vector = make_network(), weights(make_network, seed=4)
    load_flat(model, vector)
    np.testing.assert_array_equal(flat(model), vector)


def test_the_vector_has_one_number_per_parameter() -> None:
    assert parameter_count(linear(64, 10)) == 650
    assert flat(linear(64, 10)).shape == (650,)


def test_running_statistics_travel_with_the_parameters() -> None:
    assert parameter_count(nn.BatchNorm1d(3)) == 12


def test_tied_parameters_are_counted_once() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    assert parameter_count(model) == 24


@pytest.mark.parametrize("change", [-1, 1])
def test_a_vector_of_another_length_is_refused(change: int) -> None:
    model = make_linear()
    with pytest.raises(DataError, match="another architecture"):
        load_flat(model, np.zeros(parameter_count(model) + change))


def test_a_model_that_is_not_finite_is_refused_and_not_written() -> None:
    model = make_linear()
    before = flat(model)
    with pytest.raises(DataError, match="NaN or infinity"):
        load_flat(model, np.where(np.arange(len(before)) == 2, np.nan, 1.0))
    np.testing.assert_array_equal(flat(model), before)


def test_the_architecture_ignores_the_weights() -> None:
    assert architecture(make_linear()) == architecture(make_linear())


@pytest.mark.parametrize("other", [linear(FEATURES, 4), linear(FEATURES + 1, 3), make_network()])
def test_other_shapes_or_layers_are_another_architecture(other: nn.Module) -> None:
    assert architecture(make_linear()) != architecture(other)


def test_the_architecture_is_the_same_in_every_release() -> None:
    assert architecture(linear(64, 10)) == "cdeffff7b3d0c1ec"


def test_initial_models_differ_and_repeat() -> None:
    first = initial(make_network, 4, seed=1)
    assert len(np.unique(first, axis=0)) == 4
    np.testing.assert_array_equal(first, initial(make_network, 4, seed=1))
    assert not np.array_equal(first, initial(make_network, 4, seed=2))


def test_an_initial_model_depends_on_its_index_only() -> None:
    np.testing.assert_array_equal(
        initial(make_network, 2, seed=1), initial(make_network, 4, seed=1)[:2]
    )


@pytest.mark.parametrize("alike", [1, 2, 4])
def test_the_first_models_may_be_alike_and_the_others_are_as_ever(alike: int) -> None:
    found, ever = initial(make_network, 4, seed=1, alike=alike), initial(make_network, 4, seed=1)
    np.testing.assert_array_equal(found[:alike], np.stack([ever[0]] * alike))
    np.testing.assert_array_equal(found[alike:], ever[alike:])


@pytest.mark.parametrize("alike", [-1, 0, 5])
def test_no_other_count_of_models_can_be_alike(alike: int) -> None:
    with pytest.raises(ConfigError, match=f"{alike} of 4 .* set 1 to 4"):
        initial(make_network, 4, seed=1, alike=alike)


def test_models_that_need_not_differ_may_come_from_a_model_that_seeds_torch_itself() -> None:
    assert initial(seeding, 3, seed=0, alike=3).shape == (3, 6)


def test_probes_behind_equal_models_must_differ() -> None:
    with pytest.raises(ConfigError, match="must differ"):
        initial(seeding, 3, seed=0, alike=2)


def test_drawing_initial_models_leaves_the_generator_of_torch_alone() -> None:
    before = torch.get_rng_state()
    initial(make_network, 3, seed=1)
    assert torch.equal(before, torch.get_rng_state())


def seeding() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(2, 2)


def test_a_model_that_seeds_torch_itself_is_refused() -> None:
    with pytest.raises(ConfigError, match="must differ"):
        initial(seeding, 2, seed=0)


def test_initial_linear_models_differ_in_their_biases_only() -> None:
    models = initial(lambda: linear(64, 10), 200, seed=0)
    assert not models[:, :640].any()
    assert np.std(models[:, 640:]) == pytest.approx(BIAS_SCALE, rel=0.1)


def test_the_losses_of_initial_linear_models_depend_on_the_label_only() -> None:
    x, y = examples(30)
    data = Examples(x=x, y=y)
    rows = loss_rows(
        make_linear(), initial(make_linear, 4, seed=0), examples=data, loss="cross_entropy"
    )
    for label in range(3):
        assert np.ptp(rows[y.numpy() == label], axis=0).max() < 1e-12
