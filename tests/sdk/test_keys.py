"""Identity keys as files: nobody else reads them, nothing overwrites them."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from secure_clove.errors import ConfigError
from secure_clove.sdk.keys import load_identity, new_identity
from secure_clove.secagg.keys import verify


def test_a_key_is_read_as_it_was_made(tmp_path: Path) -> None:
    made = new_identity(tmp_path / "site.key")
    assert load_identity(tmp_path / "site.key").public == made.public


def test_a_key_read_from_its_file_signs_for_its_public_half(tmp_path: Path) -> None:
    public = new_identity(tmp_path / "site.key").public
    verify(public, load_identity(tmp_path / "site.key").sign("hello"), "hello")


def test_two_keys_are_different(tmp_path: Path) -> None:
    assert new_identity(tmp_path / "a").public != new_identity(tmp_path / "b").public


def test_only_the_owner_may_read_a_key(tmp_path: Path) -> None:
    new_identity(tmp_path / "site.key")
    assert stat.S_IMODE((tmp_path / "site.key").stat().st_mode) == 0o600


def test_missing_folders_are_made(tmp_path: Path) -> None:
    new_identity(tmp_path / "a" / "b" / "site.key")
    assert (tmp_path / "a" / "b" / "site.key").is_file()


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "site.key"
    before = new_identity(path).public
    with pytest.raises(ConfigError, match="never overwritten"):
        new_identity(path)
    assert load_identity(path).public == before


@pytest.mark.parametrize("content", [b"", b"somebody else's"])
def test_any_file_in_the_way_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "site.key"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="never overwritten"):
        new_identity(path)
    assert path.read_bytes() == content


def test_a_link_is_not_followed_when_a_key_is_made(tmp_path: Path) -> None:
    (tmp_path / "site.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="never overwritten"):
        new_identity(tmp_path / "site.key")
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="cannot be written"):
        new_identity(tmp_path / "file" / "site.key")


def test_a_missing_key_is_explained_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="secure-clove keys new"):
        load_identity(tmp_path / "site.key")


def pem(key: Ed25519PrivateKey | X25519PrivateKey, password: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


PUBLIC = Ed25519PrivateKey.generate().public_key()
WRONG = {
    "nothing": (b"", "not an unencrypted PEM key"),
    "noise": (bytes(range(256)), "not an unencrypted PEM key"),
    "text": (b"hello", "not an unencrypted PEM key"),
    "raw bytes": (b"k" * 32, "not an unencrypted PEM key"),
    "a cut key": (pem(Ed25519PrivateKey.generate())[:-40], "not an unencrypted PEM key"),
    "an encrypted key": (pem(Ed25519PrivateKey.generate(), b"pw"), "not an unencrypted PEM key"),
    "a public key": (
        PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "not an unencrypted PEM key",
    ),
    "a key of another kind": (pem(X25519PrivateKey.generate()), "Ed25519 expected"),
}


@pytest.mark.parametrize(("content", "reason"), WRONG.values(), ids=WRONG.keys())
def test_a_file_that_holds_no_ed25519_key_is_refused(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "site.key").write_bytes(content)
    with pytest.raises(ConfigError, match=reason):
        load_identity(tmp_path / "site.key")


def test_a_folder_is_no_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_identity(tmp_path)


def test_a_refusal_does_not_show_what_the_file_holds(tmp_path: Path) -> None:
    (tmp_path / "site.key").write_bytes(b"hunter2")
    with pytest.raises(ConfigError) as refused:
        load_identity(tmp_path / "site.key")
    assert "hunter2" not in f"{refused.value} {refused.value.__cause__}"


def test_an_identity_does_not_print_its_secret(tmp_path: Path) -> None:
    identity = new_identity(tmp_path / "site.key")
    assert repr(identity) == "Identity()"
