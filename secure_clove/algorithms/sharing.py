"""Leading numbers that all models have in common: equal from the start, sent once, averaged by all.

Source: clove.txt, appendix B.1, weight sharing: "the K models can share a few initial layers".
"""

from collections.abc import Mapping
from functools import partial

import numpy as np

from secure_clove.algorithms.averaging import averaged
from secure_clove.algorithms.base import Models, rows
from secure_clove.algorithms.motion import Motion, Trail
from secure_clove.errors import ConfigError
from secure_clove.foundation.trees import Tree, Vector


def check_shared(shared: object, *, parameters: int) -> None:
    """Refuse to share anything but 0 to d - 1 numbers.

    Raises:
        ConfigError: another count.
    """
    if not isinstance(shared, int) or not 0 <= shared < parameters:
        raise ConfigError(
            f"shared_parameters is {shared!r} and a model has {parameters} numbers, of which one "
            "must be its own; give a whole number from 0 to one less than that"
        )


def fronted(front: Vector, table: Vector) -> Vector:
    """Return models ``(K, d)`` whose first numbers are ``front``."""
    rest = table[:, len(front) :]
    return np.concatenate([np.broadcast_to(front, (len(table), len(front))), rest], axis=1)


def ask_about(table: Vector, *, shared: int) -> Tree:
    """Return an ask about models ``(K, d)`` that holds their ``shared`` leading numbers once."""
    return (
        {"shared": table[0, :shared], "models": table[:, shared:]} if shared else {"models": table}
    )


def asked_about(ask: Tree) -> Models:
    """Return the whole models of an ask that `ask_about` made, one at a time if it comes so."""
    own, front = rows(ask, "models"), ask.get("shared")
    if front is None:
        return own
    if isinstance(own, np.ndarray):
        return np.concatenate([np.broadcast_to(front, (len(own), len(front))), own], axis=1)
    return map(partial(_joined, front), own)


def averaged_front(front: Vector, sums: Mapping[int, Tree]) -> Vector:
    """Return the shared numbers moved by the example-weighted mean over every group's updates.

    Args:
        front: ``(s,)``, before training.
        sums: Sum of each group, at least one, with updates of whole models.
    """
    everybody = {
        "update": np.sum([total["update"][: len(front)] for total in sums.values()], axis=0),
        "examples": np.sum([total["examples"] for total in sums.values()], axis=0),
    }
    return averaged(front, everybody)


def trained_table(
    table: Vector, trail: Trail, sums: Mapping[int, Tree], *, shared: int, motion: Motion
) -> tuple[Vector, Trail]:
    """Return models averaged over their groups (line 22), the shared part over all groups.

    Args:
        table: ``(K + P, d)``, before training.
        trail: Of their moves before.
        sums: Sum of each model's group; models without one stay as they are.
        shared: How many leading numbers all models have in common.
        motion: How they move.

    Returns:
        The models and the trail of their moves.
    """
    is_moved = np.zeros((len(table), table.shape[1] if shared else 1), dtype=bool)
    is_moved[list(sums)] = True
    if sums:
        is_moved[:, :shared] = True
    averages = _averaged_table(table, sums, shared=shared)
    return motion.moved(table, trail, averages, is_moved=is_moved)


def _averaged_table(table: Vector, sums: Mapping[int, Tree], *, shared: int) -> Vector:
    moved = table.copy()
    for number, total in sums.items():
        moved[number] = averaged(table[number], total)
    if not shared or not sums:
        return moved
    return fronted(averaged_front(table[0, :shared], sums), moved)


def _joined(front: Vector, own: Vector) -> Vector:
    return np.concatenate([front, own])
