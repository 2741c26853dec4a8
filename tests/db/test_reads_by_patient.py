"""The reads of one patient are found by an index, whatever others have read; those from before it too."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, insert, select

from app.actor import Actor
from app.clock import Clock
from app.db import access_log, tables
from app.db.columns import new_id
from app.db.engine import Database, opened_for_migration
from app.db.migrate import migrate, step_to
from app.db.transaction import begin
from tests.databases import Kind
from tests.db.conftest import KEYS
from tests.db.rows import a_patient, nurse


async def test_every_patient_of_every_row_of_the_log_is_found_by_the_index(
    database: Database, operator: Actor, clock: Clock
) -> None:
    async with begin(database, operator, clock) as tx:
        shown = [await a_patient(tx, "lund") for _ in range(3)]
        tx.saw("act", shown)
        tx.saw("nobody", [])
    async with begin(database, nurse("lund"), clock, writing=False) as tx:
        tx.saw("list", [*shown, shown[0]])
        tx.saw("patient", shown[:1], why="asked")
    async with begin(database, operator, clock, writing=False) as tx:
        told = {(row.id, UUID(one)) for row in await tx.all(select(tables.access_log)) for one in row.patients.split()}
        assert {(row.log_id, row.patient_id) for row in await tx.all(select(tables.access_log_patients))} == told
        assert len(told) == 3 + 3 + 1
        assert [row.what for row in await access_log.of_patient(tx, shown[0], None, 10)] == ["patient", "list", "act"]


async def test_the_log_is_not_looked_through(sqlite_url: str, operator: Actor, clock: Clock) -> None:
    database = Database(sqlite_url, KEYS)
    asked: list[tuple[str, Any]] = []
    event.listen(
        database.read.sync_engine, "before_cursor_execute", lambda _c, _u, sql, told, *_: asked.append((sql, told))
    )
    async with begin(database, operator, clock, writing=False) as tx:
        await access_log.of_patient(tx, new_id(), new_id(), 50)
    async with database.read.connect() as connection:
        plan = [
            row.detail
            for sql, told in tuple(asked)
            for row in await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", told)
        ]
    await database.close()
    assert any("access_log_patients" in step for step in plan)
    assert [step for step in plan if step.startswith("SCAN") and "access_log" in step] == []


@pytest.mark.parametrize("rows", [[0], [0, 1], [0, 0, 1, 2]])
async def test_what_was_logged_before_the_index_is_found_by_it(
    rows: list[int], database_kind: Kind, make_database: Callable[..., str], operator: Actor, clock: Clock
) -> None:
    url, patients = make_database(database_kind, empty=True), [new_id() for _ in range(3)]
    async with opened_for_migration(url) as connection:
        await connection.run_sync(step_to, "0011")
        for what, patient in enumerate(rows):
            told = " ".join(map(str, dict.fromkeys([patients[patient], patients[2]])))
            who = {"actor": "a", "role": "nurse", "unit": "lund", "what": str(what), "request_id": "-"}
            await connection.execute(
                insert(tables.access_log), {"id": new_id(), "at": clock.now(), **who, "patients": told}
            )
        empty = {
            "id": new_id(),
            "at": clock.now(),
            "actor": "a",
            "role": "nurse",
            "unit": "lund",
            "what": "none",
            "request_id": "-",
            "patients": "",
        }
        await connection.execute(insert(tables.access_log), empty)
    await migrate(url)
    database = Database(url, KEYS)
    async with begin(database, operator, clock, writing=False) as tx:
        links = {(row.patient_id, row.log_id) for row in await tx.all(select(tables.access_log_patients))}
        logged = {row.id: row.what for row in await tx.all(select(tables.access_log))}
    await database.close()
    assert sorted(logged[row] for patient, row in links if patient == patients[0]) == [
        str(n) for n, p in enumerate(rows) if p == 0
    ]
    assert sorted(logged[row] for patient, row in links if patient == patients[2]) == [str(n) for n in range(len(rows))]
