"""What has been changed: who, when, before and after. Rows are written by the transaction's end and never change."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.db import tables
from app.db.columns import first_id
from app.db.scope import cut
from app.db.transaction import AnyRow, Transaction

history = tables.history.c


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One change; `at` in UTC; `before` None for what was new, `after` None for what was taken away."""

    id: UUID
    at: datetime
    actor: str
    actor_id: str | None
    role: str
    unit: str
    kind: str
    object_id: str
    act: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


_TOLD = (
    history.id,
    history.at,
    history.actor,
    history.actor_id,
    history.role,
    history.unit,
    history.kind,
    history.object_id,
    history.act,
)


def _row(tx: Transaction, row: AnyRow) -> HistoryRow:
    change = tx.keys.open(row.sealed, f"history:{row.id}")
    return HistoryRow(*(*row[:-1], change["before"], change["after"]))


async def of_patient(
    tx: Transaction, patient: UUID, after: UUID | None, limit: int, objects: Collection[str] | None = None
) -> list[HistoryRow]:
    """The changes of a patient that the caller may see, newest first, from behind the row `after` on; of these objects
    only, when given."""
    query = cut(select(*_TOLD, history.sealed), tx, tables.history).where(history.patient_id == patient)
    if after is not None:
        query = query.where(history.id < after)
    if objects is not None:
        query = query.where(history.object_id.in_(sorted(objects)))
    return [_row(tx, row) for row in await tx.all(query.order_by(history.id.desc()).limit(limit))]


async def of_visits(
    tx: Transaction, since: datetime, limit: int, *, actor_id: str | None = None, visit: UUID | None = None
) -> list[HistoryRow]:
    """The changes of visits since an instant (UTC) that the caller may see, newest first; of one actor, or one visit,
    when given."""
    query = cut(select(*_TOLD, history.sealed), tx, tables.history).where(
        history.id >= first_id(since), history.kind == "visit"
    )
    if actor_id is not None:
        query = query.where(history.actor_id == actor_id)
    if visit is not None:
        query = query.where(history.object_id == str(visit))
    return [_row(tx, row) for row in await tx.all(query.order_by(history.id.desc()).limit(limit))]
