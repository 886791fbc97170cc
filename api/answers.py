"""Binary answers: strong ETags, conditional requests, ranges, and "not yet"."""

import re

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from secure_clove.foundation.ids import Digest, digest

BINARY = "application/octet-stream"
_RANGE = re.compile(r"bytes=(?P<first>[0-9]{0,18})-(?P<last>[0-9]{0,18})")


def encoded(body: bytes) -> Response:
    """Return an encoded value, for this request only."""
    return Response(body, media_type=BINARY, headers={"Cache-Control": "no-store"})


def not_yet() -> Response:
    """Return that there is nothing to fetch yet; ask again in a second."""
    return Response(status_code=204, headers={"Retry-After": "1"})


def tagged(request: Request, body: bytes) -> Response:
    """Return bytes under a strong ETag, or 304 to whoever has them."""
    headers = {"ETag": _tag(digest(body)), "Cache-Control": "private, no-cache"}
    if _has(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=BINARY, headers=headers)


def artefact(request: Request, content: Digest, body: bytes) -> Response:
    """Return an artefact or the one range of it that was asked for.

    Raises:
        HTTPException: 416, the range lies outside.
    """
    headers = {
        "ETag": _tag(content),
        "Cache-Control": "private, max-age=31536000, immutable",
        "Accept-Ranges": "bytes",
    }
    if _has(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    span = _span(request, headers["ETag"], len(body))
    if span is None:
        return Response(body, media_type=BINARY, headers=headers)
    headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{len(body)}"
    return Response(body[span.start : span.stop], 206, media_type=BINARY, headers=headers)


def _tag(content: Digest) -> str:
    return f'"{content}"'


def _has(request: Request, tag: str) -> bool:
    known = request.headers.get("if-none-match", "")
    return tag in (part.strip().removeprefix("W/") for part in known.split(","))


def _span(request: Request, tag: str, size: int) -> range | None:
    """Return the bytes asked for (RFC 9110, section 14); None for all of them.

    Several ranges, other units and an outdated ``If-Range`` get everything, as the RFC allows.
    """
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    if found is None or request.headers.get("if-range", tag) != tag:
        return None
    first, last = found["first"], found["last"]
    if not first and not last:
        return None
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    if first and last and int(last) < int(first):
        return None
    if start >= stop:
        raise HTTPException(416, headers={"Content-Range": f"bytes */{size}"})
    return range(start, stop)
