"""From a reply's named arrays to ring elements and back: the only road a reply travels."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from secure_clove.algorithms.base import Exchange
from secure_clove.engine.plan import Config, quantiser
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
    entropy: Entropy,
) -> Ring:
    """Return a reply as ring elements on the public grids.

    Raises:
        ConfigError: the reply is not what the exchange declares.
    """
    return quantiser(config, exchange).encode(flatten(reply, exchange.layout), bits, entropy)


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
