"""Noise that protects a whole client in masked sums, shared among those who answer.

Every client cuts its part of a sum to a norm and adds a share of the noise, so that the honest
clients' shares alone are enough; nobody ever sees a sum with less.
Source: protocol.md, "Client-level noise on the same sketch" and noise ``distributed``.
"""

import math
from collections.abc import Iterable

import numpy as np

from secure_clove.algorithms.base import Part
from secure_clove.foundation.seeds import Entropy
from secure_clove.foundation.trees import Tree, Vector
from secure_clove.privacy.mechanisms import discrete_gaussian, share_of_noise
from secure_clove.secagg.transcript import fewest_honest, threshold


def honest_in_a_sum(clients: int) -> int:
    """Return the fewest honest clients in a sum over ``clients`` that can be released.

    Raises:
        CohortTooSmallError: fewer than 3 clients.

    Source: protocol.md, "Thresholds": T - t_c = floor(2n/3) + 1 - (ceil(n/3) - 1).
    """
    return fewest_honest(clients, least=threshold(clients))


def deviation_of_mean(sigma: float, *, clients: int) -> float:
    """Return the standard deviation of a client's share of the noise when everybody answers.

    Args:
        sigma: Standard deviation that the honest noise in every sum has.
        clients: Clients in the session.
    """
    return sigma / math.sqrt(honest_in_a_sum(clients))


def protect(
    parts: Iterable[Part], reply: Tree, *, step: float, clients: int, entropy: Entropy
) -> dict[str, Vector]:
    """Return ``reply`` cut to its norms, with this client's share of the noise.

    Args:
        parts: What is answered.
        reply: The answer.
        step: Grid of the noise, in the unit of the reply.
        clients: Clients in the session.
        entropy: Where the noise comes from.

    Raises:
        CohortTooSmallError: fewer than 3 clients.
        ConfigError: noise that is too little for the grid.
    """
    found = {name: np.asarray(array) for name, array in reply.items()}
    for part in parts:
        if part.client_sigma:
            share = share_of_noise(part.client_sigma / step, honest=honest_in_a_sum(clients))
            noise = discrete_gaussian(share, math.prod(part.shape), entropy.fork(part.name))
            cut = _cut(found[part.name], part.client_norm)
            found[part.name] = cut + step * noise.reshape(part.shape)
    return found


def _cut(array: Vector, norm: float) -> Vector:
    length = float(np.linalg.norm(array))
    return array if length <= norm else array * (norm / length)
