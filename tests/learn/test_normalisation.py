"""BatchNorm becomes GroupNorm, with the same weights, and says so."""

import warnings

import pytest
import torch
from torch import nn

from secure_clove.learn.normalisation import (
    ReplacedLayerWarning,
    private_model,
    without_batch_norm,
)
from tests.learn.builders import FEATURES, make_network


def replaced(module: nn.Module) -> nn.Module:
    with pytest.warns(ReplacedLayerWarning, match="became GroupNorm"):
        return without_batch_norm(module)


@pytest.mark.parametrize(
    ("norm", "groups"),
    [
        (nn.BatchNorm2d(64), 32),
        (nn.BatchNorm2d(48), 16),
        (nn.BatchNorm3d(7), 1),
        (nn.BatchNorm1d(64), 1),
        (nn.SyncBatchNorm(8), 8),
    ],
)
def test_images_have_many_groups_and_features_one(norm: nn.Module, groups: int) -> None:
    found = replaced(norm)
    assert isinstance(found, nn.GroupNorm)
    assert found.num_groups == groups


@pytest.mark.parametrize("affine", [True, False])
def test_its_weights_and_its_constant_stay(affine: bool) -> None:
    norm = nn.BatchNorm2d(6, eps=1e-3, affine=affine)
    (found,) = replaced(nn.Sequential(norm)).children()
    assert isinstance(found, nn.GroupNorm)
    assert (found.eps, found.weight, found.bias) == (1e-3, norm.weight, norm.bias)


def test_features_are_not_normalised_away() -> None:
    found = replaced(nn.BatchNorm1d(FEATURES))
    assert float(found(torch.randn(5, FEATURES)).detach().std()) > 0.5


def test_a_layer_that_is_used_twice_is_still_one() -> None:
    norm = nn.BatchNorm1d(FEATURES)
    found = replaced(nn.Sequential(nn.Sequential(norm), nn.Sequential(norm)))
    assert len(list(found.parameters())) == 2


def test_a_model_without_batch_norm_stays_and_nothing_is_said() -> None:
    module = make_network()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert without_batch_norm(module) is module


@pytest.mark.parametrize("norm", [nn.BatchNorm1d(1), nn.LazyBatchNorm2d()])
def test_what_no_groups_can_replace_stays(norm: nn.Module) -> None:
    assert without_batch_norm(norm) is norm


def test_replacing_draws_nothing() -> None:
    before = torch.get_rng_state()
    with pytest.warns(ReplacedLayerWarning, match="became GroupNorm"):
        private_model(lambda: nn.BatchNorm2d(4))()
    assert torch.equal(before, torch.get_rng_state())


def test_the_message_comes_once_for_many_sites() -> None:
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        for _ in range(3):
            without_batch_norm(nn.BatchNorm2d(4))
    assert len(shown) == 1
