"""Imports: a file of infusions, each row the same act as a single infusion and a transaction of its own. Repeating one
changes nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from typing import Any, BinaryIO, Final
from uuid import UUID

from app.actor import Act, Actor
from app.clock import Clock
from app.db import imports as db_imports
from app.db import transaction
from app.db.engine import Database
from app.db.imports import Item
from app.db.transaction import Transaction
from app.errors import FollowUpError, NotFound, Unavailable, once_more
from app.followup import dry_run as dry_runs
from app.followup import import_rows, spreadsheet
from app.followup.spreadsheet import Row

JSON = dict[str, Any]
EVERY: Final = 50  # rows of a dry run between two additions to its report
# A living import gives a sign of life with every row; one row waits for locks and statements less than this.
SILENT: Final = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Import:
    """A file that was read, and the id of its report."""

    id: UUID
    rows: Sequence[Row]
    dry_run: bool


async def read(file: BinaryIO) -> list[Row]:
    """The rows of a file, read in a thread: a large one takes seconds, in which others are served. What the file as a
    whole has wrong is refused (Invalid). To be called before a transaction is opened: nobody waits for the write lock
    meanwhile."""
    return await asyncio.to_thread(spreadsheet.read, file)


async def accept(tx: Transaction, rows: Sequence[Row], dry_run: bool) -> Import:
    """Opens the report of an import. The rows are worked off by `work`."""
    tx.actor.must(Act.IMPORT)
    return Import(await db_imports.start(tx, dry_run=dry_run, total=len(rows)), rows, dry_run)


async def get(tx: Transaction, number: UUID) -> JSON:
    """The report of one's own import, as far as it has come; of one whose process has died it says `interrupted`.
    Raises NotFound."""
    tx.actor.must(Act.IMPORT)
    found = await db_imports.get(tx, number)
    if found is None:
        raise NotFound("There is no such import among yours.")
    died = found.state == "running" and tx.now - found.seen_at > SILENT
    verdicts = Counter(item.verdict for item in found.items)
    return {
        "id": found.id,
        "state": "interrupted" if died else found.state,
        "dry_run": found.dry_run,
        "rows": len(found.items),
        "total": found.total,
        **{verdict: verdicts[verdict] for verdict in ("accepted", "unchanged", "rejected")},
        "items": [asdict(item) for item in found.items],
    }


async def work(db: Database, actor: Actor, clock: Clock, job: Import) -> AsyncIterator[Item]:
    """Works the rows off and tells each verdict; the report grows with them. Stopped in the middle, the report says so,
    and the file is simply given again: rows that stand are unchanged. Raises Unavailable."""
    try:
        async for item in _dry(db, actor, clock, job) if job.dry_run else _real(db, actor, clock, job):
            yield item
        await _note(db, actor, clock, job, [], "finished")
    except BaseException:
        with suppress(Unavailable):  # then its silence tells
            await _note(db, actor, clock, job, [], "interrupted")
        raise


async def _real(db: Database, actor: Actor, clock: Clock, job: Import) -> AsyncIterator[Item]:
    for row in job.rows:
        yield await once_more(partial(_stored, db, actor, clock, job, row))
        await asyncio.sleep(0)  # whoever waits for SQLite's one connection has it before the next row


async def _stored(db: Database, actor: Actor, clock: Clock, job: Import, row: Row) -> Item:
    """Stores a row and its line of the report, both or none."""
    try:
        async with transaction.begin(db, actor, clock) as tx:
            item = await import_rows.record(tx, row)
            await db_imports.note(tx, job.id, [item])
    except FollowUpError as error:
        item = import_rows.rejected(row, error)
        await _note(db, actor, clock, job, [item])
    return item


async def _dry(db: Database, actor: Actor, clock: Clock, job: Import) -> AsyncIterator[Item]:
    waiting: list[Item] = []
    async for items in dry_runs.judged(db, actor, clock, job.rows):
        waiting += items
        if len(waiting) >= EVERY:
            await _note(db, actor, clock, job, waiting)
            waiting = []
        for item in items:
            yield item
        await asyncio.sleep(0)  # as above
    await _note(db, actor, clock, job, waiting)


async def _note(
    db: Database, actor: Actor, clock: Clock, job: Import, items: Sequence[Item], state: str = "running"
) -> None:
    async with transaction.begin(db, actor, clock) as tx:
        await db_imports.note(tx, job.id, items, state)
