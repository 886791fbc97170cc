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
from secure_clove.foundation.trees import Tree, Vector, flatten, size, unflatten


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
    block: int,
    blocks: int,
    bits: int,
    entropy: Entropy,
) -> Ring:
    """Put a reply into its block of an otherwise zero vector, on the public grids.

    Raises:
        ConfigError: the reply is not what the exchange declares.
    """
    layout = exchange.layout
    vector = np.zeros((blocks, size(layout)))
    vector[block] = flatten(reply, layout)
    return quantiser(config, exchange, blocks).encode(vector.ravel(), bits, entropy)


def from_ring(
    config: Config,
    exchange: Exchange[Any, Any],
    ring: Ring,
    *,
    blocks: int,
    bits: int,
    clients: int,
) -> list[dict[str, Vector]]:
    """Return the named arrays of every block of a sum over ``clients``, or of a single reply.

    Raises:
        AbortedError: a number that no honest replies can sum to.
    """
    layout = exchange.layout
    numbers = quantiser(config, exchange, blocks)
    numbers.check_range(ring, bits, clients=clients)
    vector = numbers.decode(ring, bits)
    return [unflatten(block, layout) for block in vector.reshape(blocks, size(layout))]
