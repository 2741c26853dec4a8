"""Who has read. Rows are written by the transaction's end (a read's own: before its answer leaves) and never change."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import literal, select

from app.db import tables
from app.db.scope import seen_patient
from app.db.transaction import Transaction

log, of = tables.access_log.c, tables.access_log_patients.c


@dataclass(frozen=True, slots=True)
class AccessRow:
    """One read; `at` in UTC."""

    id: UUID
    at: datetime
    actor: str
    actor_id: str | None
    role: str
    unit: str
    what: str
    why: str | None
    request_id: str


async def of_patient(tx: Transaction, patient: UUID, after: UUID | None, limit: int) -> list[AccessRow]:
    """The reads of a patient that the caller may see, newest first, from behind the row `after` on."""
    columns = log.id, log.at, log.actor, log.actor_id, log.role, log.unit, log.what, log.why, log.request_id
    query = (
        select(*columns)
        .join(tables.access_log_patients, of.log_id == log.id)
        .where(of.patient_id == patient, seen_patient(tx, literal(patient)))
    )
    if after is not None:
        query = query.where(of.log_id < after)
    return [AccessRow(*row) for row in await tx.all(query.order_by(of.log_id.desc()).limit(limit))]


_WHOSE = {
    "patient": tables.patients.c.id,
    "infusion": tables.infusions.c.patient_id,
    "visit": tables.visits.c.patient_id,
    "alert": tables.alerts.c.patient_id,
    "contact": tables.contacts.c.patient_id,
}


async def whose(tx: Transaction, kind: str, object_id: UUID) -> UUID | None:
    """Whose an object is. Not cut, and shown to nobody: the log tells of whom it was that something was refused."""
    patient = _WHOSE[kind]
    found: UUID | None = await tx.scalar(select(patient).where(patient.table.c.id == object_id))
    return found
