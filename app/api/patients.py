"""Patients: read, found, changed, what happened to them; who has changed and who has read."""

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from app.actor import Act
from app.api import answers, overviews
from app.followup import audit, patients, status
from app.followup.patients import NewEvent, PatientChange, Search
from app.http.conditional import IfMatch, answer, changed
from app.http.deps import Needs, ReadDep, TxDep
from app.http.paging import Cursor, Limit

router = APIRouter(prefix="/api/v1/patients", tags=["patients"])


@router.post("/search", dependencies=[Needs(Act.READ_PATIENTS)], responses=answers.told(answers.FoundPatients, *answers.BODY))
async def search_patients(read: ReadDep, wanted: Search) -> Response:
    """By number or by a part of the name, in the body, so that no personal number stands in a log."""
    return answer(await patients.search(read.tx, wanted))


@router.get("/{patient_id}", dependencies=[Needs(Act.READ_PATIENTS)], responses=answers.told(answers.Patient, *answers.READ))
async def get_patient(read: ReadDep, patient_id: UUID) -> Response:
    """One patient, with masked numbers."""
    return await read.one(lambda tx: patients.get(tx, patient_id))


@router.patch("/{patient_id}", dependencies=[Needs(Act.CHANGE_PATIENT)], responses=answers.told(answers.ChangedPatient, *answers.CHANGE))
async def change_patient(tx: TxDep, patient_id: UUID, change: PatientChange, version: IfMatch) -> Response:
    """Changes a person's data (JSON merge patch); a new birth date moves what counts from it."""
    return changed(await patients.change(tx, patient_id, change, version))


@router.post(
    "/{patient_id}/events",
    status_code=201,
    dependencies=[Needs(Act.REPORT_EVENT)],
    responses=answers.told(answers.ReportedEvent, *answers.BODY, 404, 409, status=(200, 201)),
)
async def report_event(tx: TxDep, patient_id: UUID, new: NewEvent) -> Response:
    """What happened to a patient; what follows for visits and alerts is done with it. The same again is 200."""
    event, created = await patients.report(tx, patient_id, new)
    return answer(event, 201 if created else 200)


@router.get("/{patient_id}/plans", dependencies=[Needs(Act.READ_PATIENTS)], responses=answers.told(answers.Plans, *answers.READ))
async def get_plans(read: ReadDep, patient_id: UUID) -> Response:
    """The plans of a patient that the caller sees."""
    return await read.one(lambda tx: patients.plans(tx, patient_id))


@router.get("/{patient_id}/follow-up", dependencies=[Needs(Act.READ_PATIENTS)], responses=answers.told(answers.FollowUp, *answers.READ))
async def get_follow_up(read: ReadDep, patient_id: UUID) -> Response:
    """A patient's follow-up in one answer."""
    return await read.one(lambda tx: status.follow_up(tx, patient_id))


@router.get(
    "/{patient_id}/history",
    dependencies=[Needs(Act.READ_HISTORY)],
    responses=answers.told(overviews.History, *answers.LISTED, *answers.READ),
)
async def get_history(read: ReadDep, patient_id: UUID, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Every change, newest first: who, when, before, after."""
    return await read.page(lambda tx, ask: audit.changes(tx, patient_id, ask), limit, cursor)


@router.get(
    "/{patient_id}/accesses",
    dependencies=[Needs(Act.READ_ACCESS_LOG)],
    responses=answers.told(overviews.Accesses, 400, 404),
)
async def get_accesses(read: ReadDep, patient_id: UUID, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Every read, newest first: who, when, from which unit, why."""
    # A read moves no head row, so no tag could tell that the log has grown.
    return await read.page(lambda tx, ask: audit.accesses(tx, patient_id, ask), limit, cursor, tagged=False)
