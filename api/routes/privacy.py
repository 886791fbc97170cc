"""Privacy: what was released so far, in numbers and in words."""

from fastapi import APIRouter

from api.auth import Member, Served
from api.schemas import PrivacyView
from secure_clove.foundation.ids import FederationId

router = APIRouter()


@router.get("/federations/{federation}/privacy")
async def privacy(federation: FederationId, service: Served, _: Member) -> PrivacyView:
    """Return the coordinator's copy of the ledger and its statement."""
    return await service.run(lambda: PrivacyView.of(service.coordinator.state(federation)))
