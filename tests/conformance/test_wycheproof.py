"""Project Wycheproof's vectors through our own wrappers of every primitive that the protocol uses.

Each test counts: vectors in all, those the protocol can meet, those out of its policy, and those
passed, which must be all that are in policy. Set SECURE_CLOVE_VECTORS to the folder that holds
``wycheproof/``; without it the folder ``shared/vectors`` beside this repository is looked at.
"""

import ast
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from secure_clove.errors import BadSignatureError, MalformedError
from tests.architecture.source import Source, imports
from tests.builders import LIBRARY, REPOSITORY
from tests.conformance import seams

VARIABLE = "SECURE_CLOVE_VECTORS"
FOLDER = Path(os.environ.get(VARIABLE, REPOSITORY.parent / "shared" / "vectors")) / "wycheproof"


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


def vectors(name: str) -> list[dict[str, Any]]:
    """Return the tests of one file, each with the fields of its group, or skip."""
    path = FOLDER / f"{name}_test.json"
    if not path.is_file():
        pytest.skip(f"{path} is not there; name the folder that holds wycheproof/ by {VARIABLE}")
    groups = json.loads(path.read_text())["testGroups"]
    return [{**group, **test} for group in groups for test in group["tests"]]


class Tally:
    """Counts verdicts, and shows them where a test is run with ``-s``."""

    def __init__(self, name: str) -> None:
        self.name, self.found = name, Counter[str]()

    def add(self, verdict: str) -> None:
        self.found[verdict] += 1

    def shown(self) -> dict[str, int]:
        said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(self.found.items()))
        print(f"\nwycheproof {self.name}: {said}")  # noqa: T201  evidence to read
        return dict(self.found)


def test_x25519() -> None:
    tally = Tally("x25519")
    for case in vectors("x25519"):
        given = (raw(case["private"]), raw(case["public"]))
        if "ZeroSharedSecret" in case["flags"]:
            with pytest.raises(MalformedError):
                seams.exchange(*given)
            tally.add("refused")
        else:
            assert seams.exchange(*given) == raw(case["shared"]), case["tcId"]
            tally.add("taken")
    assert tally.shown() == {"taken": 487, "refused": 31}  # 518 of 518


def test_ed25519(monkeypatch: pytest.MonkeyPatch) -> None:
    tally, signatures = Tally("ed25519"), seams.Signatures(monkeypatch)
    for case in vectors("ed25519"):
        given = (raw(case["publicKey"]["pk"]), raw(case["sig"]), raw(case["msg"]))
        if case["result"] == "valid":
            signatures.verify(*given)
            tally.add("taken")
        else:
            with pytest.raises(BadSignatureError):
                signatures.verify(*given)
            tally.add("refused")
    assert tally.shown() == {"taken": 88, "refused": 63}  # 151 of 151


def test_hkdf_sha256() -> None:
    """Our keys have 32 bytes; HKDF's output for another length begins with the same bytes."""
    tally = Tally("hkdf_sha256")
    for case in vectors("hkdf_sha256"):
        if case["result"] == "invalid":
            tally.add("out of policy: more than 8160 bytes cannot be asked for")
            continue
        found = seams.derive(raw(case["ikm"]), raw(case["salt"]), raw(case["info"]))
        assert found[: case["size"]] == raw(case["okm"])[:32], case["tcId"]
        tally.add("taken")
    counts = tally.shown()
    assert counts.pop("taken") == 83
    assert list(counts.values()) == [3]


def test_chacha20_poly1305(monkeypatch: pytest.MonkeyPatch) -> None:
    tally, envelopes = Tally("chacha20_poly1305"), seams.Envelopes(monkeypatch)
    for case in vectors("chacha20_poly1305"):
        key, nonce, plain, associated = (raw(case[name]) for name in ("key", "iv", "msg", "aad"))
        sealed = raw(case["ct"]) + raw(case["tag"])
        if case["ivSize"] != 96:
            tally.add("out of policy: the nonce has 12 bytes")
        elif case["result"] == "valid":
            assert envelopes.seal(key, nonce, plain, associated) == sealed, case["tcId"]
            assert envelopes.unseal(key, nonce, sealed, associated) == plain
            tally.add("taken")
        else:
            with pytest.raises(BadSignatureError):
                envelopes.unseal(key, nonce, sealed, associated)
            tally.add("refused")
    counts = tally.shown()
    assert (counts.pop("taken"), counts.pop("refused")) == (256, 60)
    assert list(counts.values()) == [9]


def test_the_cipher_of_mask_streams_by_the_ciphertexts_of_aes_gcm() -> None:
    """They are AES in counter mode, as mask streams; an invalid tag says nothing to these."""
    tally = Tally("aes_gcm")
    for case in vectors("aes_gcm"):
        if (case["keySize"], case["ivSize"]) != (256, 96):
            tally.add("out of policy: the key has 32 bytes and the nonce 12")
        elif case["result"] == "invalid":
            tally.add("out of policy: there is no tag")
        else:
            found = seams.galois_mode(raw(case["key"]), raw(case["iv"]), raw(case["msg"]))
            assert found == raw(case["ct"]), case["tcId"]
            tally.add("taken")
    assert tally.shown()["taken"] == 39


def imported() -> set[str]:
    """Return everything that the library imports of `cryptography` and of hmac."""
    texts = [path.read_text() for path in LIBRARY.rglob("*.py")]
    sources = [
        Source(path="", lines=0, tree=ast.parse(text))
        for text in texts
        if "cryptography" in text or "hmac" in text
    ]
    found = {name for source in sources for name in imports(source)}
    return {name for name in found if name.startswith(("cryptography", "hmac"))}


def test_no_primitive_is_used_that_is_not_tested_here() -> None:
    """HMAC-SHA256 occurs inside HKDF only, so its own vectors are out of policy."""
    primitives = {"Ed25519PrivateKey", "Ed25519PublicKey", "X25519PrivateKey", "X25519PublicKey"}
    primitives |= {"SHA256", "HKDF", "ChaCha20Poly1305", "Cipher", "algorithms", "modes"}
    beside = ("cryptography.exceptions", "cryptography.hazmat.primitives.serialization")
    used = {name for name in imported() if not name.startswith(beside)}

    assert {name.rpartition(".")[2] for name in used} == {
        *primitives,
        "CipherContext",
        "compare_digest",
    }
