"""Readers of logs, and what the service keeps for itself: tokens, state, imports."""

from dataclasses import replace
from datetime import date
from uuid import UUID

from app.actor import Actor, Role
from app.clock import Clock
from app.db import access_log, history, imports, state, tokens
from app.db.columns import new_id
from app.db.engine import Database
from app.db.tokens import TokenRow
from app.db.transaction import begin
from tests.db.rows import NOON, StillClock, a_chart, nurse

# ---- History and access log ----


async def test_the_history_of_a_patient_is_told_newest_first_in_pages(
    database: Database, operator: Actor, clock: Clock
) -> None:
    async with begin(database, operator, clock) as tx:
        chart, other = await a_chart(tx, "lund"), await a_chart(tx, "lund")
        for n in range(5):
            tx.changed("visit", f"v{n}", f"act {n}", {"n": n}, {"n": n + 1}, chart.patient)
            tx.changed("visit", "another's", "act", None, None, other.patient)

    async def told(actor: Actor, limit: int = 10) -> list[list[str]]:
        pages: list[list[str]] = []
        after: UUID | None = None
        async with begin(database, actor, clock, writing=False) as tx:
            while rows := await history.of_patient(tx, chart.patient, after, limit):
                pages.append([row.act for row in rows])
                after = rows[-1].id
                assert all(row.before is not None and row.after == {"n": row.before["n"] + 1} for row in rows)
        return pages

    assert await told(operator, 2) == [["act 4", "act 3"], ["act 2", "act 1"], ["act 0"]]
    assert await told(nurse("lund")) == [["act 4", "act 3", "act 2", "act 1", "act 0"]]
    assert await told(nurse("umea")) == []


async def test_the_reads_of_a_patient_are_told_newest_first_in_pages(
    database: Database, operator: Actor, clock: Clock
) -> None:
    async with begin(database, operator, clock) as tx:
        chart = await a_chart(tx, "lund")
    for n in range(5):
        async with begin(database, nurse("lund"), clock, f"request {n}", writing=False) as tx:
            tx.saw(f"list {n}", [new_id(), chart.patient, new_id()], why=f"reason {n}")
        async with begin(database, nurse("lund"), clock, writing=False) as tx:
            tx.saw("somebody else", [new_id()])

    async def told(actor: Actor, after: UUID | None = None, limit: int = 10) -> list[access_log.AccessRow]:
        async with begin(database, actor, clock, writing=False) as tx:
            return await access_log.of_patient(tx, chart.patient, after, limit)

    rows = await told(operator)
    assert [(row.what, row.why, row.request_id) for row in rows] == [
        (f"list {n}", f"reason {n}", f"request {n}") for n in (4, 3, 2, 1, 0)
    ]
    assert {(row.actor, row.role, row.unit) for row in rows} == {("nurse of lund", "nurse", "lund")}
    assert await told(operator, rows[1].id, 2) == rows[2:4]
    assert await told(nurse("lund")) == rows
    assert await told(nurse("umea")) == []


# ---- Tokens ----

TOKEN = TokenRow(
    "0123",
    "ward of Lund",
    "hash",
    Role.NURSE.value,
    "lund umea",
    "",
    NOON.replace(microsecond=0),
    None,
    None,
    NOON.replace(microsecond=0, year=2027),
)


async def test_a_token_is_found_by_its_id_and_revoked_once(database: Database, operator: Actor) -> None:
    clock = StillClock(NOON)
    async with begin(database, operator, clock) as tx:
        await tokens.add(tx, TOKEN)
        await tokens.add(tx, replace(TOKEN, id="4567", name="a system"))
        assert await tokens.by_id(tx, "0123") == TOKEN
        assert await tokens.by_id(tx, "none") is None
        assert [await tokens.revoke(tx, token) for token in ("0123", "0123", "none")] == [True, False, False]
        assert [(token.id, token.revoked_at) for token in await tokens.every(tx)] == [("4567", None), ("0123", tx.now)]


# ---- State ----


async def test_the_state_tells_the_last_sweep_and_the_demos_day(database: Database, operator: Actor) -> None:
    async with begin(database, operator, StillClock(NOON)) as tx:
        assert await state.get(tx) == state.ServiceState(
            None, None, 0, 0, None, None, None, demo=False, demo_offset_days=0
        )
        assert await state.take_sweep(tx) is None
        await state.swept(tx, date(2026, 11, 23), raised=3, took_ms=41)
        await state.jumped(tx, date(2026, 11, 1), date(2026, 11, 23))
        await state.mark_demo(tx)
        await state.move_demo(tx, 1561)
    async with begin(database, operator, StillClock(NOON), writing=False) as tx:
        found = await state.get(tx)
    assert found == state.ServiceState(
        date(2026, 11, 23),
        tx.now,
        3,
        41,
        date(2026, 11, 1),
        date(2026, 11, 23),
        tx.now,
        demo=True,
        demo_offset_days=1561,
    )
    async with begin(database, operator, StillClock(NOON)) as tx:
        assert await state.take_sweep(tx) == date(2026, 11, 23)
        await state.forget_jump(tx)
        assert (await state.get(tx)).jumped_at is None


# ---- Imports ----


async def test_an_import_is_kept_for_the_one_who_started_it(database: Database, clock: Clock) -> None:
    mine = nurse("lund")
    other = replace(mine, id="another of the same name")
    second, first = (
        imports.Item(2, "rejected", "date_in_future", "infused_on", "It lies ahead."),
        imports.Item(1, "accepted", infusion_id=new_id()),
    )
    async with begin(database, mine, clock) as tx:
        job = await imports.start(tx, dry_run=True, total=2)
        started = await imports.get(tx, job)
    async with begin(database, other, clock) as tx:
        await imports.note(tx, job, [first], "finished")
        assert await imports.get(tx, job) is None
    async with begin(database, mine, clock) as tx:
        await imports.note(tx, job, [second])
        under_way = await imports.get(tx, job)
        await imports.note(tx, job, [first], "finished")
        done = await imports.get(tx, job)
        assert await imports.get(tx, new_id()) is None
    assert started is not None
    assert (started.state, started.total, started.items, started.dry_run) == ("running", 2, [], True)
    assert under_way == replace(started, items=[second], seen_at=tx.now)
    assert done == replace(started, items=[first, second], seen_at=tx.now, state="finished")
