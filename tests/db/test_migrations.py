import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, insert, inspect, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

import app
from app.actor import Actor
from app.clock import Clock
from app.db import catalogue, service_tables, state, tables
from app.db.engine import Database, opened_for_migration
from app.db.migrate import ProtocolVersionChanged, migrate, step_to
from app.db.transaction import begin
from app.errors import Unavailable
from app.planning import protocol
from tests.databases import Kind
from tests.db.conftest import KEYS
from tests.db.rows import DAY, a_chart, an_event

ROOT = Path(app.__file__).parents[1]
REVISIONS = [script.revision for script in ScriptDirectory(str(ROOT / "migrations")).walk_revisions()][::-1]


@pytest.fixture
def empty_url(database_kind: Kind, make_database: Callable[..., str]) -> str:
    return make_database(database_kind, empty=True)


def differences(connection: Connection) -> list[object]:
    return list(
        compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), service_tables.metadata)
    )


def table_names(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


async def every_row(connection: AsyncConnection) -> dict[str, list[tuple[object, ...]]]:
    kept = [table for table in tables.metadata.sorted_tables if table.name != "feed_head"]
    return {t.name: sorted((tuple(row) for row in await connection.execute(select(t))), key=repr) for t in kept}


@asynccontextmanager
async def full(url: str, actor: Actor) -> AsyncIterator[Database]:
    """A database with rows in the tables of patients, alerts and logs."""
    database = Database(url, KEYS)
    async with begin(database, actor, Clock()) as tx:
        chart = await a_chart(tx, number="198112289874", ends={"Y01": DAY, "Y02": DAY})
        tx.changed("patient", chart.patient, "registered", None, {}, chart.patient)
        tx.saw("patient", [chart.patient])
        tx.emit(an_event())
    yield database
    await database.close()


async def test_the_migrations_make_the_tables_that_the_code_knows(database_url: str) -> None:
    async with opened_for_migration(database_url) as connection:
        assert await connection.run_sync(differences) == []
        assert await connection.run_sync(table_names) == {"alembic_version", *service_tables.metadata.tables}


def test_there_is_one_newest_schema_and_the_code_names_it() -> None:
    scripts = ScriptDirectory(str(ROOT / "migrations"))
    assert scripts.get_heads() == [state.NEWEST_SCHEMA]


async def test_a_migrated_database_tells_its_schema(database: Database, operator: Actor, clock: Clock) -> None:
    async with begin(database, operator, clock, writing=False) as tx:
        assert await state.schema(tx) == state.NEWEST_SCHEMA


async def test_down_and_up_again_with_rows_in_the_tables(database_url: str, operator: Actor) -> None:
    async with full(database_url, operator):
        pass
    for down, up in zip(["base", *REVISIONS], REVISIONS, strict=False):
        async with opened_for_migration(database_url) as connection:
            await connection.run_sync(step_to, down)
            if down == "base":
                assert await connection.run_sync(table_names) == {"alembic_version"}
        async with opened_for_migration(database_url) as connection:
            await connection.run_sync(step_to, up)
    await migrate(database_url)
    async with full(database_url, operator) as database, begin(database, operator, Clock(), writing=False) as tx:
        assert await tx.scalar(select(func.count()).select_from(tables.visits)) == 2


async def test_what_was_decided_before_keeps_its_day_through_the_migration_and_back(
    database_url: str, operator: Actor
) -> None:
    """A visit done before its window had been confirmed; the day of the act is the local one; down again, no visit is
    without a window."""
    by_hand = {"outcome": "completed", "decided_by": "anna", "decided_at": datetime(2026, 6, 30, 22, 30, tzinfo=UTC)}
    async with full(database_url, operator) as database, begin(database, operator, Clock()) as tx:
        early = {"window_start": DAY, "completed_on": DAY - timedelta(days=1)}
        await tx.run(update(tables.visits).where(tables.visits.c.code == "Y01").values(**by_hand, **early))
        gone = dict.fromkeys(("target_on", "window_start", "window_end"))
        await tx.run(
            update(tables.visits).where(tables.visits.c.code == "Y02").values(**by_hand, **gone, completed_on=DAY)
        )
    async with opened_for_migration(database_url) as connection:
        await connection.run_sync(step_down, "0006")
        rows = await connection.execute(text("SELECT count(*) FROM visits WHERE window_end IS NULL"))
        assert rows.scalar_one() == 0
    await migrate(database_url)
    visits = tables.visits.c
    database = Database(database_url, KEYS)
    async with begin(database, operator, Clock(), writing=False) as tx:
        found = await tx.all(
            select(visits.code, visits.decided_on, visits.confirmed_for, visits.window_end).order_by(visits.code)
        )
    await database.close()
    assert [tuple(row) for row in found] == [("Y01", date(2026, 7, 1), DAY, DAY), ("Y02", date(2026, 7, 1), None, DAY)]


def step_down(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["connection"] = connection
    command.downgrade(config, revision)


async def test_migrating_again_changes_no_row(database_url: str, operator: Actor) -> None:
    async with full(database_url, operator) as database:
        async with begin(database, operator, Clock()) as tx:
            await tx.run(update(tables.centres).where(tables.centres.c.code == "orebro").values(status="active"))
        async with database.read.connect() as connection:
            before = await every_row(connection)
        await migrate(database_url)
        async with database.read.connect() as connection:
            assert await every_row(connection) == before
    assert sum(map(len, before.values())) > 50


async def test_a_fresh_database_knows_centres_products_and_protocols(
    database: Database, operator: Actor, clock: Clock
) -> None:
    async with begin(database, operator, clock, writing=False) as tx:
        centres, products = await catalogue.centres(tx), await catalogue.products(tx)
        protocols, counts = await catalogue.protocols(tx), await catalogue.counts(tx)
    published = [protocol.parse(text) for text in protocol.published()]
    assert {"lund", "umea", "uppsala"} <= {centre["code"] for centre in centres}
    assert {p["protocol"] for p in products if p["protocol"]} <= set(protocols)
    assert {f"{p.code}@{p.version}": p for p in published}.items() <= protocols.items()
    assert sum(count["patients"] for count in counts) > 0


async def test_a_published_version_with_another_text_is_refused_and_nothing_is_changed(
    database_url: str, operator: Actor
) -> None:
    stored = tables.protocols.c
    database = Database(database_url, KEYS)
    async with begin(database, operator, Clock()) as tx:
        await tx.run(
            update(tables.protocols).where(stored.code == "ltfu-15y", stored.version == 1).values(body="another text")
        )
        await tx.run(tables.centres.delete().where(tables.centres.c.code == "orebro"))
    with pytest.raises(ProtocolVersionChanged) as refused:
        await migrate(database_url)
    assert "ltfu-15y version 1" in refused.value.detail
    async with begin(database, operator, Clock(), writing=False) as tx:
        assert "orebro" not in await catalogue.centre_codes(tx)
    await database.close()


async def test_two_at_once_follow_each_other(empty_url: str) -> None:
    await asyncio.gather(*(migrate(empty_url) for _ in range(4)))
    async with opened_for_migration(empty_url) as connection:
        assert await connection.run_sync(differences) == []
        assert (await connection.execute(select(func.count()).select_from(tables.feed_head))).scalar_one() == 1


async def test_a_migration_that_fails_leaves_nothing(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "published", lambda: [""])
    with pytest.raises(protocol.ProtocolInvalid):
        await migrate(empty_url)
    async with opened_for_migration(empty_url) as connection:
        assert await connection.run_sync(table_names) == set()


async def test_a_missing_file_is_made_with_its_folder_for_its_owner_only(tmp_path: Path) -> None:
    await migrate(f"sqlite:///{tmp_path}/data/new.db")
    assert stat.S_IMODE((tmp_path / "data" / "new.db").stat().st_mode) == 0o600


async def test_a_row_that_names_one_that_is_not_there_is_found_before_the_commit(sqlite_url: str) -> None:
    async def lose() -> None:
        async with opened_for_migration(sqlite_url) as connection:
            await connection.execute(tables.centres.delete().where(tables.centres.c.code == "lund"))

    with pytest.raises(RuntimeError, match="not there"):
        await lose()


async def test_a_database_that_is_away_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await migrate("postgresql://nobody@127.0.0.1:1/none")


async def test_the_alembic_command_works_on_the_database_of_the_environment(sqlite_url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "alembic", "-c", str(ROOT / "alembic.ini"), "downgrade", "base"]
    environment = {**os.environ, "FOLLOW_UP_DATABASE_URL": sqlite_url}
    await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, check=True, cwd=tmp_path)
    async with opened_for_migration(sqlite_url) as connection:
        assert await connection.run_sync(table_names) == {"alembic_version"}


async def test_the_catalogue_takes_what_is_missing_and_leaves_what_is_there(
    database: Database, operator: Actor, clock: Clock
) -> None:
    rows = [
        {"code": code, "name": code, "city": code, "region": code, "status": "active"} for code in ("lund", "boden")
    ]
    async with begin(database, operator, clock) as tx:
        assert await catalogue.add(tx, rows, "centres") == 1
        assert await catalogue.add(tx, rows, "centres") == 0
    async with begin(database, operator, clock, writing=False) as tx:
        names = {centre["code"]: centre["name"] for centre in await catalogue.centres(tx)}
    assert (names["boden"], names["lund"]) == ("boden", "Skånes universitetssjukhus")


async def test_the_newest_version_of_a_protocol_stands_under_its_code(
    database: Database, operator: Actor, clock: Clock
) -> None:
    text = next(text for text in protocol.published() if protocol.parse(text).code == "ltfu-15y")
    newer = text.replace("version = 1", "version = 2")
    async with begin(database, operator, clock) as tx:
        before = await catalogue.protocols(tx)
        await tx.run(insert(tables.protocols), {"code": "ltfu-15y", "version": 2, "body": newer, "loaded_at": tx.now})
        after = await catalogue.protocols(tx)
    assert before["ltfu-15y"].version == 1
    assert after["ltfu-15y"].version == 2
    assert after["ltfu-15y"] is after["ltfu-15y@2"]
    assert after["ltfu-15y@1"] is before["ltfu-15y"]
