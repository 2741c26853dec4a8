"""The demo's history: each act has its own instant, on the act's own day."""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.clock import ZONE, Clock, midnight_after
from app.db import new_file, tables, transaction
from app.db.columns import Keys
from app.db.engine import Database
from app.demo import DEMO
from app.demo.history import ActClocks, History
from app.followup import figures

BEHIND = date(2018, 3, 1)


async def rows(db: Database, *columns: Any) -> list[Any]:
    async with transaction.begin(db, DEMO, Clock(), writing=False) as tx:
        return list(await tx.all(select(*columns).order_by(columns[0])))


def day_of(at: datetime) -> date:
    return at.astimezone(ZONE).date()


async def filled(url: str, today: date) -> Database:
    db = Database(url, Keys.fresh())
    new_file.hasten(db)
    await History(db, today, lambda part: None).write()
    return db


async def test_each_act_has_an_instant_on_its_own_day_and_nobody_acts_on_the_demos(sqlite_url: str) -> None:
    db = await filled(sqlite_url, BEHIND)
    try:
        infusions, visits, contacts, history = tables.infusions.c, tables.visits.c, tables.contacts.c, tables.history.c
        entered = await rows(db, infusions.id, infusions.registered_on, infusions.registered_at)
        assert entered
        assert all(day_of(at) == on for _, on, at in entered)
        done = [
            row
            for row in await rows(db, visits.id, visits.completed_on, visits.decided_at)
            if row.completed_on is not None
        ]
        assert done
        assert all(day_of(at) == on for _, on, at in done)
        assert all(
            day_of(at) == on for _, on, at in await rows(db, contacts.id, contacts.contacted_on, contacts.recorded_at)
        )
        # Ids sort by creation: the acts were made in the order of their instants.
        acts = [at for _, at in await rows(db, history.id, history.at)]
        assert acts == sorted(acts)
        assert acts[-1] < midnight_after(BEHIND - timedelta(days=1))
        told = [at for _, at in await rows(db, tables.events.c.seq, tables.events.c.at)]
        assert told == sorted(told)
        assert all(at < midnight_after(BEHIND) for at in told)

        # What people have marked as missed counts as missed on the demo's own day: the summary and the list agree.
        outcomes = [
            row.outcome
            for row in await rows(db, tables.visits.c.id, tables.visits.c.outcome, tables.visits.c.decided_by)
            if row.decided_by
        ]

        async with transaction.begin(db, DEMO, Clock(fixed=BEHIND), writing=False) as tx:
            counted = (await figures.network(tx, None))["visits"]
        assert outcomes.count("missed") > 0
        assert counted["missed"] >= outcomes.count("missed")
    finally:
        await db.close()


def test_a_demo_ahead_of_the_real_day_has_no_instant_that_is_still_to_come() -> None:
    clocks = ActClocks(date(2031, 1, 1), real=date(2026, 12, 1))
    days = (date(2014, 3, 3), date(2014, 3, 3), date(2026, 12, 5), date(2030, 12, 31))
    instants = [clocks.next(day).now() for day in days]
    assert instants == sorted(set(instants))
    assert day_of(instants[-1]) == date(2026, 11, 30)
