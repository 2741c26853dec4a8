"""An import's report becomes rows, and a report again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, Table, select

import app
from app.db.columns import new_id
from app.db.engine import opened_for_migration
from app.db.migrate import step_to
from app.db.service_tables import import_items
from tests.databases import Kind

REJECTED = {
    "row": 2,
    "verdict": "rejected",
    "code": "bad_date",
    "field": "infused_on",
    "message": "No day.",
    "infusion_id": None,
    "warnings": [],
}
ACCEPTED = {"row": 1, "verdict": "accepted", "code": None, "field": None, "message": None, "warnings": ["late_entry"]}


def _table(connection: Connection) -> Table:
    return Table("imports", MetaData(), autoload_with=connection)


def _fill(connection: Connection, infusion: UUID) -> None:
    postgres = connection.dialect.name == "postgresql"
    import_id: Any = new_id() if postgres else new_id().hex
    row = {
        "id": import_id,
        "owner": "t1",
        "state": "finished",
        "dry_run": False,
        "rows": 2,
        "started_at": "2026-03-04T08:00:00.000Z",
    }
    report = json.dumps({"items": [ACCEPTED | {"infusion_id": str(infusion)}, REJECTED]})
    connection.execute(_table(connection).insert().values(**row, report=report))


def _step_down(connection: Connection) -> None:
    script = ScriptDirectory(str(Path(app.__file__).parents[1] / "migrations")).get_revision("0011")
    assert script is not None
    with Operations.context(MigrationContext.configure(connection)):
        script.module.downgrade()


def _reported(connection: Connection) -> tuple[int, Any]:
    imports = _table(connection).c
    rows, report = connection.execute(select(imports.rows, imports.report)).one()
    return rows, json.loads(report)


async def test_a_report_is_kept_on_the_way_up_and_down(database_kind: Kind, make_database: Callable[..., str]) -> None:
    url, infusion = make_database(database_kind, empty=True), new_id()
    async with opened_for_migration(url) as connection:
        await connection.run_sync(step_to, "0010")
        await connection.run_sync(_fill, infusion)
        await connection.run_sync(step_to, "0011")
        stored = [
            dict(row)
            for row in (await connection.execute(select(import_items).order_by(import_items.c.row))).mappings()
        ]
        assert [{name: value for name, value in item.items() if name != "import_id"} for item in stored] == [
            ACCEPTED | {"infusion_id": infusion, "warnings": "late_entry"},
            REJECTED | {"warnings": ""},
        ]
        await connection.run_sync(_step_down)
        assert await connection.run_sync(_reported) == (
            2,
            {"items": [ACCEPTED | {"infusion_id": str(infusion)}, REJECTED]},
        )
