"""Files of a data set from their official homes or a mirror, on request and never half a file."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

import httpx

from secure_clove.data.catalogue import Distribution, Entry, entry
from secure_clove.data.files import File
from secure_clove.data.sources import is_intact
from secure_clove.errors import ConfigError, DataError, StoreError, TransportError

SECONDS = 30.0
"""How long a server may stay silent."""

CHUNK = 1 << 16
"""Bytes handed on at a time."""

Progress = Callable[[str, int, int], None]
"""Told the file, the bytes that have come, and how many there are."""


def fetch(
    name: str,
    data_dir: Path,
    *,
    mirror: str | None = None,
    distribution: str | None = None,
    on_progress: Progress = lambda *_: None,
) -> tuple[Path, ...]:
    """Return the files of a data set in ``data_dir``, downloading those that are not intact there.

    A file is streamed into a temporary one beside its place, which it takes only when size and
    SHA-256 are right. So a mirror cannot slip in another file, and what was there stays until then.

    Args:
        name: A name of the catalogue.
        data_dir: Takes a folder for the set.
        mirror: Address with the same folders as a data directory; None: the official homes.
        distribution: Which form; None: the first that can be fetched.
        on_progress: Called as bytes arrive.

    Raises:
        ConfigError: no such set, or none of its forms can be fetched; says what to do instead.
        TransportError: the server cannot be reached or refuses.
        DataError: what came is not the file.
        StoreError: the folder cannot be written.
    """
    found = entry(name)
    chosen = _chosen(found, mirror, distribution)
    folder = data_dir / found.folder
    plain = {"Accept-Encoding": "identity"}  # the digest is of the file, not of its compression
    with httpx.Client(timeout=SECONDS, follow_redirects=True, headers=plain) as client:
        for file in chosen.files:
            if not is_intact(file, folder / file.path):
                url = file.url if mirror is None else _mirrored(mirror, found, file)
                download(
                    url or "", file, folder / file.path, client=client, on_progress=on_progress
                )
    return tuple(folder / file.path for file in chosen.files)


def _chosen(found: Entry, mirror: str | None, wanted: str | None) -> Distribution:
    for distribution in found.distributions:
        is_wanted = wanted in (None, distribution.name)
        if is_wanted and all(_can_come(file, mirror) for file in distribution.files):
            return distribution
    instead = found.by_hand or "leave out the distribution, or name a mirror that has its files"
    raise ConfigError(f"{found.name} cannot be fetched so; {found.home}: {instead}")


def _can_come(file: File, mirror: str | None) -> bool:
    return file.sha256 is not None and (mirror is not None or file.url is not None)


def _mirrored(mirror: str, found: Entry, file: File) -> str:
    return f"{mirror.rstrip('/')}/{found.folder}/{file.path}"


def download(
    url: str,
    file: File,
    path: Path,
    *,
    client: httpx.Client,
    on_progress: Progress = lambda *_: None,
) -> None:
    """Put what ``url`` sends at ``path`` if it is ``file``; otherwise leave ``path`` as it was.

    Raises:
        TransportError: the server cannot be reached or refuses.
        DataError: what came is not the file.
        StoreError: the folder cannot be written.
    """
    shown = re.sub(r"//[^/]*@", "//", url)  # a mirror's password is no part of a message
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _taking_place_of(path) as taken, client.stream("GET", url) as response:
            response.raise_for_status()
            _copy(response, taken, file, on_progress)
    except httpx.HTTPStatusError as error:
        raise TransportError(f"{shown} answers {error.response.status_code}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise TransportError(f"{shown} cannot be fetched: {type(error).__name__}") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from error


def _copy(response: httpx.Response, taken: IO[bytes], file: File, on_progress: Progress) -> None:
    digest, count = sha256(), 0
    total = file.size or int(response.headers.get("content-length", 0))
    for chunk in response.iter_raw(CHUNK):
        digest.update(chunk)
        taken.write(chunk)
        count += len(chunk)
        if file.size is not None and count > file.size:
            break
        on_progress(file.path, count, total)
    if digest.hexdigest() != file.sha256:
        raise DataError(
            f"what {response.url.host} sent for {file.path} is not the published file "
            f"({count} bytes, another SHA-256); nothing was kept. Try again or use a mirror"
        )


@contextmanager
def _taking_place_of(path: Path) -> Iterator[IO[bytes]]:
    """Yield a temporary file beside ``path`` that replaces it if the block ends well."""
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as taken:
        try:
            yield taken
            taken.flush()
            os.fsync(taken.fileno())
            Path(taken.name).chmod(0o644)  # a temporary file is its maker's alone
            Path(taken.name).replace(path)
        except BaseException:
            Path(taken.name).unlink(missing_ok=True)
            raise
