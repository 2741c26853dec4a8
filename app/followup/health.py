"""Whether the service can serve, and whether the worker has kept up: a list is right even when the worker is down, so a late sweep only degrades."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from app.db import state
from app.db.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Health:
    """The worker's last sweep: the local day it swept for, the instant (UTC), how many alerts it raised, how long it took; `late` when it is older
    than two intervals."""

    last_swept_on: date | None
    last_sweep_at: datetime | None
    raised: int
    late: bool


async def health(tx: Transaction, sweep_minutes: int) -> Health:
    """How the worker stands at the caller's instant; `sweep_minutes` is the interval between two sweeps."""
    now = await state.get(tx)
    late = now.last_sweep_at is None or tx.now - now.last_sweep_at > timedelta(minutes=2 * sweep_minutes)
    return Health(now.last_swept_on, now.last_sweep_at, now.last_sweep_raised, late)
