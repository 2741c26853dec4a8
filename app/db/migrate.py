"""Brings a database to the newest schema and fills in what the project itself knows: centres, products, published
protocols."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Table, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

import app
from app.clock import Clock
from app.db import seed, tables
from app.db.engine import opened_for_migration
from app.db.service_tables import service_state
from app.errors import Conflict
from app.planning import protocol


class ProtocolVersionChanged(Conflict):
    """A protocol version never changes; give the changed text a new version."""

    code = "protocol_version_changed"


async def migrate(url: str) -> None:
    """To the newest schema, and seeded, in one transaction: all of it or nothing, and two at once follow each other.

    What is there already stays as it is; only missing rows are added. Raises ProtocolVersionChanged when a published
    text differs from the stored one of its version, and Unavailable.
    """
    async with opened_for_migration(url) as connection:
        await connection.run_sync(step_to, "head")
        await _seed(connection)


def step_to(connection: Connection, revision: str) -> None:
    """Up or down to a revision (`head`, `base`, `0001`), inside the caller's transaction."""
    config = Config()
    config.set_main_option("script_location", str(Path(app.__file__).parents[1] / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    if revision == "base":
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)


async def _seed(connection: AsyncConnection) -> None:
    now = Clock().now()
    await _add_missing(connection, tables.centres, seed.centre_rows())
    await _add_missing(connection, tables.published_counts, seed.count_rows())
    await _add_missing(connection, tables.products, seed.product_rows())
    await _add_protocols(connection)
    await _add_missing(connection, tables.feed_head, [{"id": 1, "epoch": 1, "last_seq": 0, "last_at": now}])
    state = {"id": 1, "last_sweep_raised": 0, "last_sweep_ms": 0, "demo": False, "demo_offset_days": 0}
    await _add_missing(connection, service_state, [state])


async def _add_missing(connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    key = [column.key for column in table.primary_key]
    there = {tuple(row) for row in await connection.execute(select(*table.primary_key))}
    if missing := [dict(row) for row in rows if tuple(row[name] for name in key) not in there]:
        await connection.execute(insert(table), missing)


async def _add_protocols(connection: AsyncConnection) -> None:
    stored = {(row.code, row.version): row.body for row in await connection.execute(select(tables.protocols))}
    rows = []
    for body in protocol.published():
        parsed = protocol.parse(body)
        known = stored.get((parsed.code, parsed.version))
        if known is not None and known != body:
            raise ProtocolVersionChanged(
                f"{parsed.code} version {parsed.version} is stored with another text; a new text is a new version."
            )
        rows.append({"code": parsed.code, "version": parsed.version, "body": body, "loaded_at": Clock().now()})
    await _add_missing(connection, tables.protocols, rows)
