"""Body limits, enforced while the bytes come in and before anything looks at them."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import refusal
from secure_clove.errors import TooLargeError


class BodyLimit:
    """ASGI middleware that refuses a request body of more than ``most`` bytes.

    A declared length is refused before the application runs; an undeclared one as soon as the
    count passes the limit.
    """

    def __init__(self, app: ASGIApp, *, most: int) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif _declared(scope["headers"]) > self._most:
            await refusal(too_large(self._most))(scope, receive, send)
        else:
            await self._app(scope, _counted(receive, self._most), send)


async def read(request: Request, most: int) -> bytes:
    """Return the body of a request.

    Raises:
        TooLargeError: it has more than ``most`` bytes; no more than that were kept.
    """
    if _declared(request.scope["headers"]) > most:
        raise too_large(most)
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > most:
            raise too_large(most)
        pieces.append(piece)
    return b"".join(pieces)


def too_large(most: int) -> TooLargeError:
    """Return the refusal of a body of more than ``most`` bytes."""
    return TooLargeError(f"at most {most} bytes are allowed here")


def _counted(receive: Receive, most: int) -> Receive:
    size = 0

    async def counting() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > most:
            raise too_large(most)
        return message

    return counting


def _declared(headers: Sequence[tuple[bytes, bytes]]) -> int:
    """Return the declared length, which the server has checked to be a number; 0 without one."""
    return next((int(value) for name, value in headers if name == b"content-length"), 0)
