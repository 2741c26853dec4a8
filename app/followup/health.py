"""Whether the service can serve, and whether the worker has kept up: a list is right even when the worker is down, so a late sweep only degrades."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from app.db import feed, state
from app.db import patients as db_patients
from app.db.transaction import Transaction
from app.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Health:
    """The worker's last sweep: the local day it was for, the instant (UTC), how many alerts it raised; `late` when it is older than two intervals."""

    last_swept_on: date | None
    last_sweep_at: datetime | None
    raised: int
    late: bool
    age_seconds: float | None


async def health(tx: Transaction, sweep_minutes: int) -> Health:
    """How the worker stands at the caller's instant; `sweep_minutes` is the interval between two sweeps."""
    now = await state.get(tx)
    age = None if now.last_sweep_at is None else tx.now - now.last_sweep_at
    late = age is None or age > timedelta(minutes=2 * sweep_minutes)
    return Health(now.last_swept_on, now.last_sweep_at, now.last_sweep_raised, late, None if age is None else age.total_seconds())


async def ready(tx: Transaction, sweep_minutes: int) -> Health:
    """The same, once the service can answer questions: asked as lists and polls are. Raises Unavailable when the database is away, not of this
    version, or sealed with other keys."""
    await feed.head(tx)  # first, as every list and poll does: it takes a connection for a moment, and the rest then another
    if await state.schema(tx) != state.NEWEST_SCHEMA:
        raise Unavailable("The database is not migrated to this version: follow-up migrate.")
    await db_patients.first_opens(tx)
    return await health(tx, sweep_minutes)


async def writable(tx: Transaction) -> None:
    """Tries to write, and changes nothing. Raises Unavailable on a read-only database."""
    await state.try_to_write(tx)
