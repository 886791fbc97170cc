"""Worker processes on this machine."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path
from signal import SIG_IGN, SIGINT, signal
from typing import Any, Concatenate, ParamSpec, TypeVar

from secure_clove.errors import LocalProtocolError, TransportError
from secure_clove.studies.play.clients import loader
from secure_clove.studies.play.crew import Alone, Together
from secure_clove.studies.play.station import Share

T = TypeVar("T")
P = ParamSpec("P")


@contextmanager
def processes(count: int, *, data_dir: Path | None, device: str = "cpu") -> Iterator[Together]:
    """Open ``count`` worker processes that end with the context.

    Args:
        count: At least 1.
        data_dir: Where each of them reads the data sets.
        device: Where models are trained.

    Raises:
        ConfigError: no worker was asked for.
    """
    with ExitStack() as stack:
        shares = [Share(index=index, of=count) for index in range(count)]
        yield Together([stack.enter_context(_process(s, data_dir, device)) for s in shares])


class _Process:
    """See `secure_clove.studies.play.crew.Worker`."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def start(
        self, act: Callable[Concatenate[Alone, P], T], *args: P.args, **named: P.kwargs
    ) -> Callable[[], T]:
        with _lost():
            future: Future[T] = self._pool.submit(_do, act, args, named)

        def wait() -> T:
            with _lost():
                return future.result()

        return wait


@contextmanager
def _lost() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as error:
        raise TransportError(
            "a worker process died, most often for want of memory; use fewer workers"
        ) from error


@contextmanager
def _process(share: Share, data_dir: Path | None, device: str) -> Iterator[_Process]:
    pool = ProcessPoolExecutor(
        1,
        mp_context=get_context("spawn"),  # a fork would copy torch's threads half-dead
        initializer=_begin,
        initargs=(share, data_dir, device),
    )
    try:
        yield _Process(pool)
    finally:
        pool.shutdown(cancel_futures=True)


_here: Alone | None = None
"""In a worker process: the one who plays there."""


def _begin(share: Share, data_dir: Path | None, device: str) -> None:
    global _here
    signal(SIGINT, SIG_IGN)  # the study that was interrupted ends its workers itself
    _here = Alone(loader(data_dir), share=share, device=device)


def _do(act: Callable[..., T], args: tuple[Any, ...], named: dict[str, Any]) -> T:
    if _here is None:
        raise LocalProtocolError("this process was not begun as a worker")
    return act(_here, *args, **named)
