"""Wakes those who wait for something to change, by topic."""

import asyncio


class Changes:
    """Topics that requests wait on; used from the event loop only.

    A waiter takes the topic's event **before** it looks, so a change between looking and waiting
    cannot be missed.
    """

    def __init__(self) -> None:
        self._events: dict[str, asyncio.Event] = {}

    def event(self, topic: str) -> asyncio.Event:
        """Return what will be set at the next change of ``topic``."""
        return self._events.setdefault(topic, asyncio.Event())

    def wake(self, *topics: str) -> None:
        """Wake everybody who waits on one of ``topics``."""
        for topic in topics:
            event = self._events.pop(topic, None)
            if event is not None:
                event.set()

    def wake_all(self) -> None:
        """Wake everybody."""
        self.wake(*self._events)
