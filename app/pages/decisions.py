"""A patient who needs a decision beside any visit: what was decided, and contacts without a visit; plain forms, without
script too."""

from collections.abc import Mapping
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.actor import Act
from app.errors import FollowUpError
from app.followup import contacts, decisions, status
from app.followup.commands import Ask
from app.followup.contacts import NewContact
from app.followup.decisions import NewDecision, UndecidedFilter
from app.http.deps import Needs, Transaction, reading, writing
from app.pages import forms
from app.pages.page import PageRoute, back_to, frame, render

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/patients/{patient_id}/decide", dependencies=[Needs(Act.READ_PATIENTS)])
async def decide_form(request: Request, patient_id: UUID) -> Response:
    """Why the patient needs a decision, and the forms that tell what was decided or heard."""
    async with reading(request) as read:
        return await _page(request, read.tx, patient_id, {})


async def _page(
    request: Request,
    tx: Transaction,
    patient_id: UUID,
    given: Mapping[str, str],
    refusal: FollowUpError | None = None,
    code: int = 200,
) -> Response:
    protocols = await decisions.extensions(tx, patient_id)
    found = await status.follow_up(tx, patient_id)
    rows = (await decisions.undecided(tx, UndecidedFilter(patient=patient_id), Ask(1, tx.today))).items
    return render(
        request,
        "decide.html",
        code,
        **await frame(request, tx),
        found=found,
        patient=found["patient"],
        row=rows[0] if rows else None,
        protocols=[(one, one) for one in protocols],
        given=given,
        faults=forms.faults(refusal) if refusal else [],
        own=await contacts.own_of_today(tx, patient_id),
    )


@router.post("/patients/{patient_id}/decide", dependencies=[Needs(Act.REPORT_EVENT)])
async def decide(request: Request, patient_id: UUID) -> Response:
    """Stores the decision, and goes back to the list; refused, the form stands with what was filled in."""
    given = await forms.fields(request)
    fields: dict[str, object] = {name: given[name] for name in ("decision", "reason", "protocol") if name in given}
    try:
        async with writing(request) as tx:
            await decisions.decide(tx, patient_id, forms.command(NewDecision, fields))
    except FollowUpError as refusal:
        async with reading(request) as read:
            return await _page(request, read.tx, patient_id, given, refusal, code=422)
    return back_to("/")


@router.post("/patients/{patient_id}/contacts", dependencies=[Needs(Act.WORK_VISIT)])
async def log_contact(request: Request, patient_id: UUID) -> Response:
    """Logs a contact without a visit."""
    given = await forms.fields(request)
    fields: dict[str, object] = {name: given[name] for name in ("channel", "outcome", "note") if name in given}
    try:
        async with writing(request) as tx:
            await contacts.log(tx, patient_id, forms.command(NewContact, fields))
    except FollowUpError as refusal:
        async with reading(request) as read:
            return await _page(request, read.tx, patient_id, given, refusal, code=422)
    return back_to(f"/patients/{patient_id}/decide")


@router.post("/patients/{patient_id}/contacts/{contact_id}/undo", dependencies=[Needs(Act.WORK_VISIT)])
async def undo_contact(request: Request, patient_id: UUID, contact_id: UUID) -> Response:
    """Takes one's own contact of today back."""
    async with writing(request) as tx:
        await contacts.take_back(tx, contact_id)
    return back_to(f"/patients/{patient_id}/decide")
