"""Who has changed and who has read (patientdatalagen 2008:355; HSLF-FS 2016:40)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.actor import Act
from app.db import access_log, history
from app.db.transaction import Transaction
from app.followup import chart, visibility
from app.followup.commands import Ask, Page


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a visit: when (UTC), by whom (the name and the id of the token or account), which act, and the
    fields before and after."""

    visit: UUID
    at: datetime
    actor: str
    actor_id: str | None
    act: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


async def changes(tx: Transaction, patient: UUID, ask: Ask) -> Page:
    """Every change of a patient's data, newest first, with who, when, before and after. A centre that gave an infusion
    but is not responsible sees what became of its own; of a protected identity it says that, not to what, the person's
    data were changed. Raises NotFound."""
    tx.actor.must(Act.READ_HISTORY)
    whole = await chart.load(tx, patient)
    own = None if visibility.is_whole(tx.actor, whole) else visibility.own_objects(tx.actor, whole)
    after = ask.after[0] if ask.after else None
    rows = await history.of_patient(tx, patient, after if isinstance(after, UUID) else None, ask.limit + 1, own)
    tx.saw("history", [patient])
    shown = rows[: ask.limit]
    items = [
        {
            "id": row.id,
            "at": row.at,
            "actor": row.actor,
            "actor_id": row.actor_id,
            "role": row.role,
            "unit": row.unit,
            "kind": row.kind,
            "object_id": row.object_id,
            "act": row.act,
            "before": visibility.history(whole.patient, row.kind, row.before),
            "after": visibility.history(whole.patient, row.kind, row.after),
        }
        for row in shown
    ]
    return Page(items, (shown[-1].id,) if len(rows) > ask.limit else None)


async def visit_changes(
    tx: Transaction, since: datetime, limit: int, *, actor_id: str | None = None, visit: UUID | None = None
) -> list[Change]:
    """What people and systems did with visits since an instant (UTC), newest first; of one actor, or one visit, when
    given."""
    tx.actor.must(Act.READ_VISITS)
    rows = await history.of_visits(tx, since, limit, actor_id=actor_id, visit=visit)
    return [
        Change(UUID(row.object_id), row.at, row.actor, row.actor_id, row.act, row.before or {}, row.after or {})
        for row in rows
    ]


async def accesses(tx: Transaction, patient: UUID, ask: Ask) -> Page:
    """Every read of a patient, newest first, with who, when, from which unit and why; for auditors. That an auditor
    looked is itself logged. Raises NotFound."""
    tx.actor.must(Act.READ_ACCESS_LOG)
    await chart.load(tx, patient)
    after = ask.after[0] if ask.after else None
    rows = await access_log.of_patient(tx, patient, after if isinstance(after, UUID) else None, ask.limit + 1)
    tx.saw("access log", [patient])
    shown = rows[: ask.limit]
    columns = ("id", "at", "actor", "actor_id", "role", "unit", "what", "why")
    items = [{name: getattr(row, name) for name in columns} for row in shown]
    return Page(items, (shown[-1].id,) if len(rows) > ask.limit else None)
