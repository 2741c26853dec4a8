"""Rounds: work that goes over everybody, in batches until nothing is left. Each batch is a transaction of its own: a round may be killed anywhere
and run again, and no writer waits for more than a batch."""

from collections.abc import Awaitable, Callable

from app.actor import Actor, Role
from app.clock import Clock
from app.db import transaction
from app.db.engine import Database
from app.db.transaction import Transaction
from app.errors import once_more
from app.followup import infusions, overdue

WORKER = Actor("worker", Role.WORKER, None, unit="worker", id="worker")


def _nothing() -> None:
    """Nobody wants to hear of each batch."""


async def sweep(db: Database, clock: Clock, actor: Actor = WORKER, *, after_batch: Callable[[], None] = _nothing) -> int:
    """Raises the alerts of all visits whose window has ended before the clock's local day; answers how many were flagged."""
    return await _until_done(overdue.sweep, db, clock, actor, after_batch)


async def extend(db: Database, clock: Clock, actor: Actor = WORKER, *, after_batch: Callable[[], None] = _nothing) -> int:
    """Plans the next visits of plans without end, five calendar years ahead of the clock's local day; answers how many plans grew."""
    return await _until_done(infusions.extend, db, clock, actor, after_batch)


async def _until_done(
    batch: Callable[[Transaction], Awaitable[int]], db: Database, clock: Clock, actor: Actor, after_batch: Callable[[], None]
) -> int:
    async def one_batch() -> int:
        async with transaction.begin(db, actor, clock) as tx:
            return await batch(tx)

    total = 0
    while True:
        done = await once_more(one_batch)
        after_batch()
        if done == 0:
            return total
        total += done
