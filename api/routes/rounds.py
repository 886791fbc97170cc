"""Rounds: what the coordinator knows of each that is over."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import Member, Served
from secure_clove.engine.state import RoundReport
from secure_clove.errors import NotFoundError
from secure_clove.foundation.ids import FederationId

router = APIRouter()


@router.get("/federations/{federation}/rounds")
async def rounds(
    federation: FederationId,
    service: Served,
    _: Member,
    after: Annotated[int, Query(ge=0)] = 0,
) -> list[RoundReport]:
    """Return the finished rounds numbered above ``after``, oldest first."""
    reports = await service.run(lambda: service.coordinator.reports(federation))
    return [report for report in reports if report.round > after]


@router.get("/federations/{federation}/rounds/{number}")
async def one(federation: FederationId, number: int, service: Served, _: Member) -> RoundReport:
    """Return one finished round."""
    reports = await service.run(lambda: service.coordinator.reports(federation))
    for report in reports:
        if report.round == number:
            return report
    raise NotFoundError("no such round is finished")
