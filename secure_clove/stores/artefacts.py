"""Bulk bytes under their content hash: on disk, or in memory for a simulation."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Protocol

from secure_clove.errors import NotFoundError, StoreError
from secure_clove.foundation.ids import Digest, digest


class Artefacts(Protocol):
    """A set of byte strings, each found by its hash. Adding is idempotent and atomic."""

    def add(self, data: bytes) -> Digest:
        """Keep ``data`` and return its hash."""

    def get(self, content: Digest) -> bytes:
        """Return the bytes with this hash.

        Raises:
            NotFoundError: there are none.
            StoreError: the bytes kept under it are damaged.
        """


class MemoryArtefacts:
    """Artefacts that end with the process."""

    def __init__(self) -> None:
        self._kept: dict[Digest, bytes] = {}

    def add(self, data: bytes) -> Digest:
        """Keep ``data`` and return its hash."""
        content = digest(data)
        self._kept[content] = data
        return content

    def get(self, content: Digest) -> bytes:
        """Return the bytes with this hash."""
        if content not in self._kept:
            raise NotFoundError("no such artefact")
        return self._kept[content]


class FileArtefacts:
    """Artefacts as files of one folder, named by their hash."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def add(self, data: bytes) -> Digest:
        """Keep ``data`` durably and return its hash: a file appears whole or not at all."""
        content = digest(data)
        path = self._folder / content
        if not path.exists():
            with NamedTemporaryFile(dir=self._folder, delete=False) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(file.name).replace(path)
            self._sync_folder()
        return content

    def _sync_folder(self) -> None:
        """Make the file's name as durable as its bytes."""
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def get(self, content: Digest) -> bytes:
        """Return the bytes with this hash."""
        if len(content) != 64 or not set(content) <= set("0123456789abcdef"):
            raise NotFoundError("no such artefact")
        try:
            data = (self._folder / content).read_bytes()
        except FileNotFoundError as error:
            raise NotFoundError("no such artefact") from error
        if digest(data) != content:
            raise StoreError(
                f"artefact {content[:12]} is damaged on disk; restore it from a backup"
            )
        return data
