"""Federations: founding, starting, and what they are."""

from fastapi import APIRouter, Request, Response

from api import registration
from api.answers import BINARY, encoded
from api.auth import Member, Operator, Served
from api.schemas import FederationLine, FederationView
from secure_clove.foundation.codec import encode
from secure_clove.foundation.ids import FederationId

router = APIRouter()


@router.post("/federations", status_code=201)
async def found(service: Served, operator: Operator) -> Response:
    """Found a federation."""
    name = await service.run(lambda: registration.found(service, operator.body))
    return Response(status_code=201, headers={"Location": f"/v1/federations/{name}"})


@router.post("/federations/{federation}:start", status_code=204)
async def start(federation: FederationId, service: Served, operator: Operator) -> None:
    """Start a federation with its signed roster."""
    await service.run(lambda: registration.start(service, federation, operator.body))
    service.changed(federation)


@router.get("/federations")
async def listing(service: Served, _: Operator) -> list[FederationLine]:
    """Return every federation with its phase and round."""
    states = await service.run(service.states)
    return [FederationLine.of(state) for state in states]


@router.get("/federations/{federation}", response_model=FederationView)
async def show(
    request: Request, federation: FederationId, service: Served, _: Member
) -> Response | FederationView:
    """Return the signed charter to machines, and a view of the federation to people."""
    if BINARY in request.headers.get("accept", ""):
        return encoded(encode(await service.run(lambda: service.coordinator.charter(federation))))
    return await service.run(lambda: FederationView.of(service.coordinator.state(federation)))
