import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, exc, func, insert, select, update

from app.actor import Actor
from app.clock import Clock
from app.db import alerts, feed, tables
from app.db.alerts import AlertRow, NewAlert
from app.db.engine import Database
from app.db.feed import FeedEvent
from app.db.transaction import Transaction, begin
from app.errors import Unavailable
from tests.db.conftest import KEYS
from tests.db.rows import DAY, a_chart, a_visit, nurse

YESTERDAY = DAY - timedelta(days=1)


async def swept(database: Database, actor: Actor, day: date = DAY) -> list[int]:
    """The sizes of the batches, until one is empty."""
    sizes = []
    while not sizes or sizes[-1]:
        async with begin(database, actor, Clock()) as tx:
            sizes.append(await alerts.raise_overdue(tx, day))
    return sizes


async def standing(database: Database, actor: Actor, *patients: UUID) -> list[AlertRow]:
    async with begin(database, actor, Clock(), writing=False) as tx:
        return [row for patient in patients for row in await alerts.unresolved_of(tx, patient)]


async def told(database: Database, actor: Actor) -> list[FeedEvent]:
    async with begin(database, actor, Clock(), writing=False) as tx:
        return (await feed.page(tx, 0, 10_000))[1]


def new_alert(chart: Any, code: str, **other: Any) -> NewAlert:
    return replace(NewAlert(chart.visits[code], chart.patient, "lund", code, "care", YESTERDAY), **other)


# ---- The sweep ----


async def test_the_sweep_raises_what_ended_before_the_day_and_tells_it_by_window_end(
    database: Database, operator: Actor, clock: Clock
) -> None:
    ends = {"Y03": DAY, "Y02": YESTERDAY, "Y01": DAY - timedelta(days=400), "Y04": DAY + timedelta(days=9)}
    async with begin(database, operator, clock) as tx:
        chart = await a_chart(tx, "lund", ends=ends)
    assert await swept(database, operator) == [2, 0]
    rows = await standing(database, operator, chart.patient)
    assert [(r.code, r.window_end, r.state, r.centre, r.version, r.visit_id) for r in rows] == [
        (code, ends[code], "open", "lund", 1, chart.visits[code]) for code in ("Y01", "Y02")
    ]
    events = await told(database, operator)
    assert [(e.seq, e.type, e.alert_id, e.code, e.window_end, e.state, e.centre) for e in events] == [
        (n, "visit.overdue", r.id, r.code, r.window_end, "open", "lund") for n, r in enumerate(rows, 1)
    ]
    assert len({e.id for e in events} | {r.id for r in rows}) == 4
    assert {str(e.id)[14] for e in events} | {str(r.id)[14] for r in rows} == {"7"}
    async with begin(database, operator, clock, writing=False) as tx:
        left = await tx.all(select(tables.visits.c.code).where(tables.visits.c.alert_after.is_not(None)))
    assert {row.code for row in left} == {"Y03", "Y04"}


async def test_a_sweep_again_raises_nothing_twice_and_moves_nothing(
    database: Database, operator: Actor, clock: Clock
) -> None:
    async with begin(database, operator, clock) as tx:
        chart = await a_chart(tx, ends={"Y01": YESTERDAY})
    await swept(database, operator)
    async with begin(database, operator, clock, writing=False) as tx:
        before = await feed.head(tx)
    assert await swept(database, operator) == [0]
    assert len(await standing(database, operator, chart.patient)) == 1
    async with begin(database, operator, clock, writing=False) as tx:
        assert await feed.head(tx) == before


async def test_a_visit_that_has_an_unresolved_alert_keeps_it(database: Database, operator: Actor, clock: Clock) -> None:
    async with begin(database, operator, clock) as tx:
        chart = await a_chart(tx, ends={"Y01": YESTERDAY, "Y02": YESTERDAY})
        await alerts.add(tx, [new_alert(chart, "Y01")])
    before = await standing(database, operator, chart.patient)
    assert await swept(database, operator) == [2, 0]
    after = await standing(database, operator, chart.patient)
    assert before[0] in after
    assert [row.code for row in after] == ["Y01", "Y02"]
    assert [e.seq for e in await told(database, operator)] == [1, 2]


async def test_alerts_of_a_lost_patient_are_raised_as_acknowledged_by_nobody(
    database: Database, operator: Actor, clock: Clock
) -> None:
    async with begin(database, operator, clock) as tx:
        chart = await a_chart(tx, status="lost", ends={"Y01": YESTERDAY})
    await swept(database, operator)
    (row,) = await standing(database, operator, chart.patient)
    assert (row.state, row.reason, row.acknowledged_by, row.acknowledged_at) == (
        *("acknowledged", "lost-to-follow-up", None, row.raised_at),
    )
    (event_,) = await told(database, operator)
    assert (event_.type, event_.state) == ("visit.overdue", "acknowledged")


async def many_overdue(database: Database, actor: Actor, count: int) -> None:
    async with begin(database, actor, Clock()) as tx:
        chart = await a_chart(tx, "umea")
        beside = {"patient_id": chart.patient, "infusion_id": chart.infusion, "plan_id": chart.plan}
        ends = [(f"V{n}", YESTERDAY - timedelta(days=n % 97)) for n in range(count)]
        rows = [a_visit(tx, code, end, centre="umea", treated_at="umea") | beside for code, end in ends]
        await tx.run(insert(tables.visits), rows)


async def test_a_batch_has_at_most_a_thousand_and_the_oldest_first(database: Database, operator: Actor) -> None:
    await many_overdue(database, operator, 2300)
    assert await swept(database, operator) == [1000, 1000, 300, 0]
    events = await told(database, operator)
    assert [e.seq for e in events] == list(range(1, 2301))
    assert [e.window_end for e in events] == sorted(e.window_end for e in events)
    assert len({e.visit_id for e in events}) == 2300


async def test_workers_at_once_raise_each_alert_once(postgres_url: str, operator: Actor) -> None:
    database = Database(postgres_url, KEYS)
    await many_overdue(database, operator, 3000)
    sizes = await asyncio.gather(*(swept(database, operator) for _ in range(4)))
    await swept(database, operator)
    assert sum(map(sum, sizes)) <= 3000
    events = await told(database, operator)
    assert [e.seq for e in events] == list(range(1, 3001))
    assert len({e.visit_id for e in events}) == 3000
    await database.close()


async def test_a_visit_that_another_is_at_work_on_is_left_to_the_next_sweep(
    postgres_url: str, operator: Actor, clock: Clock
) -> None:
    database = Database(postgres_url, KEYS)
    async with begin(database, operator, clock) as tx:
        held = await a_chart(tx, ends={"Y01": YESTERDAY})
        free = await a_chart(tx, ends={"Y01": YESTERDAY})
    async with begin(database, operator, clock) as tx:
        await tx.all(select(tables.patients.c.id).where(tables.patients.c.id == held.patient).with_for_update())
        assert await swept(database, operator) == [1, 0]
        assert await standing(database, operator, held.patient) == []
        await tx.run(update(tables.patients).where(tables.patients.c.id == held.patient).values(status="lost"))
    assert await swept(database, operator) == [1, 0]
    assert [row.state for row in await standing(database, operator, held.patient, free.patient)] == [
        "acknowledged",
        "open",
    ]
    await database.close()


@pytest.mark.parametrize("nth", range(1, 12))
async def test_a_sweep_that_failed_anywhere_loses_nothing(
    database: Database, operator: Actor, clock: Clock, nth: int
) -> None:
    """The nth statement fails; then the sweep is run again to its end."""
    async with begin(database, operator, clock) as tx:
        chart = await a_chart(tx, ends={f"Y{n:02}": YESTERDAY for n in range(1, 16)})
    left = [nth]

    def fail(*heard: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise exc.OperationalError("", None, Exception("injected"))

    event.listen(database.write.sync_engine, "before_cursor_execute", fail)
    try:
        await swept(database, operator)
    except Unavailable:
        heard = len(await told(database, operator))
        assert heard == len(await standing(database, operator, chart.patient))
        assert heard in (0, 15)
    event.remove(database.write.sync_engine, "before_cursor_execute", fail)
    await swept(database, operator)
    assert [e.seq for e in await told(database, operator)] == list(range(1, 16))
    assert len(await standing(database, operator, chart.patient)) == 15


# ---- Changes one by one ----


async def changed(
    database: Database, actor: Actor, rows: Sequence[AlertRow], how: str, **words: Any
) -> tuple[list[AlertRow], list[FeedEvent]]:
    """What the alerts and the feed's new events are after a change."""
    known = len(await told(database, actor))
    async with begin(database, actor, Clock()) as tx:
        given: Any = [(row, words.pop("why")) for row in rows] if how == "resolve" else rows
        await getattr(alerts, how)(tx, given, **words)
        now = [await alerts.lock(tx, row.id) for row in rows]
    return [row for row in now if row], (await told(database, actor))[known:]


@pytest.fixture
async def two_open(database: Database, operator: Actor) -> list[AlertRow]:
    async with begin(database, operator, Clock()) as tx:
        chart = await a_chart(tx, ends={"Y01": YESTERDAY, "Y02": YESTERDAY})
        return await alerts.add(tx, [new_alert(chart, "Y02"), new_alert(chart, "Y01")])


async def test_an_alert_that_is_raised_is_told_once(database: Database, operator: Actor, clock: Clock) -> None:
    async with begin(database, operator, clock) as tx:
        chart = await a_chart(tx, ends={"Y01": YESTERDAY, "Y02": YESTERDAY})
        first = await alerts.add(tx, [new_alert(chart, "Y02"), new_alert(chart, "Y01")])
        again = await alerts.add(tx, [new_alert(chart, "Y01"), new_alert(chart, "Y02")])
        assert await alerts.add(tx, []) == []
    assert ([row.code for row in first], again) == (["Y02", "Y01"], [])
    assert [(e.seq, e.alert_id) for e in await told(database, operator)] == [(1, first[0].id), (2, first[1].id)]


async def test_a_resolved_alert_makes_room_for_a_new_one(database: Database, operator: Actor, clock: Clock) -> None:
    async with begin(database, operator, clock) as tx:
        chart = await a_chart(tx, ends={"Y01": YESTERDAY})
        (first,) = await alerts.add(tx, [new_alert(chart, "Y01")])
        await alerts.resolve(tx, [(first, "transferred")])
        (second,) = await alerts.add(tx, [new_alert(chart, "Y01", centre="umea")])
    assert await standing(database, operator, chart.patient) == [second]
    assert [(e.type, e.centre, e.state, e.resolved_by) for e in await told(database, operator)] == [
        ("visit.overdue", "lund", "open", None),
        ("alert.resolved", "lund", "resolved", "transferred"),
        ("visit.overdue", "umea", "open", None),
    ]


async def test_resolving_ends_an_alert_once(database: Database, operator: Actor, two_open: list[AlertRow]) -> None:
    rows, events = await changed(database, operator, two_open[:1], "resolve", why="completed")
    assert [(r.state, r.resolved_by, r.version) for r in rows] == [("resolved", "completed", 2)]
    assert rows[0].resolved_at is not None
    assert [(e.type, e.alert_id, e.resolved_by) for e in events] == [("alert.resolved", two_open[0].id, "completed")]
    rows, events = await changed(database, operator, two_open[:1], "resolve", why="missed")
    assert ([r.resolved_by for r in rows], events) == (["completed"], [])


async def test_an_acknowledgement_of_a_person_is_never_replaced(
    database: Database, operator: Actor, two_open: list[AlertRow]
) -> None:
    by_nobody, by_anna = {"by": None, "reason": "lost-to-follow-up"}, {"by": "anna", "reason": "has called"}
    rows, events = await changed(database, operator, two_open[:1], "acknowledge", **by_anna)
    assert [(r.state, r.acknowledged_by, r.reason) for r in rows] == [("acknowledged", "anna", "has called")]
    assert [(e.type, e.state) for e in events] == [("alert.acknowledged", "acknowledged")]
    rows, events = await changed(database, operator, two_open, "acknowledge", **by_nobody)
    assert [(r.acknowledged_by, r.reason) for r in rows] == [("anna", "has called"), (None, "lost-to-follow-up")]
    assert [e.alert_id for e in events] == [two_open[1].id]
    rows, events = await changed(database, operator, two_open, "reopen")
    assert [(r.state, r.acknowledged_by, r.acknowledged_at, r.reason) for r in rows][1] == ("open", None, None, None)
    assert [r.state for r in rows] == ["acknowledged", "open"]
    assert [(e.type, e.alert_id, e.state) for e in events] == [("alert.reopened", two_open[1].id, "open")]


async def test_a_person_may_take_up_what_was_acknowledged_because_of_a_loss(
    database: Database, operator: Actor, two_open: list[AlertRow]
) -> None:
    await changed(database, operator, two_open, "acknowledge", by=None, reason="lost-to-follow-up")
    rows, events = await changed(database, operator, two_open[:1], "acknowledge", by="anna", reason="found")
    assert [(r.acknowledged_by, r.reason, r.version) for r in rows] == [("anna", "found", 3)]
    assert len(events) == 1


# ---- Questions ----


async def test_the_snapshot_is_paged_by_id_and_cut_by_centre_and_state(
    database: Database, operator: Actor, clock: Clock
) -> None:
    async with begin(database, operator, clock) as tx:
        charts = [await a_chart(tx, centre, ends={"Y01": YESTERDAY}) for centre in ("lund", "lund", "umea", "lund")]
        centres = ("lund", "lund", "umea", "lund")
        raised = await alerts.add(
            tx, [new_alert(chart, "Y01", centre=c) for chart, c in zip(charts, centres, strict=True)]
        )
        await alerts.acknowledge(tx, raised[1:2], by="anna", reason="called")
        await alerts.resolve(tx, [(raised[3], "completed")])

    async def listed(
        actor: Actor, *states: str, centre: str | None = None, after: UUID | None = None, limit: int = 10
    ) -> list[int]:
        async with begin(database, actor, clock, writing=False) as tx:
            rows = await alerts.page(tx, states, centre, after, limit)
            if limit == 10 and after is None:
                assert await alerts.count(tx, states, centre) == len(rows)
        return [[r.id for r in raised].index(row.id) for row in rows]

    assert await listed(operator, "open", "acknowledged") == [0, 1, 2]
    assert await listed(operator, "open", "acknowledged", "resolved") == [0, 1, 2, 3]
    assert await listed(nurse("lund"), "open") == [0]
    assert await listed(nurse("lund"), "acknowledged", "resolved") == [1, 3]
    assert await listed(nurse("lund", "umea"), "open", centre="umea") == [2]
    assert await listed(nurse("umea"), "open", centre="lund") == []
    assert await listed(operator, "open", "acknowledged", limit=2) == [0, 1]
    assert await listed(operator, "open", "acknowledged", after=raised[1].id) == [2]


async def test_an_alert_of_another_centre_is_not_found(
    database: Database, operator: Actor, two_open: list[AlertRow]
) -> None:
    async def found(tx: Transaction) -> AlertRow | None:
        return await alerts.lock(tx, two_open[0].id)

    for actor, expected in (
        (operator, two_open[0]),
        (nurse("lund"), two_open[0]),
        (nurse("umea"), None),
        (nurse(), None),
    ):
        for writing in (True, False):
            async with begin(database, actor, Clock(), writing=writing) as tx:
                assert await found(tx) == expected


async def test_the_database_itself_refuses_a_second_unresolved_alert(
    database: Database, operator: Actor, two_open: list[AlertRow]
) -> None:
    async with begin(database, operator, Clock(), writing=False) as tx:
        (row,) = await tx.all(select(tables.alerts).where(tables.alerts.c.id == two_open[0].id))
        assert await tx.scalar(select(func.count()).select_from(tables.alerts)) == 2
    with pytest.raises(exc.IntegrityError):
        async with begin(database, operator, Clock()) as tx:
            await tx.run(insert(tables.alerts), {**row._mapping, "id": row.visit_id})
