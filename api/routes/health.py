"""Whether the process lives and its database answers; for orchestrators, unsigned."""

from fastapi import APIRouter

from api.auth import Served
from api.schemas import Health

router = APIRouter()


@router.get("/healthz")
async def alive() -> Health:
    """Say that the process serves requests."""
    return Health(status="alive")


@router.get("/readyz")
async def ready(service: Served) -> Health:
    """Say that the database can be reached."""
    await service.run(service.look)
    return Health(status="ready")
