"""Patients: read, found, changed, what happened to them; who has changed and who has read."""

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from app.actor import Act
from app.api import answers, overviews, parameters, responses
from app.followup import audit, contacts, decisions, patients, status
from app.followup.contacts import NewContact
from app.followup.decisions import NewDecision, UndecidedFilter
from app.followup.patients import NewEvent, PatientChange, Search
from app.http.conditional import IfMatch, answer, changed
from app.http.deps import Needs, ReadDep, TxDep
from app.http.paging import Count, Cursor, Limit
from app.planning.decisions import Undecided

router = APIRouter(prefix="/api/v1/patients", tags=["patients"])


@router.get(
    "", dependencies=[Needs(Act.READ_PATIENTS)], responses=responses.of(overviews.UndecidedPage, *responses.LISTED)
)
async def list_patients(
    read: ReadDep,
    needs_decision: parameters.Undecided = parameters.EVERY_REASON,
    centre: parameters.Code = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    count: Count = None,
) -> Response:
    """Patients who need a decision, the longest silence first; each for one reason, the first that holds."""
    wanted = UndecidedFilter(tuple(map(Undecided, needs_decision.split(","))), centre)
    return await read.page(lambda tx, ask: decisions.undecided(tx, wanted, ask), limit, cursor, count)


@router.post(
    "/search", dependencies=[Needs(Act.READ_PATIENTS)], responses=responses.of(answers.FoundPatients, *responses.BODY)
)
async def search_patients(read: ReadDep, wanted: Search) -> Response:
    """By number or by a part of the name, in the body, so that no personal number stands in a log."""
    return answer(await patients.search(read.tx, wanted))


@router.get(
    "/{patient_id}", dependencies=[Needs(Act.READ_PATIENTS)], responses=responses.of(answers.Patient, *responses.READ)
)
async def get_patient(read: ReadDep, patient_id: UUID) -> Response:
    """One patient, with masked numbers."""
    return await read.one(lambda tx: patients.get(tx, patient_id))


@router.patch(
    "/{patient_id}",
    dependencies=[Needs(Act.CHANGE_PATIENT)],
    responses=responses.of(answers.ChangedPatient, *responses.CHANGE),
)
async def change_patient(tx: TxDep, patient_id: UUID, change: PatientChange, version: IfMatch) -> Response:
    """Changes a person's data (JSON merge patch); a new birth date moves what counts from it."""
    return changed(await patients.change(tx, patient_id, change, version))


@router.post(
    "/{patient_id}/events",
    status_code=201,
    dependencies=[Needs(Act.REPORT_EVENT)],
    responses=responses.of(answers.ReportedEvent, *responses.BODY, 404, 409, status=(200, 201)),
)
async def report_event(tx: TxDep, patient_id: UUID, new: NewEvent) -> Response:
    """What happened to a patient; what follows for visits and alerts is done with it. The same again is 200."""
    event, created = await patients.report(tx, patient_id, new)
    return answer(event, 201 if created else 200)


@router.post(
    "/{patient_id}/decide",
    status_code=201,
    dependencies=[Needs(Act.REPORT_EVENT)],
    responses=responses.of(answers.PatientEvent, *responses.BODY, 404, 409, status=(200, 201)),
)
async def decide(tx: TxDep, patient_id: UUID, new: NewDecision) -> Response:
    """What people decided of a patient whose plan has ended, or whose death was reported by mistake. The same again is
    200."""
    event, created = await decisions.decide(tx, patient_id, new)
    return answer(event, 201 if created else 200)


@router.post(
    "/{patient_id}/contacts",
    status_code=201,
    dependencies=[Needs(Act.WORK_VISIT)],
    responses=responses.of(answers.Contact, *responses.BODY, 404, 409, status=(200, 201)),
)
async def log_patient_contact(tx: TxDep, patient_id: UUID, contact: NewContact) -> Response:
    """Logs an attempt to reach the patient that concerns no visit. The same again is 200."""
    logged, created = await contacts.log(tx, patient_id, contact)
    return answer(logged, 201 if created else 200)


@router.get(
    "/{patient_id}/plans",
    dependencies=[Needs(Act.READ_PATIENTS)],
    responses=responses.of(answers.Plans, *responses.READ),
)
async def get_plans(read: ReadDep, patient_id: UUID) -> Response:
    """The plans of a patient that the caller sees."""
    return await read.one(lambda tx: patients.plans(tx, patient_id))


@router.get(
    "/{patient_id}/follow-up",
    dependencies=[Needs(Act.READ_PATIENTS)],
    responses=responses.of(answers.FollowUp, *responses.READ),
)
async def get_follow_up(read: ReadDep, patient_id: UUID) -> Response:
    """A patient's follow-up in one answer."""
    return await read.one(lambda tx: status.follow_up(tx, patient_id))


@router.get(
    "/{patient_id}/history",
    dependencies=[Needs(Act.READ_HISTORY)],
    responses=responses.of(overviews.History, *responses.LISTED, *responses.READ),
)
async def get_history(read: ReadDep, patient_id: UUID, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Every change, newest first: who, when, before, after."""
    return await read.page(lambda tx, ask: audit.changes(tx, patient_id, ask), limit, cursor)


@router.get(
    "/{patient_id}/accesses",
    dependencies=[Needs(Act.READ_ACCESS_LOG)],
    responses=responses.of(overviews.Accesses, 400, 404),
)
async def get_accesses(read: ReadDep, patient_id: UUID, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Every read, newest first: who, when, from which unit, why."""
    # A read moves no head row, so no tag could tell that the log has grown.
    return await read.page(lambda tx, ask: audit.accesses(tx, patient_id, ask), limit, cursor, tagged=False)
