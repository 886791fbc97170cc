"""Mixed linear regression follows its planted models at the distance asked."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_clove.data.synthetic import MixedRegression, mixed_linear_regression
from secure_clove.errors import ConfigError


def made(**changes: float) -> MixedRegression:
    asked = {"clusters": 3, "clients_per_cluster": 2, "examples": 40, "test_examples": 5}
    return mixed_linear_regression(**(asked | {"seed": 0} | changes))  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.integers(2, 6), st.floats(0.0003, 1.0), st.integers(0, 10**6))
def test_optima_are_unit_vectors_as_far_apart_as_asked(
    clusters: int, separation: float, seed: int
) -> None:
    optima = made(clusters=clusters, separation=separation, seed=seed).optima
    np.testing.assert_allclose(np.linalg.norm(optima, axis=1), 1)
    gaps = [np.linalg.norm(a - b) for a, b in combinations(optima, 2)]
    assert min(gaps) >= separation * (1 - 1e-9)
    assert max(gaps) <= 5 * separation * (1 + 1e-9)


def test_least_squares_finds_the_planted_model_of_every_client() -> None:
    found = made()
    for client, data in found.clients.items():
        theta, *_ = np.linalg.lstsq(data.train_x, data.train_y[:, 0])
        np.testing.assert_allclose(theta, found.optima[found.truth[client]], atol=1e-3)


def test_the_noise_has_its_standard_deviation() -> None:
    found = made(examples=5000, noise=0.1)
    for client, data in found.clients.items():
        rest = data.train_y[:, 0] - data.train_x @ found.optima[found.truth[client]]
        assert rest.std() == pytest.approx(0.1, rel=0.1)


def test_shapes_and_names_are_those_of_other_clients() -> None:
    found = made()
    assert list(found.clients) == list(found.truth) == [f"client-{i:02d}" for i in range(6)]
    data = found.clients[next(iter(found.clients))]
    shapes = [a.shape for a in (data.train_x, data.train_y, data.test_x, data.test_y)]
    assert shapes == [(40, 20), (40, 1), (5, 20), (5, 1)]


def test_clients_of_one_cluster_have_different_examples() -> None:
    first = [data.train_x.tobytes() for data in made().clients.values()]
    assert len(set(first)) == len(first)


def test_the_seed_decides_everything() -> None:
    first, again, other = (
        [(made(seed=s).truth, d.train_y.tobytes()) for d in made(seed=s).clients.values()]
        for s in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_one_cluster_is_enough() -> None:
    assert made(clusters=1).optima.shape == (1, 20)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"clusters": 0}, "from 1"),
        ({"examples": 0}, "from 1"),
        ({"test_examples": -1}, "from 0"),
        ({"dimension": 1}, "from 2"),
        ({"noise": -1.0}, "noise"),
        ({"noise": float("nan")}, "noise"),
        ({"separation": 0.0}, "diameter"),
        ({"separation": 2.0}, "diameter"),
        ({"clusters": 9, "dimension": 2, "separation": 1.5}, "found no 9 unit vectors"),
    ],
)
def test_what_cannot_be_is_refused_with_the_numbers(changes: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        made(**changes)
