"""The demo's day, moved forward by a click, so that overdue visits, alerts and the feed are seen to happen."""

from datetime import timedelta

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.actor import Act
from app.errors import FollowUpError, Invalid
from app.followup import demo_clock
from app.followup.demo_clock import NewDay
from app.http.call import actor_of
from app.http.deps import Needs, reading
from app.pages import forms
from app.pages.page import PageRoute, back_to, frame, render

router = APIRouter(include_in_schema=False, route_class=PageRoute)
STEPS = (1, 7, 30, 365)


@router.get("/demo", dependencies=[Needs(Act.MOVE_DEMO_CLOCK)])
async def day(request: Request) -> Response:
    """Today's day in the demo, and buttons that move it."""
    return await _page(request)


async def _page(request: Request, refusal: FollowUpError | None = None, status: int = 200) -> Response:
    async with reading(request) as read:
        facts = await frame(request, read.tx)
        steps = [(days, facts["today"] + timedelta(days=days)) for days in STEPS]
        return render(request, "demo.html", status, **facts, steps=steps, refusal=refusal)


@router.post("/demo", dependencies=[Needs(Act.MOVE_DEMO_CLOCK)])
async def move(request: Request) -> Response:
    """Moves the day forward, sweeps, and goes to the list."""
    given, house = await forms.fields(request), request.app.state
    try:
        new = forms.command(NewDay, {"today": given.get("today", "")})
        await demo_clock.move(house.db, house.clock, actor_of(request.scope), new.today)
    except Invalid as refusal:
        return await _page(request, refusal, status=422)
    return back_to("/")
