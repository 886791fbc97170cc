"""Models a site has fetched, kept on its disk: what did not change is not fetched again.

An artefact is named by its hash, so a file is right or it is not used, and it is nobody's secret:
the folder may be deleted at any time.
"""

from contextlib import suppress
from pathlib import Path

from secure_clove.engine.messages import Charter, Current
from secure_clove.engine.ports import Carrier
from secure_clove.foundation.ids import Digest, digest

MOST_BYTES = 256 * 2**20
"""Room on the disk; what was used longest ago goes first."""


class KeepingCarrier:
    """A carrier that fetches an artefact once; see `secure_clove.engine.ports.Carrier`.

    Args:
        inner: The way to the coordinator.
        folder: Where the artefacts lie; nothing else may.
        most_bytes: Room that they may take.
    """

    def __init__(self, inner: Carrier, folder: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._inner, self._folder, self._most_bytes = inner, folder, most_bytes
        folder.mkdir(parents=True, exist_ok=True)

    def charter(self) -> Charter:
        """Fetch the signed configuration and roster."""
        return self._inner.charter()

    def current(self) -> Current | None:
        """Fetch what there is to do."""
        return self._inner.current()

    def put(self, sid: str, step: str, body: bytes) -> None:
        """Send one protocol message."""
        self._inner.put(sid, step, body)

    def fetch(self, sid: str, resource: str) -> bytes | None:
        """Fetch what the next step needs."""
        return self._inner.fetch(sid, resource)

    def artefact(self, content: Digest) -> bytes:
        """Return bytes by their hash, from the disk if they are there."""
        kept = self._kept(content)
        if kept is not None:
            return kept
        data = self._inner.artefact(content)
        if digest(data) == content:  # hence the name is harmless; otherwise the reader refuses it
            self._keep(content, data)
        return data

    def _kept(self, content: Digest) -> bytes | None:
        path = next((path for path in self._folder.iterdir() if path.name == content), None)
        if path is None:
            return None
        data = path.read_bytes()
        if digest(data) != content:
            return None
        path.touch()
        return data

    def _keep(self, content: Digest, data: bytes) -> None:
        with suppress(OSError):  # a full disk costs traffic and nothing else
            (self._folder / content).write_bytes(data)
        oldest_first = sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        too_much = sum(path.stat().st_size for path in oldest_first) - self._most_bytes
        for path in oldest_first:
            if too_much <= 0:
                return
            too_much -= path.stat().st_size
            path.unlink()
