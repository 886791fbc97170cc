"""Enrolment: a one-time token turns an identity key into a member."""

from fastapi import APIRouter, Request, Response

from api import registration
from api.auth import Operator, Served
from api.limits import read
from api.schemas import Enrolled, Enrolment
from secure_clove.foundation.ids import ClientId, FederationId

router = APIRouter()

MOST = 4096
"""Bytes of an enrolment: the one body that is read from strangers."""


@router.post("/federations/{federation}/enrolments", status_code=201)
async def enrol(
    request: Request, response: Response, federation: FederationId, service: Served
) -> Enrolled:
    """Enrol an identity key."""
    claim = Enrolment.model_validate_json(await read(request, MOST))
    client = await service.run(lambda: registration.enrol(service, federation, claim))
    response.headers["Location"] = f"/v1/federations/{federation}/enrolments/{client}"
    return Enrolled(client=client)


@router.get("/federations/{federation}/enrolments")
async def enrolments(
    federation: FederationId, service: Served, _: Operator
) -> dict[ClientId, str | None]:
    """Return who has enrolled, with which key."""
    return await service.run(lambda: registration.enrolments(service, federation))
