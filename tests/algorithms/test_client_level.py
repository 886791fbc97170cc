"""Noise for whole clients: shared, enough without the liars, and cut to what it is made for."""

import numpy as np
import pytest

from secure_clove.algorithms.base import Content, Part
from secure_clove.algorithms.client_level import deviation_of_mean, honest_in_a_sum, protect
from secure_clove.algorithms.sealed import SealedClove
from secure_clove.errors import CohortTooSmallError, ConfigError
from secure_clove.foundation.seeds import Entropy, SimulatedEntropy
from secure_clove.foundation.trees import Vector

STEP = 2.0**-20


@pytest.mark.parametrize(("clients", "honest"), [(3, 3), (5, 3), (10, 4), (25, 9), (500, 168)])
def test_the_honest_clients_of_a_sum_are_its_fewest_members_less_the_liars(
    clients: int, honest: int
) -> None:
    assert honest_in_a_sum(clients) == honest


def test_a_sum_of_two_is_refused() -> None:
    with pytest.raises(CohortTooSmallError, match="at least 3"):
        honest_in_a_sum(2)


def part(sigma: float) -> Part:
    shape = (4000,)
    return Part(name="x", shape=shape, content=Content.FEATURE, client_norm=2.0, client_sigma=sigma)


def noised(sigma: float, values: Vector, entropy: Entropy) -> Vector:
    """Return what one of 25 clients answers."""
    honest = honest_in_a_sum(25)
    reply = protect(
        [part(sigma)], {"x": values}, step=lambda part: STEP, honest=honest, entropy=entropy
    )
    return reply["x"]


def test_the_shares_of_the_honest_alone_are_the_whole_noise() -> None:
    shares = [
        noised(3.0, np.zeros(4000), SimulatedEntropy(0, "client", i))
        for i in range(honest_in_a_sum(25))
    ]
    assert np.std(np.sum(shares, axis=0)) == pytest.approx(3.0, rel=0.05)


def test_a_clients_share_is_what_the_decoder_allows_for() -> None:
    found = noised(3.0, np.zeros(4000), SimulatedEntropy(1))
    assert np.std(found) == pytest.approx(deviation_of_mean(3.0, clients=25), rel=0.05)


def test_a_reply_that_is_too_long_is_cut_before_the_noise() -> None:
    entropy = SimulatedEntropy(2)
    long, short = np.full(4000, 1.0), np.full(4000, 2.0 / np.sqrt(4000))
    np.testing.assert_allclose(
        noised(3.0, long, entropy), noised(3.0, short, entropy), atol=1.01 * STEP
    )


def test_a_reply_is_rounded_to_its_grid_and_the_rounding_paid_for() -> None:
    coarse, values = 2.0**-5, np.full(4000, 2.0 / np.sqrt(4000))
    reply = protect(
        [part(3.0)], {"x": values}, step=lambda _: coarse, honest=1, entropy=SimulatedEntropy(5)
    )
    np.testing.assert_array_equal(reply["x"] / coarse, np.rint(reply["x"] / coarse))
    paid = 3.0 * (1 + coarse * np.sqrt(4000) / 2 / 2.0)
    assert np.std(reply["x"]) == pytest.approx(paid, rel=0.05)


def test_a_part_that_tells_nothing_of_a_client_stays() -> None:
    values = np.full(4000, 7.0)
    np.testing.assert_array_equal(noised(0.0, values, SimulatedEntropy(3)), values)


def test_noise_below_the_grid_is_refused() -> None:
    with pytest.raises(ConfigError, match="change the grid step"):
        noised(1e-8, np.zeros(4000), SimulatedEntropy(4))


@pytest.mark.parametrize("selection", ["known", "silhouette"])
def test_the_sums_of_a_clustering_are_one_release_of_its_multiplier(selection: str) -> None:
    algorithm = SealedClove(
        parameters=1,
        clusters=3,
        seed=0,
        membership="hidden",
        selection=selection,
        client_noise=2.0,
    )
    spent = sum(
        (part.client_norm / part.client_sigma) ** 2
        for exchange in algorithm.exchanges
        if exchange.name != "arrive"
        for part in exchange.parts
        if part.client_sigma
    )
    assert spent == pytest.approx(1 / 2.0**2)


def test_noise_for_clients_whose_cluster_is_shown_is_refused() -> None:
    with pytest.raises(ConfigError, match="set membership to hidden"):
        SealedClove(parameters=1, clusters=3, seed=0, client_noise=1.0)


@pytest.mark.parametrize("noise", [-1.0, float("inf"), float("nan")])
def test_noise_that_is_no_number_is_refused(noise: float) -> None:
    with pytest.raises(ConfigError, match="finite number from 0"):
        SealedClove(parameters=1, clusters=3, seed=0, membership="hidden", client_noise=noise)
