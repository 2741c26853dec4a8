"""A dry run judges the rows of a file as an import would, and stores nothing.

Rows may build on each other: the same patient or the same source twice, or `continues`. Such rows are judged together,
in the order of the file, in one short transaction that is rolled back, so that nobody waits long for the write lock.
What a dry run cannot know: what others store until the real run, and what becomes of more than `TOGETHER` rows that
build on each other.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Final

from app import identifiers
from app.actor import Actor
from app.clock import Clock
from app.db import locks, transaction
from app.db import patients as db_patients
from app.db.engine import Database
from app.db.imports import Item
from app.errors import FollowUpError, Invalid, once_more
from app.followup import import_rows, spreadsheet
from app.followup.spreadsheet import Row
from app.identifiers import PERSONNUMMER, Identifier

TOGETHER: Final = 50  # rows that are judged in one transaction, a fraction of a second
NOT_JUDGED: Final = (
    f"More than {TOGETHER} rows of the file have this patient or this source_id, or continue each other; "
    "only the first are judged."
)

Key = tuple[object, ...]


class _Undo(Exception):
    """Ends the transaction of some rows, so that nothing of them is kept."""


@dataclass(slots=True, eq=False)
class Group:
    """Rows that may build on each other, and by what."""

    rows: list[Row] = field(default_factory=list)
    keys: set[Key] = field(default_factory=set)


async def judged(db: Database, actor: Actor, clock: Clock, rows: Sequence[Row]) -> AsyncIterator[list[Item]]:
    """What would become of the rows, a few at a time: those of one group together, the groups in the order of their
    first rows."""
    for group in await _groups(db, actor, clock, rows):
        together, others = group.rows[:TOGETHER], group.rows[TOGETHER:]
        verdicts = await once_more(partial(_verdicts, db, actor, clock, together))
        yield [*verdicts, *(Item(row.number, "rejected", "not_judged", "source_id", NOT_JUDGED) for row in others)]


async def _verdicts(db: Database, actor: Actor, clock: Clock, rows: Sequence[Row]) -> list[Item]:
    items: list[Item] = []
    try:
        async with transaction.begin(db, actor, clock) as tx:
            # All names at once and before any patient: that is the order of locks, and a real run takes them row by
            # row.
            await locks.take(tx, [name for row in rows for name in _names(row, tx.today)])
            for row in rows:
                try:
                    async with tx.savepoint():
                        items.append(replace(await import_rows.record(tx, row), infusion_id=None))
                except FollowUpError as error:
                    items.append(import_rows.rejected(row, error))
            raise _Undo
    except _Undo:
        return items


def _names(row: Row, today: date) -> list[str]:
    number = _number(row, today)
    return [
        f"source:{row.values['source_system']}:{row.values['source_id']}",
        *([f"{number.system}:{number.value}"] if number else []),
    ]


def _number(row: Row, today: date) -> Identifier | None:
    try:
        return identifiers.normalise(PERSONNUMMER, row.values.get("personnummer", ""), today)
    except Invalid:
        return None


# ---- Which rows may build on each other ------------------------------------------------------------------------------


async def _groups(db: Database, actor: Actor, clock: Clock, rows: Sequence[Row]) -> list[Group]:
    """The rows by what they share. Whom the numbers belong to is asked, since a person may have several; the log of
    reads tells that it was asked."""
    async with transaction.begin(db, actor, clock, writing=False) as tx:
        numbers = await asyncio.to_thread(lambda: {row.number: _number(row, tx.today) for row in rows})
        owners = await db_patients.owners(tx, {(n.system, n.value) for n in numbers.values() if n is not None})
        tx.saw("dry run of an import", owners.values())

    def keys(row: Row) -> list[Key]:
        number, source = numbers[row.number], row.values.get("source_system", "")
        of_person: list[Key] = [] if number is None else [("person", owners.get((number.system, number.value), number))]
        sources = [row.values.get("source_id", ""), *([earlier[1]] if (earlier := spreadsheet.continued(row)) else [])]
        return [*of_person, *(("source", source, one) for one in sources)]

    return await asyncio.to_thread(grouped, rows, keys)


def grouped(rows: Iterable[Row], keys: Callable[[Row], Iterable[Key]]) -> list[Group]:
    """The rows in groups: two that share a key are in one. Groups are in the order of their first rows, rows in the
    order given."""
    group_of: dict[Key, Group] = {}
    for row in rows:
        own = set(keys(row))
        met = {id(group): group for key in own if (group := group_of.get(key))}
        largest = max(met.values(), key=lambda group: len(group.rows), default=Group())
        for group in met.values():
            if group is not largest:
                largest.rows += group.rows
                own |= group.keys
        largest.rows.append(row)
        largest.keys |= own
        group_of |= dict.fromkeys(own, largest)
    groups = list({id(group): group for group in group_of.values()}.values())
    for group in groups:
        group.rows.sort(key=lambda row: row.number)
    return sorted(groups, key=lambda group: group.rows[0].number)
