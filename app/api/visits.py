"""Visits: the due list, one visit, and what people do with it."""

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from app.actor import Act
from app.api import answers, parameters, responses
from app.followup import contacts, due_list, visits
from app.followup.commands import Reason
from app.followup.contacts import NewContact
from app.followup.due_list import DueFilter
from app.followup.visits import Booking, Completion, Confirmed, NotRequired
from app.http.conditional import IfMatch, answer, changed
from app.http.deps import Needs, ReadDep, TxDep
from app.http.paging import Count, Cursor, Limit
from app.planning.protocol import Purpose
from app.planning.visits import VisitState

router = APIRouter(prefix="/api/v1/visits", tags=["visits"])
# What needs a decision may be closed already, and be of somebody who is looked for: only the dead and the withdrawn are
# left alone.
_OF_DECISIONS = DueFilter(state=tuple(VisitState), status=due_list.ASKED_ABOUT)
_CHANGED = responses.of(answers.ChangedVisit, *responses.CHANGE)


@router.get("", dependencies=[Needs(Act.READ_VISITS)], responses=responses.of(answers.VisitPage, *responses.LISTED))
async def list_visits(
    read: ReadDep,
    state: parameters.States = None,
    status: parameters.Statuses = None,
    needs_decision: parameters.VisitDecisions = None,
    centre: parameters.Code = None,
    due_from: parameters.Day = None,
    due_to: parameters.Day = None,
    opens_to: parameters.Day = None,
    booked: parameters.YesNo = None,
    product: parameters.Code = None,
    code: parameters.Word = None,
    purpose: Purpose | None = None,
    patient: UUID | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    count: Count = None,
) -> Response:
    """The due list, by the end of the window: what is due or overdue in one's centres, unless asked otherwise."""
    whole = _OF_DECISIONS if needs_decision else DueFilter()
    wanted = DueFilter(
        state=tuple(map(VisitState, state.split(","))) if state else whole.state,
        status=tuple(status.split(",")) if status else whole.status,
        needs_decision=tuple(needs_decision.split(",")) if needs_decision else (),
        centre=centre,
        due_from=due_from,
        due_to=due_to,
        opens_to=opens_to,
        booked=None if booked is None else booked == "true",
        product=product,
        code=code,
        purpose=purpose,
        patient=patient,
    )
    return await read.page(lambda tx, ask: due_list.due(tx, wanted, ask), limit, cursor, count)


@router.get(
    "/{visit_id}", dependencies=[Needs(Act.READ_VISITS)], responses=responses.of(answers.OneVisit, *responses.READ)
)
async def get_visit(read: ReadDep, visit_id: UUID) -> Response:
    """One visit, with the patient's other open visits whose window holds today."""
    return await read.one(lambda tx: visits.get(tx, visit_id))


@router.post("/{visit_id}/book", dependencies=[Needs(Act.WORK_VISIT)], responses=_CHANGED)
async def book_visit(tx: TxDep, visit_id: UUID, booking: Booking, version: IfMatch) -> Response:
    """Notes the agreed day; null takes it back."""
    return changed(await visits.book(tx, visit_id, booking, version=version))


@router.post("/{visit_id}/complete", dependencies=[Needs(Act.COMPLETE_VISIT)], responses=_CHANGED)
async def complete_visit(tx: TxDep, visit_id: UUID, done: Completion, version: IfMatch) -> Response:
    """Marks a visit as done. What a person must confirm first is 409 with its code, until `confirm` holds it."""
    return changed(await visits.complete(tx, visit_id, done, version=version))


@router.post("/{visit_id}/miss", dependencies=[Needs(Act.WORK_VISIT)], responses=_CHANGED)
async def miss_visit(tx: TxDep, visit_id: UUID, reason: Reason, version: IfMatch) -> Response:
    """Closes a visit that will never take place."""
    return changed(await visits.miss(tx, visit_id, reason, version=version))


@router.post("/{visit_id}/cancel", dependencies=[Needs(Act.WAIVE_VISIT)], responses=_CHANGED)
async def cancel_visit(tx: TxDep, visit_id: UUID, reason: NotRequired, version: IfMatch) -> Response:
    """Marks a visit as no longer asked for by its protocol."""
    return changed(await visits.cancel(tx, visit_id, reason, version=version))


@router.post("/{visit_id}/confirm", dependencies=[Needs(Act.WORK_VISIT)], responses=_CHANGED)
async def confirm_visit(tx: TxDep, visit_id: UUID, confirmed: Confirmed, version: IfMatch) -> Response:
    """Says that a visit closed before its window, as a date that came later has moved it, holds all the same."""
    return changed(await visits.confirm(tx, visit_id, confirmed, version=version))


@router.post("/{visit_id}/reopen", dependencies=[Needs(Act.WORK_VISIT)], responses=_CHANGED)
async def reopen_visit(tx: TxDep, visit_id: UUID, reason: Reason, version: IfMatch) -> Response:
    """Takes back what a person decided about a visit."""
    return changed(await visits.reopen(tx, visit_id, reason, version=version))


@router.post(
    "/{visit_id}/contacts",
    status_code=201,
    dependencies=[Needs(Act.WORK_VISIT)],
    responses=responses.of(answers.Contact, *responses.BODY, 404, 409, status=(200, 201)),
)
async def log_contact(tx: TxDep, visit_id: UUID, contact: NewContact) -> Response:
    """Logs an attempt to reach the patient, or with `remind_on` alone a postponement. The same again is 200."""
    logged, created = await contacts.log_about_visit(tx, visit_id, contact)
    return answer(logged, 201 if created else 200)
