"""Alerts of overdue visits: open and acknowledged ones, the form that takes one up, and how the worker stands that
raises them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.actor import Act
from app.errors import FieldError, FollowUpError, NotFound
from app.followup import alerts, catalogue, health
from app.followup.commands import Reason
from app.http import problems
from app.http.deps import Needs, Transaction, reading, writing
from app.pages import days, forms
from app.pages.page import PageRoute, address, back_to, frame, is_fragment, render

router = APIRouter(include_in_schema=False, route_class=PageRoute)

MOST_ROWS = 500
State = Literal["open", "acknowledged"]


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list is narrowed to: one centre or all of one's own, and one state."""

    centre: str | None = None
    state: str = "open"

    def address(self, **other: str | None) -> str:
        """The list's address with these filters, some of them changed."""
        return address(
            "/alerts", {"centre": self.centre, "state": None if self.state == "open" else self.state} | other
        )


@dataclass(frozen=True, slots=True)
class Refused:
    """A form that was not taken: of which alert, what was written, and why."""

    alert: UUID
    given: Mapping[str, str]
    refusal: FollowUpError

    @property
    def faults(self) -> Sequence[FieldError]:
        """Each with its code, for the words of the page."""
        return forms.faults(self.refusal)


@router.get("/alerts", dependencies=[Needs(Act.READ_ALERTS)])
async def page(
    request: Request, centre: Annotated[str | None, Query(max_length=64)] = None, state: State = "open"
) -> Response:
    """The alerts of one's centres in one state, oldest first."""
    async with reading(request) as read:
        return await _page(request, read.tx, Filters(centre or None, state))


@router.post("/alerts/{alert_id}/acknowledge", dependencies=[Needs(Act.ACKNOWLEDGE_ALERT)])
async def acknowledge(request: Request, alert_id: UUID) -> Response:
    """Takes an alert up with a reason; with script the row alone comes back."""
    given = await forms.fields(request)
    chosen = Filters(given.get("centre"), "acknowledged" if given.get("state") == "acknowledged" else "open")
    fields = {"reason": given["reason"]} if "reason" in given else {}
    try:
        async with writing(request) as tx:
            await alerts.acknowledge(tx, alert_id, forms.command(Reason, fields))
    except NotFound:
        raise
    except FollowUpError as refusal:
        refused = Refused(alert_id, given, refusal)
        async with reading(request) as read:
            try:
                return await (_row if is_fragment(request) else _page)(request, read.tx, chosen, refused)
            except NotFound:  # its patient has moved away: why it was not taken says more
                raise refusal from None
    if is_fragment(request):
        async with reading(request) as read:
            return await _row(request, read.tx, chosen, alert=alert_id)
    return back_to(f"{chosen.address()}#alerts")


async def _row(
    request: Request, tx: Transaction, chosen: Filters, refused: Refused | None = None, alert: UUID | None = None
) -> Response:
    asked = refused.alert if refused else alert
    assert asked is not None, "a row is that of an alert"
    facts = await frame(request, tx) | {
        "item": await alerts.get(tx, asked),
        "filters": chosen,
        "refused": refused,
        "day_of": days.local_day,
    }
    return render(request, "alert_row.html", problems.kind_of(refused.refusal).status if refused else 200, **facts)


async def _page(request: Request, tx: Transaction, chosen: Filters, refused: Refused | None = None) -> Response:
    worker = await health.health(tx, request.app.state.sweep_minutes)
    interval = timedelta(minutes=request.app.state.sweep_minutes)
    facts: dict[str, Any] = await alerts.overview(tx, chosen.state, chosen.centre, MOST_ROWS)
    return render(
        request,
        "alerts.html",
        problems.kind_of(refused.refusal).status if refused else 200,
        **await frame(request, tx),
        **facts,
        filters=chosen,
        refused=refused,
        centres=[
            c for c in await catalogue.all_centres(tx) if tx.actor.centres is None or c["code"] in tx.actor.centres
        ],
        worker=worker,
        next_sweep=worker.last_sweep_at + interval if worker.last_sweep_at else None,
        late_after=2 * request.app.state.sweep_minutes,
        day_of=days.local_day,
    )
