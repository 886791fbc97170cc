"""Who is asking: every request but an enrolment and a health check is signed, fresh and new."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from api.database import FRESH_S
from api.limits import read
from api.service import Service
from secure_clove.errors import BadSignatureError, ReplayedError, UnknownClientError
from secure_clove.foundation.ids import ClientId, FederationId
from secure_clove.transport.signing import Claim, check, parse
from secure_clove.transport.wire import OPERATOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who sent a request, and its body.

    Attributes:
        name: A client of the federation that the path is about, or `OPERATOR`.
        body: All of it; exactly what was signed.
    """

    name: str
    body: bytes = field(repr=False)


async def service(request: Request) -> Service:
    """Return the service of this application."""
    found: Service = request.app.state.service
    return found


Served = Annotated[Service, Depends(service)]


async def caller(request: Request, service: Served) -> Caller:
    """Return who signed this request.

    The order keeps strangers cheap: headers, key and time are judged before the body is read, and
    a nonce is only written down for a true signature.

    Raises:
        BadSignatureError: not signed, or not by the key of that name.
        MalformedError: signature headers of another form.
        NotFoundError: no such federation or session.
        UnknownClientError: no key of that name is enrolled there.
        ReplayedError: too old, from the future, or seen before.
        TooLargeError: more bytes than this request may have.
    """
    claim = parse(request.headers)
    keys = await _keys(request, service, claim)
    if not keys:
        raise UnknownClientError("no client of this name is enrolled here; enrol first")
    if abs(service.now_s() - claim.created) > FRESH_S:
        raise ReplayedError(f"signed more than {FRESH_S} s from now; check the clocks")
    body = await read(request, await _most(request, service))
    _check(request, claim, keys, body)
    await service.nonces.admit(claim)
    return Caller(name=claim.keyid, body=body)


async def operator(caller: Annotated[Caller, Depends(caller)]) -> Caller:
    """Return the operator.

    Raises:
        UnknownClientError: it is somebody else.
    """
    if caller.name != OPERATOR:
        raise UnknownClientError("only the operator may do this")
    return caller


async def client(request: Request, caller: Annotated[Caller, Depends(caller)]) -> ClientId:
    """Return the client that asks, who is the one the path names, if it names one.

    Raises:
        UnknownClientError: it is the operator, or another client.
    """
    if caller.name == OPERATOR or request.path_params.get("client", caller.name) != caller.name:
        raise UnknownClientError("only the client itself may do this")
    return ClientId(caller.name)


Member = Annotated[Caller, Depends(caller)]
"""A client of the federation, or the operator."""

Operator = Annotated[Caller, Depends(operator)]
Client = Annotated[ClientId, Depends(client)]


async def _keys(request: Request, service: Service, claim: Claim) -> tuple[bytes, ...]:
    """Return the keys under which a claim could be true: those of the federation in the path."""
    if claim.keyid == OPERATOR:
        return (bytes.fromhex(service.settings.operator_key),)
    where = request.path_params
    if "federation" in where:
        return await service.keys(FederationId(where["federation"]), claim.keyid)
    if "sid" in where:
        return await service.keys((await service.session(where["sid"])).federation, claim.keyid)
    return await service.keys_anywhere(claim.keyid)


async def _most(request: Request, service: Service) -> int:
    where = request.path_params
    if "step" in where:
        return await service.most(where["sid"], where["step"])
    return service.settings.max_body_bytes if request.method == "POST" else 0


def _check(request: Request, claim: Claim, keys: tuple[bytes, ...], body: bytes) -> None:
    method, path = request.method, request.scope["raw_path"].decode("ascii")
    query = request.scope["query_string"].decode("ascii")
    for key in keys[:-1]:
        try:
            return check(claim, public=key, method=method, path=path, query=query, body=body)
        except BadSignatureError:
            continue
    check(claim, public=keys[-1], method=method, path=path, query=query, body=body)
