"""How the worker stands: its last sweep, and whether the day of its sweeps goes on as days do (contract 3, rule 13)."""

from datetime import UTC, date, datetime, timedelta

import pytest

from app.actor import Actor, Role
from app.clock import Clock
from app.db import state
from app.db.columns import Keys
from app.db.engine import Database
from app.db.transaction import begin
from app.followup import batches, health
from app.followup.health import Jump, does_not_follow

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY, QUARTER = date(2026, 11, 23), timedelta(minutes=15)
YEARS = timedelta(days=1650)
OPERATOR = Actor("operator:test", Role.OPERATOR, None, id="operator:test")


@pytest.mark.parametrize(
    ("moved", "passed", "jumps"),
    [
        (timedelta(), QUARTER, False),
        (timedelta(days=1), QUARTER, False),  # over midnight
        (timedelta(days=2), timedelta(days=2), False),
        (YEARS, QUARTER, True),  # sweep --today mistyped
        (-YEARS, QUARTER, True),  # and the next sweep
        (timedelta(days=3), timedelta(), True),
        (YEARS, YEARS, True),  # a machine that booted in another year: day and instant jump together
        (-YEARS, -YEARS, True),  # and was set right
        (timedelta(), timedelta(hours=-1), False),  # set back an hour
    ],
)
def test_a_day_that_does_not_follow_from_the_last_one_is_a_jump(
    moved: timedelta, passed: timedelta, jumps: bool
) -> None:
    assert does_not_follow(DAY, NOON, DAY + moved, NOON + passed) is jumps


class SetClock(Clock):
    """A machine's clock that somebody has set."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at.date())
        self.at = at

    def now(self) -> datetime:
        return self.at


async def _jump(database: Database, at: datetime) -> Jump | None:
    return await batches.jump(database, SetClock(at))


async def test_a_jump_is_told_until_a_person_has_looked_or_three_days_have_passed(database_url: str) -> None:
    database = Database(database_url, Keys.fresh())
    await batches.sweep(database, SetClock(NOON))
    assert await _jump(database, NOON + QUARTER) is None
    await batches.sweep(database, SetClock(NOON + YEARS))
    told = Jump(DAY, DAY + YEARS)
    assert await _jump(database, NOON + YEARS) == told
    assert await _jump(database, NOON) == Jump(DAY + YEARS, DAY), "another machine, whose clock is right"
    await batches.sweep(database, SetClock(NOON + 2 * QUARTER))  # the clock is set right
    back = Jump(DAY + YEARS, DAY)
    assert await _jump(database, NOON + timedelta(days=1)) == back
    await batches.sweep(database, SetClock(NOON + timedelta(days=2)))
    assert await _jump(database, NOON + timedelta(days=2)) == back
    await batches.sweep(database, SetClock(NOON + timedelta(days=4)))
    assert await _jump(database, NOON + timedelta(days=4)) is None
    await batches.sweep(database, SetClock(NOON + YEARS))
    await batches.recall(database, SetClock(NOON + YEARS), OPERATOR)
    assert await _jump(database, NOON + YEARS) is None
    await database.close()


async def test_a_demos_day_is_moved_by_hand_and_tells_no_jump(sqlite_url: str) -> None:
    database = Database(sqlite_url, Keys.fresh())
    await batches.sweep(database, SetClock(NOON))
    async with begin(database, OPERATOR, SetClock(NOON)) as tx:
        await state.mark_demo(tx)
    await batches.sweep(database, Clock(fixed=DAY + YEARS))
    assert await _jump(database, NOON) is None
    await database.close()


async def test_the_last_sweep_tells_its_day_and_how_many_it_raised_whatever_was_swept_before(sqlite_url: str) -> None:
    database = Database(sqlite_url, Keys.fresh())
    for at in (NOON + YEARS, NOON):
        await batches.sweep(database, SetClock(at))
        async with begin(database, OPERATOR, SetClock(at), writing=False) as tx:
            found = await health.health(tx, 15)
        assert (found.last_swept_on, found.last_sweep_at, found.raised, found.late) == (at.date(), at, 0, False)
    await database.close()
