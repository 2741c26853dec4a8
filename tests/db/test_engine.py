"""What the database cannot do, what its errors tell, and how it is opened."""

import asyncio
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import exc, select, text, update

from app.actor import Actor
from app.clock import Clock
from app.db import tables
from app.db.engine import Database, normalise_url
from app.db.transaction import Transaction, begin
from app.errors import Invalid, Unavailable
from tests.db.conftest import KEYS
from tests.db.rows import a_patient, an_infusion, counted

SECRET = "198112289874"

# ---- When the database cannot serve ----


def impatient(url: str, **options: Any) -> Database:
    return Database(url, KEYS, patience=0.1, **options)


async def test_locked_past_the_time_limit_is_unavailable(
    database: Database, database_url: str, operator: Actor, clock: Clock
) -> None:
    other = impatient(database_url)
    lund = update(tables.centres).where(tables.centres.c.code == "lund").values(city="Lund")
    async with begin(database, operator, clock) as tx:
        await tx.run(lund)
        with pytest.raises(Unavailable):
            async with begin(other, operator, clock) as late:
                await late.run(lund)
    async with begin(other, operator, clock) as late:
        await late.run(lund)
    await other.close()


async def test_no_connection_free_is_unavailable(database_url: str, operator: Actor, clock: Clock) -> None:
    small = impatient(database_url, pool_size=1)
    async with begin(small, operator, clock), begin(small, operator, clock, writing=False) as reading:
        await reading.all(select(tables.centres))
        with pytest.raises(Unavailable):
            async with begin(small, operator, clock):
                pass
        with pytest.raises(Unavailable):
            async with begin(small, operator, clock, writing=False) as other:
                await other.all(select(tables.centres))
    await small.close()


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/none", "sqlite:///{}/none/none.db"])
async def test_a_database_that_is_not_there_is_unavailable(
    url: str, tmp_path: Path, operator: Actor, clock: Clock
) -> None:
    away = impatient(url.format(tmp_path))
    for writing in (True, False):
        with pytest.raises(Unavailable):
            async with begin(away, operator, clock, writing=writing) as tx:
                await tx.all(select(tables.centres))
    await away.close()
    # The driver's thread of a connection that never opened still answers this loop.
    for thread in [thread for thread in threading.enumerate() if "_connection_worker_thread" in thread.name]:
        await asyncio.to_thread(thread.join, 60)


async def test_connections_that_broke_are_replaced(postgres_url: str, operator: Actor, clock: Clock) -> None:
    database = Database(postgres_url, KEYS)
    await asyncio.gather(*(counted(database, operator, tables.centres) for _ in range(8)))
    other = Database(postgres_url, KEYS)
    everybody_else = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
        "pg_backend_pid()"
    )
    async with begin(other, operator, clock) as tx:
        await tx.all(everybody_else)
    with pytest.raises(Unavailable):
        await counted(database, operator, tables.centres)
    for _ in range(8):
        assert await counted(database, operator, tables.centres) > 0
    await database.close()
    await other.close()


async def test_a_deadlock_ends_one_and_the_other_goes_on(postgres_url: str, operator: Actor, clock: Clock) -> None:
    database, meet = Database(postgres_url, KEYS), asyncio.Barrier(2)

    async def cross(*codes: str) -> None:
        async with begin(database, operator, clock) as tx:
            for code in codes:
                await tx.run(update(tables.centres).where(tables.centres.c.code == code).values(city=codes[0]))
                if code == codes[0]:
                    await meet.wait()

    results = await asyncio.gather(cross("lund", "umea"), cross("umea", "lund"), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Deadlock", "NoneType"]
    await database.close()


# ---- What an error tells ----


async def _twice(tx: Transaction) -> None:
    patient = await a_patient(tx, "lund")
    for _ in range(2):
        await an_infusion(tx, patient, "lund", source_system="cosmic-lund", source_id=SECRET)


async def _no_number(tx: Transaction) -> None:
    await tx.scalar(text("SELECT CAST(CAST(:number AS text) AS uuid)"), {"number": f"{SECRET}-x"})
    await tx.scalar(text("SELECT no_such_function(:number)"), {"number": SECRET})


@pytest.mark.parametrize("fault", [_twice, _no_number])
async def test_an_error_of_the_database_tells_no_value(
    database: Database, operator: Actor, clock: Clock, fault: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((exc.DBAPIError, Unavailable)) as raised:
        async with begin(database, operator, clock) as tx:
            await fault(tx)
    told = (
        "".join(traceback.format_exception(raised.value))
        + repr(raised.value)
        + str(raised.value)
        + "".join(capsys.readouterr())
    )
    assert SECRET not in told
    if fault is _twice:
        assert isinstance(raised.value, exc.IntegrityError)
        assert "source_id" in str(raised.value)


# ---- Addresses ----


@pytest.mark.parametrize(
    ("given", "ours"),
    [
        ("sqlite:///data/follow-up.db", "sqlite+aiosqlite:///data/follow-up.db"),
        ("sqlite+aiosqlite:////var/x.db", "sqlite+aiosqlite:////var/x.db"),
        ("postgresql://me:se%40cret@db/x", "postgresql+psycopg://me:se%40cret@db/x"),
        ("postgres://db/x", "postgresql+psycopg://db/x"),
        ("postgresql+asyncpg://db/x?sslmode=require", "postgresql+psycopg://db/x?sslmode=require"),
    ],
)
def test_an_address_may_have_any_drivers_name(given: str, ours: str) -> None:
    assert normalise_url(given) == ours


@pytest.mark.parametrize("given", ["", "follow-up.db", "mysql://db/x", "sqlite://", "sqlite:///:memory:"])
def test_another_kind_of_database_is_refused(given: str) -> None:
    with pytest.raises(Invalid):
        normalise_url(given)


async def test_options_in_an_address_are_kept(postgres_url: str, operator: Actor, clock: Clock) -> None:
    database = Database(f"{postgres_url}?options=-c%20work_mem%3D3MB", KEYS)
    async with begin(database, operator, clock, writing=False) as tx:
        told = [
            await tx.scalar(text(f"SHOW {name}"))
            for name in ("work_mem", "timezone", "lock_timeout", "default_transaction_read_only")
        ]
    assert told == ["3MB", "UTC", "5s", "on"]
    await database.close()


async def test_a_file_forces_every_commit_and_checks_references(sqlite_url: str, operator: Actor, clock: Clock) -> None:
    database = Database(sqlite_url, KEYS)
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "busy_timeout": 5000}
    for writing in (True, False):
        async with begin(database, operator, clock, writing=writing) as tx:
            assert {name: await tx.scalar(text(f"PRAGMA {name}")) for name in wanted} == wanted
            assert await tx.scalar(text("PRAGMA query_only")) == (not writing)
    await database.close()
