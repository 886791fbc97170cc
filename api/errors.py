"""Refusals as problem documents (RFC 9457): a stable code, a status, and never the input."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from secure_clove.errors import CloveError

STATUS: Mapping[str, int] = {
    "error": 500,
    "config": 422,
    "data": 422,
    "protocol": 400,
    "protocol-local": 500,
    "malformed": 422,
    "too-large": 413,
    "unknown-client": 403,
    "bad-signature": 401,
    "replayed": 401,
    "conflict": 409,
    "stage-closed": 410,
    "model-mismatch": 422,
    "not-found": 404,
    "aborted": 410,
    "privacy": 403,
    "budget-exceeded": 403,
    "policy-refused": 403,
    "cohort-too-small": 403,
    "transport": 502,
    "store": 503,
}
"""HTTP status of every code of `secure_clove.errors`. The one place where they are mapped."""

HEADERS: Mapping[int, Mapping[str, str]] = {
    401: {"WWW-Authenticate": "Signature"},
    413: {"Connection": "close"},  # the rest of the body is not read
    503: {"Retry-After": "1"},
}
"""What a status obliges the server to say beside it."""

_OF_STATUS = {404: "not-found", 405: "method-not-allowed", 416: "range-not-satisfiable"}


def problem(
    code: str, detail: str, status: int, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return a problem document.

    Args:
        code: Stable name of the kind of problem.
        detail: Cause and cure, for a person; never any input.
        status: Of the response.
        headers: Beside those of the status.
    """
    document = {
        "type": f"urn:secure-clove:problem:{code}",
        "title": code.replace("-", " "),
        "status": status,
        "code": code,
        "detail": detail,
    }
    return JSONResponse(
        document,
        status,
        headers={**HEADERS.get(status, {}), **(headers or {})},
        media_type="application/problem+json",
    )


def refusal(error: CloveError) -> JSONResponse:
    """Return the problem document of a library error."""
    return problem(error.code, str(error), STATUS[error.code])


def install(app: FastAPI) -> None:
    """Make every refusal of ``app`` a problem document."""
    app.add_exception_handler(CloveError, _clove)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _clove(_: Request, error: Exception) -> JSONResponse:
    return refusal(error) if isinstance(error, CloveError) else await _unexpected(_, error)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    return problem("malformed", "a field is missing, unknown or out of range", 422)


async def _http(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        return await _unexpected(_, error)
    status = HTTPStatus(error.status_code)
    code = _OF_STATUS.get(status, "http")
    return problem(code, status.phrase, status, error.headers)


async def _unexpected(_: Request, error: Exception) -> JSONResponse:
    return problem("error", "the coordinator failed; its log says why", 500)
