"""Workers on Ray, for studies larger than one machine; needs the extra ``ray``.

Ray carries calls between our own processes, and nothing it reads comes from a file. Its usage
reports are turned off.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from math import ceil
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from secure_clove.errors import CloveError, ConfigError, TransportError
from secure_clove.studies.play.clients import loader
from secure_clove.studies.play.crew import Alone, Together
from secure_clove.studies.play.station import Share

T = TypeVar("T")
P = ParamSpec("P")

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""Environment of a Ray started here: no reports home, and no GPU hidden from a worker."""


@contextmanager
def on_ray(
    count: int, *, data_dir: Path | None, device: str = "cpu", address: str | None = None
) -> Iterator[Together]:
    """Open ``count`` workers on Ray that end with the context.

    A Ray that this process has joined before is used as it is and left running.

    Args:
        count: At least 1; each takes a CPU.
        data_dir: Where each of them reads the data sets; on every machine.
        device: Where models are trained; unless it is ``cpu``, workers divide the GPUs evenly.
        address: Of a running cluster; None starts a Ray on this machine that ends likewise.

    Raises:
        ConfigError: Ray is not installed, no worker was asked for, or more than there are CPUs.
        TransportError: there is no cluster at ``address``.
    """
    if count < 1:
        raise ConfigError("a crew needs at least 1 worker")
    ray = _installed()
    with _joined(ray, count, address):
        needs = _needs(ray.cluster_resources(), count, device)
        make = ray.remote(_Actor).options(**needs)
        shares = [Share(index=index, of=count) for index in range(count)]
        actors = [make.remote(share, data_dir, device) for share in shares]
        try:
            yield Together([_Remote(ray, actor) for actor in actors])
        finally:
            for actor in actors:
                ray.kill(actor)


class _Actor:
    """Lives in a process of Ray: the one who plays there."""

    def __init__(self, share: Share, data_dir: Path | None, device: str) -> None:
        self._here = Alone(loader(data_dir), share=share, device=device)

    def do(self, act: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:  # noqa: ANN401
        return act(self._here, *args, **named)


class _Remote:
    """See `secure_clove.studies.play.crew.Worker`."""

    def __init__(self, ray: Any, actor: Any) -> None:  # noqa: ANN401  Ray is not always there
        self._ray, self._actor = ray, actor

    def start(
        self, act: Callable[Concatenate[Alone, P], T], *args: P.args, **named: P.kwargs
    ) -> Callable[[], T]:
        going = self._actor.do.remote(act, args, named)

        def wait() -> T:
            try:
                done: T = self._ray.get(going)
            except self._ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, CloveError):
                    raise error.cause from error
                raise
            except self._ray.exceptions.RayActorError as error:
                raise TransportError(
                    "a worker on Ray died, most often for want of memory; use fewer workers for "
                    "each machine"
                ) from error
            return done

        return wait


def _installed() -> Any:  # noqa: ANN401  the module
    try:
        return import_module("ray")
    except ImportError as error:
        raise ConfigError("Ray is not installed: pip install 'secure-clove[ray]'") from error


@contextmanager
def _joined(ray: Any, count: int, address: str | None) -> Iterator[None]:  # noqa: ANN401
    if ray.is_initialized():
        if address is not None:
            raise ConfigError("this process has joined a Ray already; leave the address out")
        yield
        return
    if address is not None:
        _check_reached(address)
    os.environ.update(QUIET)
    starts = {"num_cpus": count, "include_dashboard": False} if address is None else {}
    try:
        ray.init(address=address or "local", log_to_driver=False, configure_logging=False, **starts)
    except ConnectionError as error:
        raise TransportError(_NO_RAY.format(address)) from error
    try:
        yield
    finally:
        ray.shutdown()


_NO_RAY = "there is no Ray at {}; start one with ray start --head --port=6379"


def _check_reached(address: str) -> None:
    """Refuse in seconds what Ray would try for minutes before it ended this process."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise TransportError(_NO_RAY.format(address)) from error


def _needs(found: dict[str, float], count: int, device: str) -> dict[str, float]:
    """Return what one of ``count`` workers takes of a cluster."""
    processors, gpus = int(found.get("CPU", 0)), int(found.get("GPU", 0))
    if processors < count:
        raise ConfigError(f"Ray has {processors} CPUs for {count} workers; use at most so many")
    if device == "cpu" or not gpus:
        return {"num_cpus": 1}
    return {"num_cpus": 1, "num_gpus": 1 / ceil(count / gpus)}
