"""The alert feed: events in the order of their commits, and the head row that numbers them and stamps every answer."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select, true, update

from app.db import tables
from app.db.scope import cut
from app.db.transaction import AlertEvent, Head, Transaction

__all__ = ["AlertEvent", "FeedEvent", "Head", "bump_epoch", "head", "page", "set_back"]

events = tables.events.c
feed_head = tables.feed_head.c


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """One event as it will stand for ever; `at` in UTC, whole ms, rising with `seq`."""

    seq: int
    id: UUID
    type: str
    at: datetime
    alert_id: UUID
    visit_id: UUID
    patient_id: UUID
    centre: str
    code: str
    window_end: date
    state: str
    resolved_by: str | None


async def head(tx: Transaction) -> Head:
    """The head row as it stands. Reads that ask at the same time share one look, begun after each of them asked."""
    if not tx.writing:
        return Head(*await tx.db.look_at_head(None))
    row = await tx.first(select(feed_head.epoch, feed_head.last_seq, feed_head.last_at))
    if row is None:
        raise RuntimeError("the database has no head row; migrate it")
    return Head(*row)


async def bump_epoch(tx: Transaction) -> Head:
    """Begins a new epoch, after a restore that lost events: every cursor given out before is refused and sends its
    client to the snapshot."""
    raised = update(tables.feed_head).values(epoch=feed_head.epoch + 1)
    rows = await tx.all(raised.returning(feed_head.epoch, feed_head.last_seq, feed_head.last_at))
    return Head(*rows[0])


async def page(
    tx: Transaction, after_seq: int, limit: int, types: Collection[str] | None = None, centre: str | None = None
) -> tuple[Head, list[FeedEvent]]:
    """The head and at most `limit` events after a number, of the caller's centres, both from one snapshot (one
    statement)."""
    wanted = cut(select(tables.events), tx, tables.events).where(events.seq > after_seq)
    if types is not None:
        wanted = wanted.where(events.type.in_(sorted(types)))
    if centre is not None:
        wanted = wanted.where(events.centre == centre)
    found = wanted.order_by(events.seq).limit(limit).subquery()
    both = select(feed_head.epoch, feed_head.last_seq, feed_head.last_at, found)
    rows = await tx.all(both.select_from(tables.feed_head.outerjoin(found, true())).order_by(found.c.seq))
    return Head(*rows[0][:3]), [FeedEvent(*row[3:]) for row in rows if row.seq is not None]


async def set_back(tx: Transaction) -> None:
    """Lets a feed without events begin at the transaction's own instant, so that events of the past can carry
    theirs."""
    await tx.run(update(tables.feed_head).where(feed_head.last_seq == 0).values(last_at=tx.now))
