"""From a reply's named arrays to ring elements and back: the only road a reply travels."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from secure_clove.algorithms.base import Exchange
from secure_clove.algorithms.client_level import protect
from secure_clove.engine.plan import Config, part_grid, quantiser
from secure_clove.engine.ports import Ring
from secure_clove.errors import MalformedError
from secure_clove.foundation.seeds import Entropy
from secure_clove.foundation.trees import Tree, Vector, flatten, unflatten


def pack(tree: Tree) -> bytes:
    """Return the safetensors bytes of a tree of float64 arrays: one tree, one byte string."""
    return save({name: np.array(tree[name], order="C") for name in sorted(tree)})


def unpack(data: bytes) -> Tree:
    """Read a tree that `pack` wrote.

    Raises:
        MalformedError: not safetensors, or an array that is not float64.
    """
    try:
        tree: Mapping[str, Vector] = load(data)
    except (SafetensorError, ValueError) as error:
        raise MalformedError("not a safetensors file") from error
    if any(array.dtype != np.float64 for array in tree.values()):
        raise MalformedError("every array of an ask must be float64")
    return tree


def to_ring(
    config: Config,
    exchange: Exchange[Any, Any],
    reply: Tree,
    *,
    bits: int,
    honest: int,
    entropy: Entropy,
) -> Ring:
    """Return a reply as ring elements on the public grids, its whole client hidden if so declared.

    Args:
        config: Of the federation.
        exchange: What is answered.
        reply: The answer.
        bits: Of the ring.
        honest: Fewest honest clients in its sum, among whom the noise that hides one is shared.
        entropy: Of that noise and of rounding.

    Raises:
        ConfigError: the reply is not what the exchange declares.
        DataError: it is not finite.
    """
    hidden = protect(
        exchange.parts,
        reply,
        step=lambda part: part_grid(config, part).step,
        honest=honest,
        entropy=entropy.fork("client"),
    )
    numbers = flatten(hidden, exchange.layout)
    return quantiser(config, exchange).encode(numbers, bits, entropy.fork("rounding"))


def from_ring(
    config: Config,
    exchange: Exchange[Any, Any],
    ring: Ring,
    *,
    bits: int,
    clients: int,
) -> dict[str, Vector]:
    """Return the named arrays of a sum over ``clients``, or of a single reply.

    Raises:
        AbortedError: a number that no honest replies can sum to.
    """
    numbers = quantiser(config, exchange)
    numbers.check_range(ring, bits, clients=clients)
    return unflatten(numbers.decode(ring, bits), exchange.layout)
