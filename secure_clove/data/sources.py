"""Data sets by name: scikit-learn's digits, embedded, and those read from a data directory."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Literal

import numpy as np
from sklearn.datasets import load_digits

from secure_clove.data.catalogue import CATALOGUE, Distribution, Entry, entry
from secure_clove.data.dataset import Dataset, Part, Provenance
from secure_clove.data.federation import Features, Labels
from secure_clove.data.files import File
from secure_clove.errors import CloveError, ConfigError, DataError

VARIABLE = "SECURE_CLOVE_DATA"
"""Environment variable that names the data directory."""

DIGITS = "digits"
"""The set that needs no file."""

State = Literal["verified", "unchecked", "damaged", "missing"]


def digits() -> tuple[Features, Labels]:
    """Return scikit-learn's handwritten digits: x of shape (1797, 64), y of shape (1797,).

    Pixels are scaled by public constants only, x/16 - 0.3, into [-0.3, 0.7] with a mean near 0. A
    mean or a variance taken from the examples would be a release that no privacy budget paid for.

    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI 1998 (the test
    part, 8 x 8 pixels of 0 to 16), as shipped inside scikit-learn.
    """
    x, y = load_digits(return_X_y=True)
    return np.asarray(x / 16.0 - 0.3, dtype=np.float32), np.asarray(y, dtype=np.int64)


def load(name: str, data_dir: Path | None = None, *, distribution: str | None = None) -> Dataset:
    """Return one data set, complete and checked, or raise.

    Args:
        name: ``digits`` or a name of the catalogue, such as ``mnist``.
        data_dir: Folder with a folder for each set; None: the variable SECURE_CLOVE_DATA.
        distribution: Which form to read; None: the first of the catalogue that is there.

    Raises:
        ConfigError: no such set or distribution.
        DataError: a file is missing or damaged; says which one, where it was sought, and the cure.
    """
    if name == DIGITS:
        return _embedded()
    found = entry(name)
    folder = data_directory(data_dir) / found.folder
    chosen = _chosen(found, folder, distribution)
    contents, provenance = _contents(found, chosen, folder)
    try:
        return chosen.read(contents, provenance)
    except CloveError as error:
        raise DataError(f"{name} ({chosen.name}) in {folder} cannot be read: {error}") from error


def data_directory(given: Path | None = None) -> Path:
    """Return ``given``, or the folder that SECURE_CLOVE_DATA names.

    Raises:
        DataError: neither is set.
    """
    named = os.environ.get(VARIABLE)
    if given is None and not named:
        raise DataError(
            f"no data directory; give one or set {VARIABLE} (the set '{DIGITS}' needs none)"
        )
    return given if given is not None else Path(named or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What a data directory holds of one set.

    Attributes:
        name: The set.
        distribution: The form that is there; None: none is complete.
        state: ``verified``: every digest is right; ``unchecked``: complete, but its files have no
            known digest; ``damaged``: a digest is wrong; ``missing``: not complete.
        home: Page of its publishers.
    """

    name: str
    distribution: str | None
    state: State
    home: str


def inventory(data_dir: Path) -> tuple[Status, ...]:
    """Return the state of every set of the catalogue in ``data_dir``, reading all its files."""
    return tuple(_status(found, data_dir / found.folder) for found in CATALOGUE.values())


def is_intact(file: File, path: Path) -> bool:
    """Return whether ``path`` is there and has the digest of ``file``."""
    if not path.is_file() or (file.size is not None and path.stat().st_size != file.size):
        return False
    with path.open("rb") as opened:
        return file_digest(opened, "sha256").hexdigest() == file.sha256


def _status(found: Entry, folder: Path) -> Status:
    there = next((d for d in found.distributions if not _missing(d, folder)), None)
    state: State = "missing"
    if there is not None:
        known = [file for file in there.files if file.sha256 is not None]
        is_whole = all(is_intact(file, folder / file.path) for file in known)
        state = "damaged" if not is_whole else "verified" if known else "unchecked"
    name = None if there is None else there.name
    return Status(name=found.name, distribution=name, state=state, home=found.home)


def _embedded() -> Dataset:
    x, y = digits()
    provenance = Provenance(
        dataset=DIGITS,
        distribution="scikit-learn",
        home="https://scikit-learn.org/stable/modules/generated/sklearn.datasets.load_digits.html",
        files=(),
        verified=True,
    )
    return Dataset(
        train=Part(x=x.reshape(-1, 1, 8, 8).astype(np.float32), y=y),
        test=None,
        classes=tuple("0123456789"),
        unit=1.0,
        provenance=provenance,
    )


def _chosen(found: Entry, folder: Path, wanted: str | None) -> Distribution:
    names = [d.name for d in found.distributions]
    if wanted is not None and wanted not in names:
        raise ConfigError(f"{found.name} has no distribution '{wanted}'; choose {', '.join(names)}")
    candidates = [d for d in found.distributions if wanted in (None, d.name)]
    complete = [d for d in candidates if not _missing(d, folder)]
    if complete:
        return complete[0]
    nearest = min(candidates, key=lambda d: len(_missing(d, folder)) / len(d.files))
    lacks = ", ".join(_missing(nearest, folder))
    raise DataError(f"{found.name} is not complete in {folder}: {lacks} missing. {_cure(found)}")


def _cure(found: Entry) -> str:
    if found.by_hand:
        return f"{found.home}: {found.by_hand} into that folder"
    return f"Fetch it: secure-clove data fetch {found.name}"


def _missing(distribution: Distribution, folder: Path) -> list[str]:
    return [file.path for file in distribution.files if not _paths(file, folder)]


def _paths(file: File, folder: Path) -> list[Path]:
    if "*" in file.path:
        return sorted(path for path in folder.glob(file.path) if path.is_file())
    return [folder / file.path] if (folder / file.path).is_file() else []


def _contents(
    found: Entry, chosen: Distribution, folder: Path
) -> tuple[Mapping[str, bytes], Provenance]:
    contents, digests = {}, []
    for file in chosen.files:
        for path in _paths(file, folder):
            data, name = path.read_bytes(), path.relative_to(folder).as_posix()
            digest = sha256(data).hexdigest()
            if file.sha256 not in (None, digest):
                raise DataError(
                    f"{path} is damaged or another version: its SHA-256 is {digest}, "
                    f"{file.sha256} was expected. {_cure(found)}"
                )
            contents[name] = data
            digests.append((name, digest))
    return contents, Provenance(
        dataset=found.name,
        distribution=chosen.name,
        home=found.home,
        files=tuple(digests),
        verified=all(file.sha256 is not None for file in chosen.files),
    )
