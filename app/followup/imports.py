"""Imports: a file of infusions, each row the same act as a single infusion and a transaction of its own. Repeating one changes nothing."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from app.actor import Act, Actor
from app.clock import Clock
from app.db import imports as db_imports
from app.db import infusions as db_infusions
from app.db import transaction
from app.db.engine import Database
from app.db.transaction import Transaction
from app.errors import FollowUpError, Invalid, NotFound, Unavailable
from app.followup import infusions, spreadsheet
from app.followup.infusions import NewInfusion
from app.followup.spreadsheet import Row

JSON = dict[str, Any]
EVERY = 50  # rows between two notes of progress


class _Undo(Exception):
    """Ends the transaction of a dry run, so that nothing of it is kept."""


@dataclass(frozen=True, slots=True)
class Import:
    """A file that was read, and the id of its report."""

    id: UUID
    rows: Sequence[Row]
    dry_run: bool


async def accept(tx: Transaction, data: bytes, dry_run: bool) -> Import:
    """Reads the file and opens a report; what the file as a whole has wrong is refused (Invalid). The rows are worked off by `work`."""
    tx.actor.must(Act.IMPORT)
    rows = spreadsheet.read(data)
    return Import(await db_imports.start(tx, dry_run=dry_run), rows, dry_run)


async def get(tx: Transaction, number: UUID) -> JSON:
    """The report of one's own import, as far as it has come. Raises NotFound."""
    tx.actor.must(Act.IMPORT)
    found = await db_imports.get(tx, number)
    if found is None:
        raise NotFound("There is no such import among yours.")
    items = found.report.get("items", [])
    verdicts = [item["verdict"] for item in items]
    counts = {verdict: verdicts.count(verdict) for verdict in ("accepted", "unchanged", "rejected")}
    return {"id": found.id, "state": found.state, "dry_run": found.dry_run, "rows": found.rows, **counts, "items": items}


async def work(db: Database, actor: Actor, clock: Clock, job: Import) -> AsyncIterator[JSON]:
    """Works the rows off and tells each verdict; the report is kept as it grows. Killed, it is simply given again: rows that stand are unchanged.
    A dry run judges all rows in one transaction, since a row may build on another, and keeps nothing of it."""
    items: list[JSON] = []
    async for item in _dry(db, actor, clock, job.rows) if job.dry_run else _real(db, actor, clock, job.rows):
        items.append(item)
        if len(items) % EVERY == 0:
            await _note(db, actor, clock, job, items, finished=False)
        yield item
    await _note(db, actor, clock, job, items, finished=True)


async def _note(db: Database, actor: Actor, clock: Clock, job: Import, items: Sequence[JSON], *, finished: bool) -> None:
    async with transaction.begin(db, actor, clock) as tx:
        await db_imports.store(tx, job.id, rows=len(items), report={"items": items}, finished=finished)


async def _real(db: Database, actor: Actor, clock: Clock, rows: Sequence[Row]) -> AsyncIterator[JSON]:
    for row in rows:
        try:
            async with transaction.begin(db, actor, clock) as tx:
                recorded = await _record(tx, row)
            yield _verdict(row, recorded)
        except FollowUpError as error:
            yield _rejected(row, error)


async def _dry(db: Database, actor: Actor, clock: Clock, rows: Sequence[Row]) -> AsyncIterator[JSON]:
    items: list[JSON] = []
    try:
        async with transaction.begin(db, actor, clock) as tx:
            for row in rows:
                try:
                    async with tx.savepoint():
                        items.append(_verdict(row, await _record(tx, row)) | {"infusion_id": None})
                except FollowUpError as error:
                    items.append(_rejected(row, error))
            raise _Undo
    except _Undo:
        pass
    for item in items:
        yield item


async def _record(tx: Transaction, row: Row) -> infusions.Recorded:
    told = spreadsheet.command(row)
    if (earlier := spreadsheet.continued(row)) is not None:
        told["continues"] = await _earlier(tx, *earlier)
    try:
        new = NewInfusion.model_validate(told)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        listed = fault["type"] in ("enum", "literal_error")
        message = f"Write one of {fault['ctx']['expected']}." if listed else fault["msg"]
        raise Invalid(message, field=".".join(map(str, fault["loc"])), code="unknown_value" if listed else fault["type"]) from None
    return await infusions.record(tx, new)


async def _earlier(tx: Transaction, system: str, number: str) -> UUID:
    found = await db_infusions.request_of(tx, system, number)
    if found is None or await db_infusions.get(tx, found[0]) is None:
        raise Invalid("No infusion of this source has this id; put the earlier row first.", field="continues", code="unknown_infusion")
    return found[0]


def _verdict(row: Row, recorded: infusions.Recorded) -> JSON:
    verdict = "accepted" if recorded.created else "unchanged"
    return {"row": row.number, "verdict": verdict, "code": None, "field": None, "message": None} | {
        "infusion_id": recorded.infusion["id"],
        "warnings": recorded.infusion["warnings"],
    }


def _rejected(row: Row, error: FollowUpError) -> JSON:
    if isinstance(error, Unavailable):
        raise error
    first = error.errors[0] if error.errors else None
    return {
        "row": row.number,
        "verdict": "rejected",
        "code": first.code if first else error.code,
        "field": spreadsheet.column(first.field) if first else None,
        "message": first.message if first else error.detail,
        "infusion_id": None,
        "warnings": [],
    }
