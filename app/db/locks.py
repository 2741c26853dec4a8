"""Locks by name, held until the transaction ends: two requests with one natural key follow each other."""

from collections.abc import Iterable

from sqlalchemy import func, select

from app.db.transaction import Transaction


async def take(tx: Transaction, names: Iterable[str]) -> None:
    """Waits for each name in turn, in one order, so that no two callers wait for each other. SQLite has one writer at a time anyway."""
    if tx.writing and tx.db.dialect == "postgresql":
        for name in sorted(set(names)):
            await tx.first(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))
