"""Noise that protects a whole client in masked sums, shared among those who answer.

Every client cuts its part of a sum to a norm and adds a share of the noise, so that the honest
clients' shares alone are enough; nobody ever sees a sum with less.
Source: protocol.md, "Client-level noise on the same sketch" and noise ``distributed``.
"""

import math
from collections.abc import Callable, Iterable

import numpy as np

from secure_clove.algorithms.base import Part
from secure_clove.errors import DataError
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
    parts: Iterable[Part],
    reply: Tree,
    *,
    step: Callable[[Part], float],
    honest: int,
    entropy: Entropy,
) -> dict[str, Vector]:
    """Return ``reply`` cut to its norms and on its grids, with this client's share of the noise.

    Rounding to the grid moves each of n coordinates by at most half a step, so sqrt(n) / 2 steps
    are added to the norm that the noise is a multiple of.

    Args:
        parts: What is answered.
        reply: The answer.
        step: Returns the grid of a part and of its noise, in the unit of the reply.
        honest: Fewest honest clients in a sum that can be released.
        entropy: Where the noise comes from.

    Raises:
        ConfigError: noise that is too little for the grid.
    """
    found = {name: np.asarray(array) for name, array in reply.items()}
    for part in parts:
        if part.client_sigma:
            own = entropy.fork(part.name)
            found[part.name] = _noised(part, found[part.name], step(part), honest, own)
    return found


def multiplier_of(parts: Iterable[Part]) -> float:
    """Return the noise multiplier of all parts together for a whole client; 0 if one has none.

    Source: Dong, Roth and Su 2022: Gaussians of multipliers m_i are one with 1/m^2 = sum 1/m_i^2.
    """
    every = tuple(parts)
    if not every or not all(part.client_sigma for part in every):
        return 0.0
    return 1 / math.hypot(*(part.client_norm / part.client_sigma for part in every))


def _noised(part: Part, array: Vector, step: float, honest: int, entropy: Entropy) -> Vector:
    whole = np.rint(_cut(array, part.client_norm) / step)
    sensitivity = part.client_norm / step + math.sqrt(whole.size) / 2
    sigma = part.client_sigma / part.client_norm * sensitivity
    noise = discrete_gaussian(share_of_noise(sigma, honest=honest), whole.size, entropy)
    return np.float64(step) * (whole + noise.reshape(whole.shape))


def _cut(array: Vector, norm: float) -> Vector:
    length = float(np.linalg.norm(array))
    if not math.isfinite(length):
        raise DataError("training diverged to NaN or infinity; lower the learning rate")
    return array if length <= norm else array * (norm / length)
