"""From a setting to its clients: who there is, in which planted cluster, with which examples."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secure_clove.data.dataset import Dataset
from secure_clove.data.federation import ClientData
from secure_clove.data.partition import WRITERS, partition
from secure_clove.data.sources import load
from secure_clove.data.synthetic import mixed_linear_regression
from secure_clove.foundation.ids import ClientId
from secure_clove.learn.models import MakeModel
from secure_clove.learn.tasks import Loss, TorchTask
from secure_clove.studies.play.cell import REGRESSION, Cell, Setting, make_model

Arrays = tuple[NDArray[np.generic], NDArray[np.generic]]

Load = Callable[[str], Dataset]
"""Returns a data set by its name."""


def loader(data_dir: Path | None) -> Load:
    """Return what reads data sets below ``data_dir`` and remembers the last one."""
    return lru_cache(maxsize=1)(partial(load, data_dir=data_dir))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clients:
    """The clients of a cell.

    Attributes:
        truth: Planted cluster of each client, in ascending order of ids.
        model: What makes their models.
        loss: What they train against.
        tasks: Task of each client that was wanted.
    """

    truth: Mapping[ClientId, int]
    model: MakeModel
    loss: Loss
    tasks: Mapping[ClientId, TorchTask] = field(repr=False)


def clients_of(
    cell: Cell, load: Load, *, wanted: Callable[[int], bool] = lambda place: True
) -> Clients:
    """Return the clients of ``cell``.

    Args:
        cell: What is played.
        load: Reads its data set.
        wanted: Whether the client at a place, in ascending order of ids, gets its task.

    Raises:
        ConfigError: the data at hand are too few, with the numbers.
        DataError: the data are missing or damaged.
    """
    setting = cell.setting
    if setting.dataset == REGRESSION:
        truth, data = _regression(cell)
    else:
        truth, data = _divided(cell, load(setting.dataset))
    truth = _kept(setting, truth)
    make = make_model(setting)
    loss: Loss = "cross_entropy" if setting.target == "classes" else "mse"
    tasks = {
        client: TorchTask(model=make, train=data[client][0], test=data[client][1], loss=loss)
        for place, client in enumerate(truth)
        if wanted(place)
    }
    return Clients(truth=truth, model=make, loss=loss, tasks=tasks)


def _regression(
    cell: Cell,
) -> tuple[Mapping[ClientId, int], Mapping[ClientId, tuple[Arrays, Arrays]]]:
    setting = cell.setting
    drawn = mixed_linear_regression(
        clusters=setting.clusters,
        clients_per_cluster=setting.clients_per_cluster,
        examples=setting.examples or 1,
        separation=float(setting.kind),
        seed=cell.seed,
    )
    data = {c: ((d.train_x, d.train_y), (d.test_x, d.test_y)) for c, d in drawn.clients.items()}
    return drawn.truth, data


def _divided(
    cell: Cell, dataset: Dataset
) -> tuple[Mapping[ClientId, int], Mapping[ClientId, tuple[Arrays, Arrays]]]:
    setting = cell.setting
    divided = partition(
        dataset,
        kind=setting.kind,
        clusters=setting.clusters,
        clients_per_cluster=setting.clients_per_cluster,
        examples=None if setting.kind == WRITERS else setting.examples,
        test_examples=setting.test_examples,
        seed=cell.seed,
    )
    return divided.truth, {c: _examples(setting, d) for c, d in divided.clients.items()}


def _kept(setting: Setting, truth: Mapping[ClientId, int]) -> dict[ClientId, int]:
    """Return who is left when the last cluster is cut down to a minority."""
    last = [client for client, cluster in truth.items() if cluster == setting.clusters - 1]
    spare = set(last[len(last) if setting.minority is None else setting.minority :])
    return {client: cluster for client, cluster in truth.items() if client not in spare}


def _examples(setting: Setting, data: ClientData) -> tuple[Arrays, Arrays]:
    if setting.target == "input":
        return (data.train_x, data.train_x), (data.test_x, data.test_x)
    return (data.train_x, data.train_y), (data.test_x, data.test_y)
