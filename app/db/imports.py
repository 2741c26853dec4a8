"""Imports: their report, row by row, kept while they run and after. It holds field names and verdicts, no persons."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import insert, select, update

from app.db.columns import new_id
from app.db.service_tables import imports
from app.db.transaction import Transaction


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One import; `rows` is how many have been worked off, `report` what became of them."""

    id: UUID
    owner: str
    state: str  # running | finished
    dry_run: bool
    rows: int
    report: Mapping[str, Any]
    started_at: datetime


async def start(tx: Transaction, *, dry_run: bool) -> UUID:
    """Notes an import of the caller's as running; answers its id."""
    import_id = new_id()
    row = {"id": import_id, "owner": tx.actor.id, "state": "running", "dry_run": dry_run, "rows": 0, "report": "{}", "started_at": tx.now}
    await tx.run(insert(imports), row)
    return import_id


async def store(tx: Transaction, import_id: UUID, *, rows: int, report: Mapping[str, Any], finished: bool) -> None:
    """Stores how far an import of the caller's has come."""
    state = "finished" if finished else "running"
    mine = update(imports).where(imports.c.id == import_id, imports.c.owner == tx.actor.id)
    await tx.run(mine.values(state=state, rows=rows, report=orjson.dumps(report).decode()))


async def get(tx: Transaction, import_id: UUID) -> ImportRow | None:
    """The import, for the one who started it."""
    row = await tx.first(select(imports).where(imports.c.id == import_id, imports.c.owner == tx.actor.id))
    return None if row is None else ImportRow(row.id, row.owner, row.state, row.dry_run, row.rows, orjson.loads(row.report), row.started_at)
