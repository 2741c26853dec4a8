"""The sweep: raises the alerts of visits whose window has ended, in sets. When to sweep is the worker's matter."""

from app.actor import Act
from app.db import alerts as db_alerts
from app.db import state
from app.db.transaction import Transaction


async def sweep(tx: Transaction) -> int:
    """Raises at most 1,000 alerts of visits whose window ended before the caller's local day; answers how many visits it worked off. The caller
    comes again until that is 0. For a day before the last swept one it does nothing (rule 13): a clock that went back raises and loses nothing."""
    tx.actor.must(Act.SWEEP)
    swept = await state.take_sweep(tx)
    if swept is not None and swept > tx.today:
        return 0
    worked = await db_alerts.raise_overdue(tx, tx.today)
    if worked == 0:
        await state.swept(tx, tx.today)
    return worked
