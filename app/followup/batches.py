"""Work that goes over everybody, in batches until nothing is left. Each batch is a transaction of its own: a
round may be killed anywhere and run again, and no writer waits for more than a batch."""

import time
from collections.abc import Awaitable, Callable

from app.actor import Actor, Role
from app.clock import Clock
from app.db import transaction
from app.db.engine import Database
from app.db.transaction import Transaction
from app.errors import once_more
from app.followup import health, infusions, overdue
from app.followup.health import Jump

WORKER = Actor("worker", Role.WORKER, None, unit="worker", id="worker")


def _nothing() -> None:
    """Nobody wants to hear of each batch."""


async def sweep(
    db: Database, clock: Clock, actor: Actor = WORKER, *, after_batch: Callable[[], None] = _nothing
) -> int:
    """Raises the alerts of all visits whose window has ended before the clock's local day; answers how many were
    flagged."""
    began = time.monotonic()

    async def batch(tx: Transaction, raised: int) -> int:
        return await overdue.sweep(tx, raised=raised, took_ms=round((time.monotonic() - began) * 1000))

    return await _until_done(batch, db, clock, actor, after_batch)


async def recall(db: Database, clock: Clock, actor: Actor) -> int:
    """Takes back every alert that was raised ahead of its day, seen from the clock's local day; answers how many."""
    return await _until_done(lambda tx, _: overdue.recall(tx), db, clock, actor, _nothing)


async def extend(
    db: Database, clock: Clock, actor: Actor = WORKER, *, after_batch: Callable[[], None] = _nothing
) -> int:
    """Plans the next visits of plans without end, five calendar years ahead of the clock's local day; answers how many
    plans grew."""
    return await _until_done(lambda tx, _: infusions.extend(tx), db, clock, actor, after_batch)


async def jump(db: Database, clock: Clock) -> Jump | None:
    """Whether the day of the sweeps has jumped lately, for those who tell it in the log or to a person."""
    async with transaction.begin(db, WORKER, clock, writing=False) as tx:
        return await health.jump(tx)


async def _until_done(
    batch: Callable[[Transaction, int], Awaitable[int]],
    db: Database,
    clock: Clock,
    actor: Actor,
    after_batch: Callable[[], None],
) -> int:
    total = 0

    async def one_batch() -> int:
        async with transaction.begin(db, actor, clock) as tx:
            return await batch(tx, total)

    while True:
        done = await once_more(one_batch)
        after_batch()
        if done == 0:
            return total
        total += done
