"""Runs the migrations on the connection that `app.db.migrate` hands over, or (by the `alembic` command) on
FOLLOW_UP_DATABASE_URL."""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection

from app.db import service_tables
from app.db.engine import opened_for_migration

metadata = service_tables.metadata  # of tables.py too


def run(connection: Connection) -> None:
    """All steps in one transaction, which is its owner's to commit."""
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


async def run_alone(url: str) -> None:
    """For the `alembic` command: a connection of its own, locked against another migration."""
    async with opened_for_migration(url) as connection:
        await connection.run_sync(run)


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    asyncio.run(run_alone(os.environ["FOLLOW_UP_DATABASE_URL"]))
