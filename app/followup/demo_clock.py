"""The demo's day: ahead of the real one by an offset that the database keeps, so that days go on. It is moved forward
only, and then swept."""

from datetime import date, timedelta
from typing import Any

from app.actor import Act, Actor
from app.clock import Clock
from app.db import state, transaction
from app.db.engine import Database
from app.errors import Conflict
from app.followup import batches
from app.followup.commands import Command, LocalDate


class DayBefore(Conflict):
    """The demo's day can only be moved forward."""

    code = "day_before_today"


class NewDay(Command):
    """The local day that shall be today."""

    today: LocalDate


async def move(db: Database, clock: Clock, actor: Actor, wanted: date) -> dict[str, Any]:
    """Moves the demo's local day to `wanted`, lets plans without end grow and sweeps; answers the day and how many
    alerts were raised. Raises DayBefore, Forbidden."""
    async with transaction.begin(db, actor, clock) as tx:
        actor.must(Act.MOVE_DEMO_CLOCK)
        await state.take_sweep(tx)  # two moves at once follow each other, so the day is asked for only now
        stored = timedelta(days=(await state.get(tx)).demo_offset_days)
        # A move that has just been committed may not have reached this process's clock yet.
        today = clock.fixed or max(clock.today(), clock.real_day() + stored)
        if wanted < today:
            raise DayBefore(f"Today is {today} already.", field="today", current=today.isoformat())
        await state.move_demo(tx, (wanted - clock.real_day()).days)
    _set(clock, wanted)
    await batches.extend(db, clock)
    return {"today": wanted, "raised": await batches.sweep(db, clock)}


def _set(clock: Clock, wanted: date) -> None:
    """Days go forward only: of two moves at once the later day stays, whichever comes here last."""
    if clock.fixed is not None:
        clock.fixed = max(clock.fixed, wanted)
    else:
        clock.offset = max(clock.offset, wanted - clock.real_day())
