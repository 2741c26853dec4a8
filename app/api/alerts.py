"""Overdue alerts: the snapshot, the feed that hospital systems poll, and the acknowledgement."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.actor import Act
from app.api import answers, feed_answers, parameters, responses
from app.followup import alerts
from app.followup.commands import Ask, Page, Reason
from app.http.conditional import changed
from app.http.deps import Needs, ReadDep, Transaction, TxDep, reading
from app.http.paging import Count, Cursor, Limit

router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"])

After = Annotated[
    str, Query(max_length=100, description="`next_cursor` of the page before, `feed_cursor` of a snapshot, or `0`")
]


# Routes are looked through in this order: what systems poll comes first.
@router.get(
    "/events", dependencies=[Needs(Act.READ_ALERTS)], responses=responses.of(feed_answers.Feed, *responses.LISTED, 410)
)
async def poll_alerts(
    request: Request,
    after: After = "0",
    limit: Limit = 100,
    type: parameters.EventTypes = None,  # noqa: A002 - the contract's word
    centre: parameters.Code = None,
) -> Response:
    """The feed: events after a cursor in the order of their commits. The same cursor gives the same events for ever."""
    types = frozenset(type.split(",")) if type else None
    async with reading(request) as read:  # opened here: as a dependency it costs a third of an answer without a body
        return await read.feed(lambda tx: alerts.poll(tx, after, limit, types, centre))


@router.get("", dependencies=[Needs(Act.READ_ALERTS)], responses=responses.of(answers.AlertPage, *responses.LISTED))
async def list_alerts(
    read: ReadDep,
    state: parameters.AlertStates = "open,acknowledged",
    centre: parameters.Code = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    count: Count = None,
) -> Response:
    """The alerts as they stand. `feed_cursor`, the same on every page of a walk, is where polling begins, so that
    nothing is missed."""

    async def snapshot(tx: Transaction, ask: Ask) -> Page:
        found = await alerts.snapshot(tx, frozenset(state.split(",")), centre, ask)
        return Page(found.page.items, found.page.next, found.page.total, {"feed_cursor": found.feed_cursor})

    return await read.page(snapshot, limit, cursor, count)


@router.post(
    "/{alert_id}/acknowledge",
    dependencies=[Needs(Act.ACKNOWLEDGE_ALERT)],
    responses=responses.of(answers.Alert, *responses.BODY, 404, 409),
)
async def acknowledge_alert(tx: TxDep, alert_id: UUID, reason: Reason) -> Response:
    """Notes that somebody has taken the alert up; the same again is the same."""
    return changed(await alerts.acknowledge(tx, alert_id, reason))
