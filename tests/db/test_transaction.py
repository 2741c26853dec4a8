import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import event, exc, insert, select, text, update

from app.actor import Actor
from app.clock import Clock
from app.db import feed, patients, tables
from app.db.columns import new_id
from app.db.engine import Database
from app.db.patients import PatientRow
from app.db.transaction import Transaction, begin
from app.errors import Unavailable
from app.planning.decisions import Standing
from tests.db.conftest import KEYS
from tests.db.rows import DAY, NOON, StillClock, a_patient, an_event, counted, nurse


@contextmanager
def watched(database: Database) -> Iterator[list[str]]:
    """What the writing engine is told, in order: `insert history`, `update feed_head`, `COMMIT`."""
    told: list[str] = []

    def statement(conn: Any, cursor: Any, sql: str, params: Any, context: Any, many: bool) -> None:
        for what, table in re.findall(r"(?<!FOR )(INSERT INTO|UPDATE|DELETE FROM|BEGIN \w+) ?(\w*)", sql):
            told.append(f"{what.split()[0].lower()} {table}".strip())

    def commit(conn: Any) -> None:
        told.append("COMMIT")

    engine = database.write.sync_engine
    event.listen(engine, "before_cursor_execute", statement)
    event.listen(engine, "commit", commit)
    yield told
    event.remove(engine, "before_cursor_execute", statement)
    event.remove(engine, "commit", commit)


async def head(database: Database, actor: Actor) -> feed.Head:
    async with begin(database, actor, Clock(), writing=False) as tx:
        return await feed.head(tx)


# ---- The end of a writing transaction ----


async def test_history_access_log_head_row_and_events_follow_each_other_and_the_head_row_is_the_last_lock(
    database: Database, operator: Actor, clock: Clock
) -> None:
    with watched(database) as told:
        async with begin(database, operator, clock) as tx:
            tx.emit(an_event())
            tx.saw("patient", [new_id()])
            tx.changed("patient", new_id(), "registered", None, {"status": "lost"})
            await a_patient(tx, "lund")
    assert [word for word in told if word != "begin"] == [
        *(
            "insert patients",
            "insert history",
            "insert access_log",
            "insert access_log_patients",
            "update feed_head",
            "insert events",
            "COMMIT",
        )
    ]


def a_row(tx: Transaction) -> PatientRow:
    return PatientRow(new_id(), 1, {"identifiers": []}, False, "in-follow-up", "lund", tx.now)


async def test_new_rows_are_there_for_the_next_statement_parents_before_children(
    database: Database, operator: Actor
) -> None:
    async with begin(database, operator, Clock()) as tx:
        patient = a_row(tx)
        await patients.add_numbers(tx, patient.id, [("personnummer", "198112289874")])
        await patients.add(tx, patient, Standing(DAY))
        assert await patients.by_number(tx, [("personnummer", "198112289874")]) == [patient.id]
        assert await patients.get(tx, patient.id) == patient


async def test_a_savepoint_that_fails_takes_its_own_new_rows_along_and_no_others(
    database: Database, operator: Actor
) -> None:
    async with begin(database, operator, Clock()) as tx:
        rows = [a_row(tx), a_row(tx), a_row(tx)]
        for patient in rows:
            with suppress(LookupError):
                async with tx.savepoint():
                    await patients.add(tx, patient, Standing(DAY))
                    if patient is rows[1]:
                        raise LookupError
        assert await patients.many(tx, [row.id for row in rows]) == {row.id: row for row in (rows[0], rows[2])}


async def test_a_reading_transaction_takes_no_new_rows(database: Database, operator: Actor) -> None:
    with pytest.raises(RuntimeError):
        async with begin(database, operator, Clock(), writing=False) as tx:
            await patients.add(tx, a_row(tx), Standing(DAY))


async def test_what_was_told_stands_in_the_rows(database: Database, operator: Actor) -> None:
    clock, seen, changed = StillClock(NOON), [new_id(), new_id()], new_id()
    async with begin(database, nurse("lund"), clock, "req-1") as tx:
        patient = await a_patient(tx, "lund")
        tx.saw("due list", seen)
        tx.saw("due list", seen[:1])
        tx.saw("patient", [patient], why="asked on the phone")
        tx.saw("nobody", [])
        tx.changed("visit", changed, "completed", {"outcome": None}, {"outcome": "completed"}, patient)
    async with begin(database, operator, clock, writing=False) as tx:
        log = await tx.all(select(tables.access_log).order_by(tables.access_log.c.what))
        (row,) = await tx.all(select(tables.history))
    at = NOON.replace(microsecond=123000)
    assert [(r.what, r.why, r.patients, r.request_id, r.actor, r.role, r.unit, r.at) for r in log] == [
        ("due list", None, f"{seen[0]} {seen[1]}", "req-1", "nurse of lund", "nurse", "lund", at),
        ("patient", "asked on the phone", str(patient), "req-1", "nurse of lund", "nurse", "lund", at),
    ]
    assert (row.kind, row.object_id, row.act, row.patient_id, row.at, row.actor) == (
        *("visit", str(changed), "completed", patient, at, "nurse of lund"),
    )
    assert KEYS.open(row.sealed, f"history:{row.id}") == {
        "before": {"outcome": None},
        "after": {"outcome": "completed"},
    }


async def test_the_head_row_moves_by_the_events_and_its_instant_at_least_one_millisecond(
    database: Database, operator: Actor
) -> None:
    clock, before = StillClock(NOON), await head(database, operator)
    moved = []
    for events in (1, 0, 3):
        async with begin(database, operator, clock) as tx:
            await tx.run(update(tables.centres).where(tables.centres.c.code == "lund").values(city="Lund"))
            for _ in range(events):
                tx.emit(an_event())
        moved.append(tx.head)
    assert [h.last_seq for h in moved if h] == [1, 1, 4]
    expected = max(before.last_at + timedelta(milliseconds=1), NOON.replace(microsecond=123000))
    assert [h.last_at for h in moved if h] == [expected + timedelta(milliseconds=n) for n in range(3)]
    assert await head(database, operator) == moved[-1]
    async with begin(database, operator, clock, writing=False) as tx:
        _, events = await feed.page(tx, 0, 10)
    assert [(e.seq, e.at) for e in events] == [
        (1, expected),
        *((n, expected + timedelta(milliseconds=2)) for n in (2, 3, 4)),
    ]


async def test_the_instant_of_the_head_row_follows_the_clock_and_never_goes_back(
    database: Database, operator: Actor
) -> None:
    stamps = []
    for hours in (48 * 365, 48 * 365 + 1, -100):
        async with begin(database, operator, StillClock(NOON + timedelta(hours=hours))) as tx:
            tx.emit(an_event())
        assert tx.head is not None
        stamps.append(tx.head.last_at)
    assert stamps[1] - stamps[0] == timedelta(hours=1)
    assert stamps[2] - stamps[1] == timedelta(milliseconds=1)


async def test_ten_thousand_stamps_in_one_millisecond_are_all_different(sqlite_url: str, operator: Actor) -> None:
    database, clock, last = Database(sqlite_url, KEYS), StillClock(NOON + timedelta(days=900)), None
    raise_head = text(
        "UPDATE feed_head SET last_at = strftime('%Y-%m-%dT%H:%M:%fZ', last_at, '+0.001 seconds') RETURNING last_at"
    )
    async with begin(database, operator, clock) as tx:
        for _ in range(10_000):
            stamp = await tx.scalar(raise_head)
            assert last is None or stamp > last
            last = stamp
    await database.close()


async def test_an_act_that_wrote_nothing_leaves_the_head_row_where_it_is(
    database: Database, operator: Actor, clock: Clock
) -> None:
    before = await head(database, operator)
    async with begin(database, operator, clock) as tx:
        tx.saw("patient", [new_id()])
        await tx.run(update(tables.centres).where(tables.centres.c.code == "nowhere").values(city="Nowhere"))
        await tx.run(insert(tables.centres), [])
        await tx.all(select(tables.centres))
    assert tx.head is None
    assert await head(database, operator) == before
    assert await counted(database, operator, tables.access_log) == 1


@pytest.mark.parametrize("how", ["run", "all", "first", "history", "event"])
async def test_whatever_writes_moves_the_head_row(database: Database, operator: Actor, clock: Clock, how: str) -> None:
    before = await head(database, operator)
    touched = update(tables.centres).where(tables.centres.c.code == "lund").values(city="Lund")
    async with begin(database, operator, clock) as tx:
        if how == "run":
            await tx.run(touched)
        elif how == "all":
            await tx.all(touched.returning(tables.centres.c.code))
        elif how == "first":
            await tx.first(touched.returning(tables.centres.c.code))
        elif how == "history":
            tx.changed("centre", "lund", "looked at", None, None)
        else:
            tx.emit(an_event())
    assert (await head(database, operator)).last_at > before.last_at


async def test_an_exception_takes_everything_back(database: Database, operator: Actor, clock: Clock) -> None:
    before = await head(database, operator)

    async def act() -> None:
        async with begin(database, operator, clock) as tx:
            await a_patient(tx, "lund")
            tx.saw("patient", [new_id()])
            tx.changed("patient", new_id(), "registered", None, None)
            tx.emit(an_event())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await act()
    for table in (tables.patients, tables.access_log, tables.history, tables.events):
        assert await counted(database, operator, table) == 0
    assert await head(database, operator) == before


async def test_a_commit_that_fails_is_unavailable_and_nothing_is_stored(
    database: Database, operator: Actor, clock: Clock
) -> None:
    before = await head(database, operator)

    async def act() -> None:
        async with begin(database, operator, clock) as tx:
            await a_patient(tx, "lund")
            tx.emit(an_event())

    def fail(conn: Any) -> None:
        raise exc.OperationalError("COMMIT", None, Exception("injected"))

    event.listen(database.write.sync_engine, "commit", fail)
    with pytest.raises(Unavailable):
        await act()
    event.remove(database.write.sync_engine, "commit", fail)
    assert await counted(database, operator, tables.patients) == 0
    assert await head(database, operator) == before
    await act()
    assert await counted(database, operator, tables.patients) == 1


async def test_a_cancelled_act_stores_nothing_and_the_next_one_goes_on(
    database: Database, operator: Actor, clock: Clock
) -> None:
    begun = asyncio.Event()

    async def act() -> None:
        async with begin(database, operator, clock) as tx:
            await a_patient(tx, "lund")
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(act())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with begin(database, operator, clock) as tx:
        await a_patient(tx, "lund")
    assert await counted(database, operator, tables.patients) == 1


# ---- Reading ----


async def test_what_was_read_stands_in_the_access_log_before_the_context_is_left(
    database: Database, operator: Actor, clock: Clock
) -> None:
    async with begin(database, operator, clock, writing=False) as tx:
        await tx.all(select(tables.centres))
        tx.saw("centre", [new_id()])
    assert await counted(database, operator, tables.access_log) == 1


async def test_reading_moves_no_head_row(database: Database, operator: Actor, clock: Clock) -> None:
    before = await head(database, operator)
    async with begin(database, operator, clock, writing=False) as tx:
        tx.saw("centre", [new_id()])
    assert await head(database, operator) == before


async def test_reads_in_flight_share_their_commits(database: Database, operator: Actor, clock: Clock) -> None:
    async def read() -> None:
        async with begin(database, operator, clock, writing=False) as tx:
            tx.saw("centre", [new_id()])

    with watched(database) as told:
        await asyncio.gather(*(read() for _ in range(60)))
    assert await counted(database, operator, tables.access_log) == 60
    assert 1 <= told.count("COMMIT") <= 3


async def test_a_read_that_failed_showed_nothing(database: Database, operator: Actor, clock: Clock) -> None:
    async def read() -> None:
        async with begin(database, operator, clock, writing=False) as tx:
            tx.saw("centre", [new_id()])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await read()
    assert await counted(database, operator, tables.access_log) == 0


async def test_a_read_whose_log_cannot_be_written_fails(database: Database, operator: Actor, clock: Clock) -> None:
    async def read(*seen: Any) -> int:
        async with begin(database, operator, clock, writing=False) as tx:
            tx.saw("centre", seen)
            return len(await tx.all(select(tables.centres)))

    def fail(*told: Any) -> None:
        if "INSERT INTO access_log" in told[2]:
            raise exc.OperationalError("INSERT", None, Exception("injected"))

    event.listen(database.write.sync_engine, "before_cursor_execute", fail)
    results = await asyncio.gather(*(read(new_id()) for _ in range(5)), read(), return_exceptions=True)
    event.remove(database.write.sync_engine, "before_cursor_execute", fail)
    assert [type(result) for result in results] == [Unavailable] * 5 + [int]
    assert await read(new_id()) > 0
    assert await counted(database, operator, tables.access_log) == 1


async def test_a_reading_transaction_cannot_write(database: Database, operator: Actor, clock: Clock) -> None:
    with pytest.raises(RuntimeError, match="does not write"):
        async with begin(database, operator, clock, writing=False) as tx:
            await a_patient(tx, "lund")
    with pytest.raises(Unavailable):  # the database refuses as well
        async with begin(database, operator, clock, writing=False) as tx:
            await tx.run(text("DELETE FROM published_counts"))
    assert await counted(database, operator, tables.published_counts) > 0


async def test_a_read_goes_on_while_another_writes_and_sees_only_what_is_committed(
    database: Database, operator: Actor, clock: Clock
) -> None:
    async with begin(database, operator, clock) as tx:
        await a_patient(tx, "lund")
        assert await counted(database, operator, tables.patients) == 0
    assert await counted(database, operator, tables.patients) == 1


async def test_polls_share_one_look_at_the_head_row_and_none_sees_an_older_one(
    database: Database, operator: Actor, clock: Clock
) -> None:
    looks = []

    def look(*told: Any) -> None:
        looks.append(told[2])

    event.listen(database.read.sync_engine, "before_cursor_execute", look)
    for round_ in range(1, 6):
        async with begin(database, operator, clock) as tx:
            tx.emit(an_event())
        heads = await asyncio.gather(*(head(database, operator) for _ in range(40)))
        assert {h.last_seq for h in heads} == {round_}
    event.remove(database.read.sync_engine, "before_cursor_execute", look)
    assert len(looks) <= 3 * 5


# ---- The day and the instant ----


async def test_day_and_instant_come_from_the_clock_once(database: Database, operator: Actor) -> None:
    async with begin(database, operator, Clock(fixed=date(2031, 3, 1)), writing=False) as tx:
        assert tx.today == date(2031, 3, 1)
        assert tx.now == tx.now.replace(microsecond=tx.now.microsecond // 1000 * 1000)
