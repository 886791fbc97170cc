"""Coordinator and participant in one process: the carrier of simulations."""

from collections.abc import Callable

from secure_clove.engine.coordinator import Coordinator
from secure_clove.engine.messages import Charter, Current
from secure_clove.foundation.ids import ClientId, Digest, FederationId


class LocalCarrier:
    """See `secure_clove.engine.ports.Carrier`; calls the coordinator directly.

    Args:
        coordinator: In this process.
        federation: Which federation.
        me: Who calls.
        now_ms: The clock, milliseconds since the epoch.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        federation: FederationId,
        me: ClientId,
        now_ms: Callable[[], int],
    ) -> None:
        self._coordinator, self._federation = coordinator, federation
        self._me, self._now_ms = me, now_ms

    def charter(self) -> Charter:
        """Return the signed configuration and roster."""
        return self._coordinator.charter(self._federation)

    def current(self) -> Current | None:
        """Return what there is to do."""
        return self._coordinator.current(self._federation, self._me, self._now_ms())

    def artefact(self, content: Digest) -> bytes:
        """Return bytes by their hash."""
        return self._coordinator.artefact(content)

    def put(self, sid: str, step: str, body: bytes) -> None:
        """Hand over one protocol message."""
        self._coordinator.put(sid, step, self._me, body, self._now_ms())

    def fetch(self, sid: str, resource: str) -> bytes | None:
        """Return what the next step needs."""
        return self._coordinator.fetch(sid, resource, self._me)
