"""Identity keys as files: Ed25519, PEM, readable by their owner alone."""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from secure_clove.errors import ConfigError
from secure_clove.secagg.keys import Identity


def new_identity(path: Path) -> Identity:
    """Make a key, write it to ``path`` with mode 0600 and return it.

    Raises:
        ConfigError: there is a file already, or none can be made; keys are never overwritten.
    """
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        if os.path.lexists(path):
            reason = "exists; keys are never overwritten, choose another name"
        else:
            reason = "cannot be written; check the folder and its permissions"
        raise ConfigError(f"{path} {reason}") from error
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
    return Identity.from_bytes(key.private_bytes_raw())


def load_identity(path: Path) -> Identity:
    """Read a key that `new_identity` wrote.

    Raises:
        ConfigError: no such file, or it holds no Ed25519 key.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError as error:
        raise ConfigError(f"no key at {path}; make one: secure-clove keys new {path}") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read; check its permissions") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path} is not an unencrypted PEM key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} holds a key of another kind; Ed25519 expected")
    return Identity.from_bytes(key.private_bytes_raw())
