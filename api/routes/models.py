"""Models: safetensors by their content hash."""

from fastapi import APIRouter, Request, Response

from api.answers import artefact
from api.auth import Member, Served
from secure_clove.foundation.ids import Digest

router = APIRouter()


@router.get("/models/{content}")
async def model(request: Request, content: Digest, service: Served, _: Member) -> Response:
    """Return the bytes with this hash."""
    body = await service.run(lambda: service.coordinator.artefact(content))
    return artefact(request, content, body)
