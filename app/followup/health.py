"""Whether the service can serve, and whether the worker has kept up: a list is right even when the worker is down, so a
late sweep only degrades."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from app.db import feed, state
from app.db import patients as db_patients
from app.db.state import ServiceState
from app.db.transaction import Transaction
from app.errors import Unavailable

# How far the day may move beside the time that passed, and how far two sweeps may lie apart.
FOLLOWS: Final = timedelta(days=2)
TOLD_FOR: Final = timedelta(days=3)  # over a weekend, or until somebody has looked


@dataclass(frozen=True, slots=True)
class Jump:
    """The day of the sweeps did not go on as days do: from which local day to which."""

    before: date
    after: date


@dataclass(frozen=True, slots=True)
class Health:
    """The worker's last sweep: the local day it was for, the instant (UTC), how many alerts it raised; `late` when it
    is older than two intervals; `jump` when its day has jumped lately."""

    last_swept_on: date | None
    last_sweep_at: datetime | None
    raised: int
    late: bool
    age_seconds: float | None
    jump: Jump | None

    @property
    def reasons(self) -> list[str]:
        """Why the service is only degraded, as codes; none when all is well."""
        return [*(["sweep_late"] if self.late else []), *(["day_jumped"] if self.jump else [])]


def does_not_follow(last_on: date, last_at: datetime, today: date, now: datetime) -> bool:
    """Whether a sweep's local day does not follow from the one before (rule 13): the day has moved by more than two
    days beside the time that passed, time itself went back, or nobody swept for more than two days. The last may be a
    clock that was set, on a machine whose instants and days jump together: nothing in the database tells it from a
    worker that was off."""
    passed = now - last_at
    return abs(timedelta(days=(today - last_on).days) - passed) > FOLLOWS or abs(passed) > FOLLOWS


async def health(tx: Transaction, sweep_minutes: int) -> Health:
    """How the worker stands at the caller's instant; `sweep_minutes` is the interval between two sweeps."""
    now = await state.get(tx)
    age = None if now.last_sweep_at is None else tx.now - now.last_sweep_at
    late = age is None or age > timedelta(minutes=2 * sweep_minutes)
    seconds = None if age is None else age.total_seconds()
    return Health(
        now.last_swept_on, now.last_sweep_at, now.last_sweep_raised, late, seconds, _jump(now, tx.today, tx.now)
    )


async def jump(tx: Transaction) -> Jump | None:
    """The last jump of the sweeps' day, while it is reported; a demo's day is moved by hand and reports none."""
    return _jump(await state.get(tx), tx.today, tx.now)


def _jump(stored: ServiceState, today: date, now: datetime) -> Jump | None:
    if stored.demo or stored.last_swept_on is None or stored.last_sweep_at is None:
        return None
    if stored.jumped_at and stored.jumped_from and stored.jumped_to and abs(now - stored.jumped_at) < TOLD_FOR:
        return Jump(stored.jumped_from, stored.jumped_to)
    # The last sweep seen from here: the worker's clock may be wrong, and this one right. One that is merely old is
    # reported as late.
    is_old = now - stored.last_sweep_at > FOLLOWS
    parted = not is_old and does_not_follow(stored.last_swept_on, stored.last_sweep_at, today, now)
    return Jump(stored.last_swept_on, today) if parted else None


async def ready(tx: Transaction, sweep_minutes: int) -> Health:
    """The same, once the service can answer questions: asked as lists and polls are. Raises Unavailable when the
    database is away, not of this version, or sealed with other keys."""
    # First, as every list and poll does: it takes a connection for a moment, and the rest then another.
    await feed.head(tx)
    if await state.schema(tx) != state.NEWEST_SCHEMA:
        raise Unavailable("The database is not migrated to this version: follow-up migrate.")
    await db_patients.first_opens(tx)
    return await health(tx, sweep_minutes)


async def writable(tx: Transaction) -> None:
    """Tries to write, and changes nothing. Raises Unavailable on a read-only database."""
    await state.try_to_write(tx)
