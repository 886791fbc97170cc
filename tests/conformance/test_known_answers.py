"""The published answers of the standards, from our wrappers and from the independent verifier."""

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from secure_clove.secagg import keys, masks, ring
from tests.conformance import plain, seams
from tests.conformance.test_wycheproof import vectors

raw = bytes.fromhex

# X25519: RFC 7748

BASE = "0900000000000000000000000000000000000000000000000000000000000000"
ALICE = (
    "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
    "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
)
BOB = (
    "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
    "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
)
BOTH = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"


@pytest.mark.parametrize(
    ("scalar", "point", "answer"),
    [
        (
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ),
        (
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ),
    ],
)
def test_x25519_gives_the_products_of_rfc_7748(scalar: str, point: str, answer: str) -> None:
    assert seams.exchange(raw(scalar), raw(point)).hex() == answer
    assert plain.x25519(raw(scalar), raw(point)).hex() == answer


def test_x25519_iterated_a_thousand_times_gives_the_answer_of_rfc_7748() -> None:
    scalar = point = raw(BASE)
    for count in range(1, 1001):
        scalar, point = seams.exchange(scalar, point), scalar
        if count == 1:
            first = scalar.hex()

    assert first == "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"
    assert scalar.hex() == "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"


def test_alice_and_bob_of_rfc_7748_agree() -> None:
    for mine, theirs in ((ALICE, BOB), (BOB, ALICE)):
        assert keys.public_key(raw(mine[0])).hex() == mine[1]
        assert seams.exchange(raw(mine[0]), raw(theirs[1])).hex() == BOTH


# Ed25519: RFC 8032

SIGNED = {
    "TEST 1": (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    "TEST 2": (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    "TEST 3": (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    "TEST SHA(abc)": (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
        "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
}


LONG = "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5"
"""The key of TEST 1024."""


@pytest.mark.parametrize("name", SIGNED)
def test_ed25519_gives_the_signatures_of_rfc_8032(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    secret, public, message, signature = map(raw, SIGNED[name])
    signatures = seams.Signatures(monkeypatch)

    assert keys.Identity.from_bytes(secret).public == public
    assert signatures.sign(secret, message) == signature
    signatures.verify(public, signature, message)


def test_ed25519_gives_the_signature_of_the_long_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """TEST 1024; Wycheproof holds its message and signature too, and not its secret."""
    case = next(c for c in vectors("ed25519") if c["comment"].endswith("Test 1024"))
    found = seams.Signatures(monkeypatch).sign(raw(LONG), raw(case["msg"]))

    assert len(raw(case["msg"])) == 1023
    assert found.hex() == case["sig"]
    assert case["sig"].startswith("0aab4c900501b3e24d7cdf4663326a3a")


# HKDF: RFC 5869, appendix A


@pytest.mark.parametrize(
    ("secret", "salt", "info", "answer"),
    [
        (
            b"\x0b" * 22,
            bytes(range(13)),
            bytes(range(0xF0, 0xFA)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            bytes(range(0x50)),
            bytes(range(0x60, 0xB0)),
            bytes(range(0xB0, 0x100)),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
            "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
            "cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        (
            b"\x0b" * 22,
            b"",
            b"",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ],
    ids=["A.1", "A.2", "A.3"],
)
def test_hkdf_gives_the_keys_of_rfc_5869(
    secret: bytes, salt: bytes, info: bytes, answer: str
) -> None:
    """Ours are the first 32 bytes; the verifier's are all of them."""
    assert seams.derive(secret, salt, info) == raw(answer)[:32]
    assert plain.hkdf(secret, salt, info, len(raw(answer))).hex() == answer


# ChaCha20-Poly1305: RFC 8439, section 2.8.2

SUNSCREEN = (
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    b"sunscreen would be it."
)
SEALED = raw(
    "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
    "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
    "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
    "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691"
)
KEY, NONCE = bytes(range(0x80, 0xA0)), raw("070000004041424344454647")
ASSOCIATED = raw("50515253c0c1c2c3c4c5c6c7")


def test_an_envelope_is_that_of_rfc_8439(monkeypatch: pytest.MonkeyPatch) -> None:
    envelopes = seams.Envelopes(monkeypatch)

    assert envelopes.seal(KEY, NONCE, SUNSCREEN, ASSOCIATED) == SEALED
    assert envelopes.unseal(KEY, NONCE, SEALED, ASSOCIATED) == SUNSCREEN
    assert plain.aead_seal(KEY, NONCE, SUNSCREEN, ASSOCIATED) == SEALED
    assert plain.aead_open(KEY, NONCE, SEALED, ASSOCIATED) == SUNSCREEN


# AES-256 in counter mode: NIST SP 800-38A, F.5.5

AES_KEY = raw("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
FIRST = raw("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
PLAIN = raw(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
HIDDEN = raw(
    "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
    "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6"
)


def blocks(key: bytes, first: int, count: int) -> bytes:
    """Return the key stream: AES of counters, one block at a time."""
    cipher = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305  of counters
    return cipher.update(b"".join((first + i).to_bytes(16, "big") for i in range(count)))


def test_counter_mode_is_that_of_sp_800_38a() -> None:
    stream = blocks(AES_KEY, int.from_bytes(FIRST, "big"), 4)

    assert seams.counter_mode(AES_KEY, FIRST, PLAIN) == HIDDEN
    assert bytes(a ^ b for a, b in zip(PLAIN, stream, strict=True)) == HIDDEN


@pytest.mark.parametrize("bits", [32, 64])
def test_a_mask_stream_is_counter_mode_from_zero_over_several_pieces(bits: int) -> None:
    length = 3 * masks.PIECE_BYTES // (bits // 8) + 5
    words = ring.zeros(length, bits)
    masks.apply(words, add=[AES_KEY])

    size = length * bits // 8
    assert ring.to_bytes(words) == blocks(AES_KEY, 0, size // 16 + 1)[:size]
    places = [0, 1, length // 2, length - 1]
    assert plain.stream_words(AES_KEY, bits, places) == [int(words[p]) for p in places]


def test_the_stream_goes_on_where_a_piece_ends_for_subtracted_keys_too() -> None:
    length = masks.PIECE_BYTES // 2
    words = ring.zeros(length, 32)
    masks.apply(words, subtract=[AES_KEY])

    expected = np.frombuffer(blocks(AES_KEY, 0, length // 4), dtype="<u4")
    np.testing.assert_array_equal(words + expected, np.zeros(length))
