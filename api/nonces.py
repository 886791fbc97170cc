"""Every signed request once: nonces on disk before an answer, many to a write.

A durable write takes milliseconds, however many rows it has. Those that come while one is under way
share the next, so 25 clients cost little more than one.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from secure_clove.errors import ReplayedError
from secure_clove.transport.signing import Claim

Note = Callable[[Sequence[Claim]], Sequence[bool]]
"""Writes claims down in one transaction; says of each whether it was new."""

Waiting = tuple[Claim, "asyncio.Future[bool]"]


class Nonces:
    """Admits each signed request once; used from the event loop only.

    Args:
        threads: Where the writing is done.
        note: Writes.
    """

    def __init__(self, threads: Executor, note: Note) -> None:
        self._threads, self._note = threads, note
        self._waiting: list[Waiting] = []
        self._writing: asyncio.Task[None] | None = None

    async def admit(self, claim: Claim) -> None:
        """Return once the claim is written down.

        Raises:
            ReplayedError: it was made before.
            StoreError: it could not be written.
        """
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append((claim, answer))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        if not await answer:
            raise ReplayedError("this request was made before; sign every try afresh")

    async def _write(self) -> None:
        """Write until nobody waits."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await self._write_batch(batch)
        self._writing = None

    async def _write_batch(self, batch: list[Waiting]) -> None:
        claims = [claim for claim, _ in batch]
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, self._note, claims)
        except Exception as error:
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), is_new in zip(batch, found, strict=True):
            if not answer.done():
                answer.set_result(is_new)
