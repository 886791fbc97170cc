"""A signed request can be changed in no part, and says who signed it when."""

from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_clove.errors import BadSignatureError, MalformedError
from secure_clove.secagg.keys import Identity
from secure_clove.transport.signing import Claim, check, parse, sign

KEY = Identity.from_bytes(bytes(range(32)))
OTHER = Identity.from_bytes(bytes(range(1, 33)))
REQUEST: dict[str, Any] = {
    "method": "PUT",
    "path": "/v1/sessions/ab/advert/ada",
    "query": "wait=20",
    "body": b"a message",
}
NONCE = "0123456789abcdef" * 2


def signed(**changes: Any) -> dict[str, str]:
    said = REQUEST | {"keyid": "ada", "created": 1_700_000_000, "nonce": NONCE}
    return sign(KEY, **(said | changes))


def test_a_signed_request_passes_with_the_signers_key() -> None:
    check(parse(signed()), public=KEY.public, **REQUEST)


def test_the_claim_says_who_when_and_which() -> None:
    claim = parse(signed())
    assert (claim.keyid, claim.created, claim.nonce) == ("ada", 1_700_000_000, NONCE)


@given(
    method=st.sampled_from(["GET", "PUT", "POST"]),
    path=st.from_regex(r"/v1/[a-z0-9/:.%]{0,30}", fullmatch=True),
    query=st.from_regex(r"([a-z]+=[0-9]+(&[a-z]+=[0-9]+)*)?", fullmatch=True),
    body=st.binary(max_size=64),
)
def test_every_request_that_is_signed_passes(
    method: str, path: str, query: str, body: bytes
) -> None:
    request: dict[str, Any] = {"method": method, "path": path, "query": query, "body": body}
    check(parse(signed(**request)), public=KEY.public, **request)


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "POST"},
        {"path": "/v1/sessions/ab/advert/bob"},
        {"query": "wait=21"},
        {"query": ""},
        {"body": b"another message"},
        {"body": b""},
    ],
)
def test_no_part_of_a_signed_request_can_be_changed(changed: dict[str, Any]) -> None:
    with pytest.raises(BadSignatureError):
        check(parse(signed()), public=KEY.public, **(REQUEST | changed))


def test_another_key_is_refused() -> None:
    with pytest.raises(BadSignatureError):
        check(parse(signed()), public=OTHER.public, **REQUEST)


@pytest.mark.parametrize(
    ("old", "new"),
    [("1700000000", "1700000001"), (NONCE, NONCE[::-1]), ('keyid="ada"', 'keyid="bob"')],
)
def test_time_nonce_and_name_are_signed_too(old: str, new: str) -> None:
    headers = signed()
    headers["Signature-Input"] = headers["Signature-Input"].replace(old, new)
    with pytest.raises(BadSignatureError):
        check(parse(headers), public=KEY.public, **REQUEST)


def test_a_body_and_its_digest_exchanged_together_are_refused() -> None:
    headers = signed() | {"Content-Digest": signed(body=b"forged")["Content-Digest"]}
    with pytest.raises(BadSignatureError):
        check(parse(headers), public=KEY.public, **(REQUEST | {"body": b"forged"}))


def test_header_names_are_read_in_any_case() -> None:
    lower = {name.lower(): value for name, value in signed().items()}
    assert parse(lower) == parse(signed())


@pytest.mark.parametrize("missing", ["Content-Digest", "Signature-Input", "Signature"])
def test_an_unsigned_request_is_refused(missing: str) -> None:
    headers = signed()
    del headers[missing]
    with pytest.raises(BadSignatureError, match="not signed"):
        parse(headers)


@pytest.mark.parametrize(
    ("header", "old", "new"),
    [
        ("Signature-Input", '"@query" ', ""),  # covers less
        ("Signature-Input", "ed25519", "hmac-sha256"),
        ("Signature-Input", "sig1", "sig2"),
        ("Signature-Input", NONCE, NONCE[1:]),
        ("Signature-Input", "created=1700000000", "created=-1"),
        ("Signature-Input", 'keyid="ada"', 'keyid="a/b"'),
        ("Signature-Input", ';alg="ed25519"', ';alg="ed25519";expires=1'),
        ("Signature", "sig1=:", "sig1=:A"),
        ("Signature", "sig1=:", "sig1=:*"),
    ],
)
def test_signature_headers_of_another_form_are_refused(header: str, old: str, new: str) -> None:
    headers = signed()
    headers[header] = headers[header].replace(old, new)
    with pytest.raises(MalformedError):
        parse(headers)


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_header_makes_the_parser_fail_otherwise(first: str, second: str) -> None:
    with pytest.raises(MalformedError):
        parse({"Signature-Input": first, "Signature": second, "Content-Digest": ""})


def test_a_protocol_signature_is_no_request_signature() -> None:
    claim = parse(signed())
    base = "\n".join(
        [
            f'"@method": {REQUEST["method"]}',
            f'"@path": {REQUEST["path"]}',
            f'"@query": ?{REQUEST["query"]}',
            f'"content-digest": {claim.content_digest}',
            f'"@signature-params": {claim.params}',
        ]
    )
    elsewhere = b64encode(KEY.sign("advert", base)).decode()
    headers = signed() | {"Signature": f"sig1=:{elsewhere}:"}
    with pytest.raises(BadSignatureError):
        check(parse(headers), public=KEY.public, **REQUEST)


def test_a_claim_prints_neither_digest_nor_signature() -> None:
    claim: Claim = parse(signed())
    assert claim.content_digest not in repr(claim)
    assert "signature=" not in repr(claim)
