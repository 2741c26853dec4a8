"""Locks by name, held until the transaction ends: two requests with one natural key follow each other.

Every act takes its locks in one order, so that no two wait for each other: the worker's state row; names (senders' ids
and persons' numbers, all of an act at once); patients, by id where there are several; alerts; the head row.
"""

from collections.abc import Iterable

from sqlalchemy import text

from app.db.transaction import Transaction

# One statement for all; unnest keeps the order.
_TAKE = text(
    "SELECT count(pg_advisory_xact_lock(hashtextextended(name, 0))) FROM unnest(CAST(:names AS text[])) AS name"
)


async def take(tx: Transaction, names: Iterable[str]) -> None:
    """Waits for each name in turn, in one order, so that no two callers wait for each other. SQLite has one writer at a
    time anyway."""
    if tx.writing and tx.db.dialect == "postgresql" and (ordered := sorted(set(names))):
        await tx.first(_TAKE, {"names": ordered})
