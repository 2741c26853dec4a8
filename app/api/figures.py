"""Figures: a centre's summary and the network's. Counts only, no person, and no count of so few that it tells of
one."""

from fastapi import APIRouter
from starlette.responses import Response

from app.actor import Act
from app.api import overviews, parameters, responses
from app.followup import figures
from app.http.deps import Needs, ReadDep

router = APIRouter(prefix="/api/v1", tags=["figures"])


@router.get(
    "/centres/{centre}/summary",
    dependencies=[Needs(Act.READ_CENTRE_FIGURES)],
    responses=responses.of(overviews.CentreSummary, *responses.READ),
)
async def centre_summary(read: ReadDep, centre: parameters.CodeInPath, as_of: parameters.Day = None) -> Response:
    """A centre in numbers, as of a day: today unless asked otherwise. Wards ask for their own; small cells are hidden
    from the network's roles."""
    return await read.one(lambda tx: figures.centre(tx, centre, as_of))


@router.get(
    "/network/summary",
    dependencies=[Needs(Act.READ_NETWORK_FIGURES)],
    responses=responses.of(overviews.NetworkSummary, 304),
)
async def network_summary(read: ReadDep, as_of: parameters.Day = None) -> Response:
    """The network in numbers, with each of its centres (small cells of others hidden), and what the source's own counts
    leave unexplained."""
    return await read.one(lambda tx: figures.network(tx, as_of))
