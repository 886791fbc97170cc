"""Loss rows are torch's own losses, example by example and model by model."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from secure_clove.learn import losses
from secure_clove.learn.architectures import build_model
from secure_clove.learn.losses import loss_rows
from secure_clove.learn.models import flat, initial, load_flat
from secure_clove.learn.tasks import Examples
from tests.learn.builders import FEATURES, examples, make_dropout, make_network, weights


def data(count: int = 15) -> Examples:
    x, y = examples(count)
    return Examples(x=x, y=y)


def test_rows_are_the_losses_of_each_model() -> None:
    models, found = initial(make_network, 3, seed=0), data()
    module = make_network()
    rows = loss_rows(module, models, examples=found, loss="cross_entropy")
    for k, vector in enumerate(models):
        load_flat(module, vector)
        expected = functional.cross_entropy(module(found.x), found.y, reduction="none")
        np.testing.assert_allclose(rows[:, k], expected.detach().numpy(), rtol=1e-5)


def test_squared_errors_are_averaged_over_the_outputs_of_an_example() -> None:
    x, _ = examples(5)
    module = nn.Identity()
    found = Examples(x=x, y=x + torch.tensor([1.0, 2, 0, 0, 0, 0]))
    rows = loss_rows(module, np.zeros((2, 0)), examples=found, loss="mse")
    np.testing.assert_allclose(rows, np.full((5, 2), 5 / FEATURES), rtol=1e-6)


def test_examples_in_many_batches_give_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    models = initial(make_network, 2, seed=0)
    whole = loss_rows(make_network(), models, examples=data(), loss="cross_entropy")
    monkeypatch.setattr(losses, "FLAT_BATCH", 4)
    parts = loss_rows(make_network(), models, examples=data(), loss="cross_entropy")
    np.testing.assert_allclose(parts, whole, rtol=1e-6)


def test_evaluation_uses_no_dropout() -> None:
    models = np.stack([weights(make_dropout)] * 2)
    rows = loss_rows(make_dropout().train(), models, examples=data(), loss="cross_entropy")
    np.testing.assert_array_equal(rows[:, 0], rows[:, 1])


def test_a_loss_that_overflows_is_told_as_it_is() -> None:
    model = np.full((1, len(weights(make_network))), 1e30)
    rows = loss_rows(make_network(), model, examples=data(), loss="cross_entropy")
    assert not np.isfinite(rows).any()


def test_models_that_cannot_be_written_are_read() -> None:
    models = initial(make_network, 2, seed=0)
    expected = loss_rows(make_network(), models, examples=data(), loss="cross_entropy")
    models.setflags(write=False)
    rows = loss_rows(make_network(), models, examples=data(), loss="cross_entropy")
    np.testing.assert_array_equal(rows, expected)


def test_the_module_keeps_its_own_numbers() -> None:
    module = make_network()
    before = flat(module)
    loss_rows(module, initial(make_network, 2, seed=0), examples=data(), loss="cross_entropy")
    np.testing.assert_array_equal(flat(module), before)


def test_a_convolution_in_many_batches_gives_the_losses_of_torch() -> None:
    module, x, y = build_model("paper-cnn"), torch.rand((300, 784)), torch.arange(300) % 10
    rows = loss_rows(module, flat(module)[None], examples=Examples(x=x, y=y), loss="cross_entropy")
    expected = functional.cross_entropy(module(x), y, reduction="none").detach().numpy()
    np.testing.assert_allclose(rows[:, 0], expected, rtol=1e-4)
