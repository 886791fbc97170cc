"""Noise that protects a whole client in the sums of a clustering, shared among its clients.

Every client cuts its part of a sum to a norm and adds a share of the noise, so that the honest
clients' shares alone are enough; nobody ever sees a sum with less. One clustering is one Gaussian
release of the given multiplier: its sums divide the squared signal to noise by `Part.client_share`.
Source: protocol.md, "Client-level noise on the same sketch" and noise ``distributed``.
"""

import math
from typing import Any

import numpy as np

from secure_clove.algorithms.base import Algorithm, Exchange, Part
from secure_clove.errors import ConfigError
from secure_clove.foundation.seeds import Entropy
from secure_clove.foundation.trees import Tree, Vector
from secure_clove.privacy.mechanisms import discrete_gaussian, share_of_noise

ARRIVAL = "arrive"
"""The exchange of newcomers; it is no part of a clustering."""


def honest_in_a_sum(clients: int) -> int:
    """Return the fewest honest clients in a sum over ``clients`` that can be released.

    Raises:
        ConfigError: fewer than 3 clients.

    Source: protocol.md, "Thresholds": T - t_c = floor(2n/3) + 1 - (ceil(n/3) - 1).
    """
    if clients < 3:
        raise ConfigError(f"a sum holds at least 3 clients, found {clients}")
    return 2 * clients // 3 + 1 - (math.ceil(clients / 3) - 1)


def protect(
    algorithm: Algorithm[Any, Any],
    exchange: Exchange[Any, Any],
    reply: Tree,
    *,
    multiplier: float,
    step: float,
    clients: int,
    entropy: Entropy,
) -> dict[str, Vector]:
    """Return ``reply`` cut to its norms, with this client's share of the noise.

    Args:
        algorithm: Whose clustering it belongs to.
        exchange: What is answered.
        reply: The answer.
        multiplier: Noise of one clustering, as a multiple of how far one client moves its sums.
        step: Grid of the noise, in the unit of the reply.
        clients: Clients in the session.
        entropy: Where the noise comes from.

    Raises:
        ConfigError: fewer than 3 clients, or noise that is too little for the grid.
    """
    honest = honest_in_a_sum(clients)
    found = {name: np.asarray(array) for name, array in reply.items()}
    for part in exchange.parts:
        norm = part.client_norm
        if norm is None:
            continue
        sigma = multiplier * norm * math.sqrt(_whole(algorithm) / part.client_share)
        share = share_of_noise(sigma / step, honest=honest)
        noise = discrete_gaussian(share, math.prod(part.shape), entropy.fork(part.name))
        found[part.name] = _cut(found[part.name], norm) + step * noise.reshape(part.shape)
    return found


def _whole(algorithm: Algorithm[Any, Any]) -> float:
    """Return the sum of the shares of all sums of a clustering."""
    parts: list[Part] = [
        part
        for exchange in algorithm.exchanges
        if exchange.name != ARRIVAL
        for part in exchange.parts
    ]
    return sum(part.client_share for part in parts)


def _cut(array: Vector, norm: float) -> Vector:
    length = float(np.linalg.norm(array))
    return array if length <= norm else array * (norm / length)
