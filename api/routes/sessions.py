"""Sessions: what a client has to do, its messages, and what its next step needs."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.answers import encoded, not_yet, tagged
from api.auth import Client, Member, Served
from secure_clove.foundation.ids import FederationId

router = APIRouter()

Wait = Annotated[float, Query(ge=0, le=25)]
"""Seconds that an answer may wait for something to say."""


@router.get("/federations/{federation}/sessions/current")
async def current(
    federation: FederationId, service: Served, client: Client, wait: Wait = 0
) -> Response:
    """Return the session that waits for this client."""
    found = await service.current(federation, client, wait)
    return not_yet() if found is None else encoded(found)


@router.put("/sessions/{sid}/{step}/{client}", status_code=204)
async def put(sid: str, step: str, service: Served, sender: Client, caller: Member) -> None:
    """Take one protocol message."""
    await service.put(sid, step, sender, caller.body)


@router.get("/sessions/{sid}/{resource}")
async def fetch(
    request: Request, sid: str, resource: str, service: Served, client: Client, wait: Wait = 0
) -> Response:
    """Return what the client's next step needs."""
    found = await service.fetch(sid, resource, client, wait)
    return not_yet() if found is None else tagged(request, found)
