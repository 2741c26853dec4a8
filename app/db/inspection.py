"""What stands in a database that may not be ours, or not be migrated."""

from pathlib import Path

from sqlalchemy import inspect

from app.db.engine import Database, unavailable


async def tables(db: Database) -> frozenset[str]:
    """The names of its tables; none for a new database, and a SQLite file that is missing is not made. Raises
    Unavailable."""
    if _is_missing(db):
        return frozenset()
    with unavailable():
        async with db.read.connect() as connection:
            return frozenset(await connection.run_sync(lambda plain: inspect(plain).get_table_names()))


def _is_missing(db: Database) -> bool:
    return db.dialect == "sqlite" and not Path(db.read.url.database or "").exists()
