"""What has been changed: who, when, before and after. Rows are written by the transaction's end and never change."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.db import tables
from app.db.scope import cut
from app.db.transaction import Transaction

history = tables.history.c


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One change; `at` in UTC; `before` None for what was new, `after` None for what was taken away."""

    id: UUID
    at: datetime
    actor: str
    role: str
    unit: str
    kind: str
    object_id: str
    act: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


async def of_patient(tx: Transaction, patient: UUID, after: UUID | None, limit: int) -> list[HistoryRow]:
    """The changes of a patient that the caller may see, newest first, from behind the row `after` on."""
    columns = (
        history.id,
        history.at,
        history.actor,
        history.role,
        history.unit,
        history.kind,
        history.object_id,
        history.act,
        history.sealed,
    )
    query = cut(select(*columns), tx, tables.history).where(history.patient_id == patient)
    if after is not None:
        query = query.where(history.id < after)
    found = []
    for *told, sealed in await tx.all(query.order_by(history.id.desc()).limit(limit)):
        change = tx.keys.open(sealed, f"history:{told[0]}")
        found.append(HistoryRow(*told, change["before"], change["after"]))
    return found
