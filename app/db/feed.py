"""The alert feed: events in the order of their commits, and the head row that numbers them and stamps every answer."""

from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Executable, Integer, bindparam, select, true, update

from app.db import tables
from app.db.scope import seen_by
from app.db.transaction import AlertEvent, Head, Transaction

__all__ = ["AlertEvent", "FeedEvent", "Head", "bump_epoch", "head", "page", "set_back"]

events = tables.events.c
feed_head = tables.feed_head.c


class FeedEvent(NamedTuple):
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


_EVENT = tuple(events[name] for name in FeedEvent._fields)


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
    tx: Transaction, after_seq: int, limit: int, types: frozenset[str] | None = None, centre: str | None = None
) -> tuple[Head, list[FeedEvent]]:
    """The head and at most `limit` events after a number, of the caller's centres, both from one snapshot (one
    statement)."""
    rows = await tx.all(_page(tx.actor.centres, types, centre), {"after_seq": after_seq, "most": limit})
    return Head(*rows[0][:3]), [FeedEvent(*row[3:]) for row in rows if row[3] is not None]


# Systems ask the same every minute: the statement is made once for the caller's centres and what is asked for.
@lru_cache(maxsize=256)
def _page(own: frozenset[str] | None, types: frozenset[str] | None, centre: str | None) -> Executable:
    wanted = select(*_EVENT).where(seen_by(own, tables.events), events.seq > bindparam("after_seq"))
    if types is not None:
        wanted = wanted.where(events.type.in_(sorted(types)))
    if centre is not None:
        wanted = wanted.where(events.centre == centre)
    found = wanted.order_by(events.seq).limit(bindparam("most", type_=Integer())).subquery()
    both = select(feed_head.epoch, feed_head.last_seq, feed_head.last_at, found)
    return both.select_from(tables.feed_head.outerjoin(found, true())).order_by(found.c.seq)


async def set_back(tx: Transaction) -> None:
    """Lets a feed without events begin at the transaction's own instant, so that events of the past can carry
    theirs."""
    await tx.run(update(tables.feed_head).where(feed_head.last_seq == 0).values(last_at=tx.now))
