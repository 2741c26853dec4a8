"""The sweep: raises the alerts of visits whose window has ended, in sets. When to sweep is the worker's matter."""

from app.actor import Act
from app.db import alerts as db_alerts
from app.db import state
from app.db.transaction import Transaction
from app.followup import health


async def sweep(tx: Transaction, *, raised: int, took_ms: int) -> int:
    """Raises at most 1,000 alerts of visits whose window ended before the caller's local day, whatever day was swept
    before (rule 13); answers how many visits it worked off. The caller comes again until that is 0, and tells how many
    its round has raised and how long it has taken."""
    tx.actor.must(Act.SWEEP)
    await state.take_sweep(tx)
    worked = await db_alerts.raise_overdue(tx, tx.today)
    if worked == 0:
        last = await state.get(tx)
        if (
            last.last_swept_on
            and last.last_sweep_at
            and health.does_not_follow(last.last_swept_on, last.last_sweep_at, tx.today, tx.now)
        ):
            await state.jumped(tx, last.last_swept_on, tx.today)
        await state.swept(tx, tx.today, raised=raised, took_ms=took_ms)
    return worked


async def recall(tx: Transaction) -> int:
    """Takes back at most 1,000 alerts that were raised ahead of their day (the window has not ended on the caller's
    local day): resolved as raised in error, and their visits wait for their day again. Answers how many. A person asks
    for it: no clock that went back does (rule 13)."""
    tx.actor.must(Act.RECALL_ALERTS)
    await state.take_sweep(tx)
    ahead = await db_alerts.take_ahead(tx, tx.today)
    await db_alerts.resolve(tx, [(alert, "raised-in-error") for alert in ahead])
    await db_alerts.wait_again(tx, [alert.visit_id for alert in ahead])
    for alert in ahead:
        tx.changed(
            "alert",
            alert.id,
            "recalled",
            {"state": alert.state},
            {"resolved_by": "raised-in-error"},
            patient=alert.patient_id,
        )
    if not ahead:
        await state.forget_jump(tx)
    return len(ahead)
