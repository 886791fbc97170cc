"""The embedded digits are real, complete and scaled by constants."""

import numpy as np
from sklearn.datasets import load_digits

from secure_clove.data.sources import digits


def test_the_digits_are_1797_images_of_ten_classes() -> None:
    x, y = digits()
    assert x.shape == (1797, 64)
    assert x.dtype == np.float32
    assert y.dtype == np.int64
    assert set(y.tolist()) == set(range(10))


def test_the_scaling_uses_public_constants_only() -> None:
    raw = load_digits().data
    np.testing.assert_allclose(digits()[0], raw / 16 - 0.3, atol=1e-6)
