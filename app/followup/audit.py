"""Who has changed and who has read (patientdatalagen 2008:355; HSLF-FS 2016:40)."""

from uuid import UUID

from app.actor import Act
from app.db import access_log, history
from app.db import patients as db_patients
from app.db.transaction import Transaction
from app.errors import NotFound
from app.followup.commands import Ask, Page


async def changes(tx: Transaction, patient: UUID, ask: Ask) -> Page:
    """Every change of a patient's data, newest first, with who, when, before and after. Raises NotFound."""
    tx.actor.must(Act.READ_HISTORY)
    if await db_patients.get(tx, patient) is None:
        raise NotFound("There is no such patient among those that you may see.")
    after = ask.after[0] if ask.after else None
    rows = await history.of_patient(tx, patient, after if isinstance(after, UUID) else None, ask.limit + 1)
    tx.saw("history", [patient])
    shown = rows[: ask.limit]
    items = [
        {
            "id": row.id,
            "at": row.at,
            "actor": row.actor,
            "role": row.role,
            "unit": row.unit,
            "kind": row.kind,
            "object_id": row.object_id,
            "act": row.act,
            "before": row.before,
            "after": row.after,
        }
        for row in shown
    ]
    return Page(items, (shown[-1].id,) if len(rows) > ask.limit else None)


async def accesses(tx: Transaction, patient: UUID, ask: Ask) -> Page:
    """Every read of a patient, newest first, with who, when, from which unit and why; for auditors, of every centre."""
    tx.actor.must(Act.READ_ACCESS_LOG)
    after = ask.after[0] if ask.after else None
    rows = await access_log.of_patient(tx, patient, after if isinstance(after, UUID) else None, ask.limit + 1)
    shown = rows[: ask.limit]
    items = [{"id": row.id, "at": row.at, "actor": row.actor, "role": row.role, "unit": row.unit, "what": row.what, "why": row.why} for row in shown]
    return Page(items, (shown[-1].id,) if len(rows) > ask.limit else None)
