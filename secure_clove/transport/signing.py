"""Request signatures: who asks for exactly what, once, and when.

The shape is that of HTTP message signatures (RFC 9421) over a content digest (RFC 9530): one
signature labelled ``sig1`` that covers method, path, query and body, with the time, a nonce and the
key's name as parameters. What Ed25519 signs is not the bare signature base but, as everywhere in
this library, the transcript hash of a tag and the base: a request can never pass for a protocol
message, nor the other way round.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from secure_clove.errors import BadSignatureError, MalformedError
from secure_clove.secagg.keys import Identity, verify

REQUEST_TAG = "secure_clove/v1/request"
ENROLMENT_TAG = "secure_clove/v1/enrolment"

COVERED = '("@method" "@path" "@query" "content-digest")'

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""What a client may be called: a keyid, and one segment of a path without escapes."""

_INPUT = re.compile(
    rf"sig1=(?P<params>{re.escape(COVERED)};created=(?P<created>[0-9]{{1,12}});"
    rf'nonce="(?P<nonce>[0-9a-f]{{32}})";keyid="(?P<keyid>{NAME})";alg="ed25519")'
)
_SIGNATURE = re.compile(r"sig1=:(?P<value>[A-Za-z0-9+/]{86}==):")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What the headers of a request say; true only after `check`.

    Attributes:
        keyid: Name of the signing key: a client's name, or ``operator``.
        created: When it was signed, seconds since the epoch.
        nonce: 32 hex digits, fresh for every request.
        content_digest: The header of that name.
        params: The signature parameters as they were sent.
        signature: 64 bytes.
    """

    keyid: str
    created: int
    nonce: str
    content_digest: str = field(repr=False)
    params: str = field(repr=False)
    signature: bytes = field(repr=False)


def sign(
    identity: Identity,
    *,
    keyid: str,
    method: str,
    path: str,
    query: str,
    body: bytes,
    created: int,
    nonce: str,
) -> dict[str, str]:
    """Return the three headers that sign a request.

    Args:
        identity: Who signs.
        keyid: Under what name the server knows its key: a client's name, or ``operator``.
        method: Such as ``PUT``.
        path: As it goes over the wire, percent-encoded, without the query.
        query: As it goes over the wire, without the question mark; may be empty.
        body: All of it; empty for a GET.
        created: Seconds since the epoch.
        nonce: 32 hex digits (16 random bytes), never used before.
    """
    content = _content_digest(body)
    params = f'{COVERED};created={created};nonce="{nonce}";keyid="{keyid}";alg="ed25519"'
    base = _base(params, method=method, path=path, query=query, content=content)
    signature = b64encode(identity.sign(REQUEST_TAG, base)).decode()
    return {
        "Content-Digest": content,
        "Signature-Input": f"sig1={params}",
        "Signature": f"sig1=:{signature}:",
    }


def parse(headers: Mapping[str, str]) -> Claim:
    """Read the signature headers of a request; nothing is verified yet.

    Raises:
        BadSignatureError: the request is not signed at all.
        MalformedError: the headers are not of the one form that `sign` writes.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    if not {"signature-input", "signature", "content-digest"} <= lower.keys():
        raise BadSignatureError(
            "the request is not signed; send Signature-Input, Signature and Content-Digest"
        )
    said = _INPUT.fullmatch(lower["signature-input"])
    value = _SIGNATURE.fullmatch(lower["signature"])
    if said is None or value is None:
        raise MalformedError(f"the signature headers must cover {COVERED} as sig1, by ed25519")
    return Claim(
        keyid=said["keyid"],
        created=int(said["created"]),
        nonce=said["nonce"],
        content_digest=lower["content-digest"],
        params=said["params"],
        signature=b64decode(value["value"]),
    )


def check(claim: Claim, *, public: bytes, method: str, path: str, query: str, body: bytes) -> None:
    """Check that the owner of ``public`` signed exactly this request.

    Whether it is fresh and its nonce unused is the server's to judge.

    Args:
        claim: From the request's headers.
        public: Ed25519 public key, 32 bytes, that belongs to the claim's keyid.
        method: Of the request, and likewise the others; see `sign`.
        path: Percent-encoded.
        query: Without the question mark.
        body: All of it.

    Raises:
        BadSignatureError: the body is another one, or the signature is not the key's.
    """
    if claim.content_digest != _content_digest(body):
        raise BadSignatureError("the body is not the one whose digest was signed")
    base = _base(claim.params, method=method, path=path, query=query, content=claim.content_digest)
    verify(public, claim.signature, REQUEST_TAG, base)


def _content_digest(body: bytes) -> str:
    return f"sha-256=:{b64encode(sha256(body).digest()).decode()}:"


def _base(params: str, *, method: str, path: str, query: str, content: str) -> str:
    """Return the signature base (RFC 9421, section 2.5)."""
    return "\n".join(
        [
            f'"@method": {method}',
            f'"@path": {path}',
            f'"@query": ?{query}',
            f'"content-digest": {content}',
            f'"@signature-params": {params}',
        ]
    )
