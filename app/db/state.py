"""What the service knows of itself: the last sweep, the demo's mark and day, the schema it stands on."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import column, select, table, update

from app.db.service_tables import service_state
from app.db.transaction import Transaction

NEWEST_SCHEMA: Final = "0013"  # the head of migrations/versions; a test compares


@dataclass(frozen=True, slots=True)
class ServiceState:
    """The last sweep (its local day; when it ended, in UTC; how many alerts; how long), the last jump of its day (from,
    to, and when in UTC), and whether and how far this is a demo."""

    last_swept_on: date | None
    last_sweep_at: datetime | None
    last_sweep_raised: int
    last_sweep_ms: int
    jumped_from: date | None
    jumped_to: date | None
    jumped_at: datetime | None
    demo: bool
    demo_offset_days: int


_STATE = [service_state.c[name] for name in ServiceState.__slots__]


async def get(tx: Transaction) -> ServiceState:
    """The state; a database without it has not been migrated."""
    row = await tx.first(select(*_STATE))
    if row is None:
        raise RuntimeError("the database has no service state; migrate it")
    return ServiceState(*row)


async def take_sweep(tx: Transaction) -> date | None:
    """The last swept local day; until the transaction ends nobody else sweeps."""
    day: date | None = await tx.scalar(select(service_state.c.last_swept_on).with_for_update())
    return day


async def swept(tx: Transaction, day: date, *, raised: int, took_ms: int) -> None:
    """Notes a sweep of a local day that has come to its end, whatever day was swept before."""
    await _set(tx, last_swept_on=day, last_sweep_at=tx.now, last_sweep_raised=raised, last_sweep_ms=took_ms)


async def jumped(tx: Transaction, before: date, day: date) -> None:
    """Notes that the day of the sweeps has jumped."""
    await _set(tx, jumped_from=before, jumped_to=day, jumped_at=tx.now)


async def forget_jump(tx: Transaction) -> None:
    """A person has looked after it."""
    await _set(tx, jumped_from=None, jumped_to=None, jumped_at=None)


async def mark_demo(tx: Transaction) -> None:
    """Marks the database as a demo's."""
    await _set(tx, demo=True)


async def move_demo(tx: Transaction, offset_days: int) -> None:
    """Sets how many days the demo's day is ahead of the real one."""
    await _set(tx, demo_offset_days=offset_days)


async def schema(tx: Transaction) -> str | None:
    """The revision that the database stands on, to compare with NEWEST_SCHEMA."""
    revision: str | None = await tx.scalar(select(column("version_num")).select_from(table("alembic_version")))
    return revision


async def try_to_write(tx: Transaction) -> None:
    """A change of no row: where nothing can be stored (a disk that was mounted read-only, a standby) even that is an
    error. No row is locked."""
    await tx.run(update(service_state).where(service_state.c.id == 0).values(id=0))


async def _set(tx: Transaction, **values: Any) -> None:
    await tx.run(update(service_state).values(**values))
