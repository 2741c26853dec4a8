"""What stands in a database that may not be ours, or not be migrated."""

from sqlalchemy import inspect

from app.db.engine import Database, unavailable


async def tables(db: Database) -> frozenset[str]:
    """The names of its tables; none for a new database. Raises Unavailable."""
    with unavailable():
        async with db.read.connect() as connection:
            return frozenset(await connection.run_sync(lambda plain: inspect(plain).get_table_names()))
