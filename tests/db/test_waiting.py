"""Whatever waits for the database has a limit, and one limit only."""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing

import pytest
from sqlalchemy import select, text

from app.actor import Actor
from app.clock import Clock
from app.db import tables, waiting
from app.db.engine import Database
from app.db.together import Together
from app.db.transaction import begin
from app.errors import Unavailable
from tests.db.conftest import KEYS
from tests.db.rows import counted


async def _refused_after(database: Database, operator: Actor, clock: Clock) -> float:
    began = time.monotonic()
    with pytest.raises(Unavailable):
        async with begin(database, operator, clock):
            pass
    return time.monotonic() - began


async def test_a_locked_file_is_refused_after_one_limit_whether_one_waits_for_the_connection_or_for_the_lock(
    sqlite_url: str, operator: Actor, clock: Clock
) -> None:
    database = Database(sqlite_url, KEYS, patience=1.0)
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        # Waits for the lock, with the only connection.
        first = asyncio.create_task(_refused_after(database, operator, clock))
        await asyncio.wait([first], timeout=0.5)
        second = await _refused_after(database, operator, clock)  # waits for the connection, and then for the lock
        assert await first < 1.4
        assert second < 1.4
    async with begin(database, operator, clock) as tx:
        assert await tx.scalar(text("PRAGMA busy_timeout")) == 1000
    await database.close()


async def test_a_shared_round_that_hangs_ends_by_itself_and_the_next_one_is_served() -> None:
    begun: list[Sequence[int]] = []

    async def work(waiting: Sequence[int]) -> int:
        begun.append(list(waiting))
        if len(begun) == 1:
            await asyncio.Event().wait()
        return sum(waiting)

    together = Together(work, seconds=0.2)
    answers = await asyncio.gather(together(1), together(2), return_exceptions=True)
    assert [type(answer) for answer in answers] == [TimeoutError, TimeoutError]
    assert await together(3) == 3
    await together.finished()


async def test_a_connection_without_an_answer_is_given_up_and_replaced(
    postgres_url: str, operator: Actor, clock: Clock
) -> None:
    database = Database(postgres_url, KEYS, pool_size=1, answer_seconds=0.3)
    with pytest.raises(Unavailable):
        async with begin(database, operator, clock, writing=False) as tx:
            await tx.all(text("SELECT pg_sleep(20)"))
    assert await counted(database, operator, tables.centres) > 0
    await database.close()


async def test_a_caller_that_is_cancelled_leaves_at_once_and_frees_its_connection(
    postgres_url: str, operator: Actor, clock: Clock
) -> None:
    database = Database(postgres_url, KEYS, pool_size=1)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3), begin(database, operator, clock) as tx:
            await tx.all(text("SELECT pg_sleep(20)"))
    async with begin(database, operator, clock) as tx:
        assert await tx.all(select(tables.centres))
    assert time.monotonic() - began < 3
    await database.close()


async def test_a_connection_that_broke_while_it_rested_costs_nobody_a_call(
    postgres_url: str, operator: Actor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "IDLE_SECONDS", 0.0)
    database, other = Database(postgres_url, KEYS), Database(postgres_url, KEYS)
    await counted(database, operator, tables.centres)
    everybody_else = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
        "pg_backend_pid()"
    )
    async with begin(other, operator, clock) as tx:
        await tx.all(everybody_else)
    assert await counted(database, operator, tables.centres) > 0
    await database.close()
    await other.close()


async def test_an_address_may_set_its_own_limits_of_the_network(
    postgres_url: str, operator: Actor, clock: Clock
) -> None:
    database = Database(f"{postgres_url}?application_name=ward", KEYS)
    async with begin(database, operator, clock, writing=False) as tx:
        assert await tx.scalar(text("SHOW application_name")) == "ward"
        assert await tx.scalar(text("SHOW tcp_keepalives_idle")) is not None
    await database.close()
