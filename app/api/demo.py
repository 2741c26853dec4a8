"""The demo's clock: what day it is, and moving it forward. These addresses exist in demo mode only."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.actor import Act
from app.api import overviews, responses
from app.followup import demo_clock
from app.followup.demo_clock import NewDay
from app.http.call import actor_of
from app.http.conditional import answer
from app.http.deps import Needs, ReadDep

router = APIRouter(prefix="/api/v1/demo", tags=["demo"])


@router.get("/clock", dependencies=[Needs(Act.MOVE_DEMO_CLOCK)], responses=responses.of(overviews.DemoDay))
async def get_demo_day(read: ReadDep) -> Response:
    """The demo's day."""
    return answer({"today": read.tx.today})


@router.post(
    "/clock",
    dependencies=[Needs(Act.MOVE_DEMO_CLOCK)],
    responses=responses.of(overviews.DemoMoved, *responses.BODY, 409),
)
async def move_demo_day(request: Request, new: NewDay) -> Response:
    """Moves the day forward and flags what has become overdue."""
    house = request.app.state
    return answer(await demo_clock.move(house.db, house.clock, actor_of(request.scope), new.today))
