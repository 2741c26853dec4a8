import asyncio
import random
from collections.abc import Sequence

import pytest
from sqlalchemy import func, select

from app.actor import Actor
from app.clock import Clock
from app.db import feed, tables
from app.db.engine import Database
from app.db.feed import FeedEvent
from app.db.transaction import begin
from tests.db.rows import an_event, numbers, nurse

WRITERS, POLLERS = 8, 4


async def write(database: Database, actor: Actor, events: int, seed: int) -> None:
    """Transactions of one to five events; every fourth is taken back."""
    dice = random.Random(seed)
    while events:
        some, back = min(events, dice.randint(1, 5)), dice.random() < 0.25
        try:
            async with begin(database, actor, Clock()) as tx:
                for _ in range(some):
                    tx.emit(an_event(centre=dice.choice(["lund", "umea"])))
                await tx.all(select(func.count()).select_from(tables.centres))
                if dice.random() < 0.5:
                    await asyncio.sleep(0)  # another goes first
                if back:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            continue
        events -= some


async def poll(database: Database, actor: Actor, written: asyncio.Event) -> list[FeedEvent]:
    """As a client does: from its last number on, page by page, until all is written and a page is empty."""
    got: list[FeedEvent] = []
    while True:
        over = written.is_set()
        async with begin(database, actor, Clock(), writing=False) as tx:
            head, page = await feed.page(tx, got[-1].seq if got else 0, 37)
        assert not page or page[-1].seq <= head.last_seq
        got += page
        if over and not page:
            return got


async def eight_writers_and_four_pollers(database: Database, actor: Actor, events: int) -> Sequence[list[FeedEvent]]:
    written = asyncio.Event()
    pollers = [asyncio.create_task(poll(database, actor, written)) for _ in range(POLLERS)]
    await asyncio.gather(*(write(database, actor, events // WRITERS, seed) for seed in range(WRITERS)))
    written.set()
    return await asyncio.gather(*pollers)


@pytest.mark.parametrize("events", [400, pytest.param(2000, marks=pytest.mark.proof)])
async def test_pollers_miss_nothing_and_get_nothing_twice_while_eight_write(
    database: Database, operator: Actor, events: int
) -> None:
    heard = await eight_writers_and_four_pollers(database, operator, events)
    for got in heard:
        assert numbers(got) == list(range(1, events + 1))
        assert len({event.id for event in got}) == events
        assert [event.at for event in got] == sorted(event.at for event in got)
    assert all(got == heard[0] for got in heard)


async def test_the_same_cursor_gives_the_same_events_for_ever_grown_at_the_end(
    database: Database, operator: Actor, clock: Clock
) -> None:
    for _ in range(3):
        async with begin(database, operator, clock) as tx:
            tx.emit(an_event())
            tx.emit(an_event("alert.resolved"))
    async with begin(database, operator, clock, writing=False) as tx:
        head, first = await feed.page(tx, 2, 3)
        _, rest = await feed.page(tx, 2, 100)
    async with begin(database, operator, clock) as tx:
        tx.emit(an_event())
    async with begin(database, operator, clock, writing=False) as tx:
        grown, again = await feed.page(tx, 2, 100)
    assert numbers(first) == [3, 4, 5]
    assert again[:4] == rest
    assert numbers(again) == [3, 4, 5, 6, 7]
    assert (head.epoch, head.last_seq, grown.last_seq) == (1, 6, 7)


async def test_an_empty_page_still_tells_the_head(database: Database, operator: Actor, clock: Clock) -> None:
    async with begin(database, operator, clock, writing=False) as tx:
        assert await feed.page(tx, 0, 100) == (await feed.head(tx), [])
    async with begin(database, operator, clock) as tx:
        assert await feed.page(tx, 17, 100) == (await feed.head(tx), [])


async def test_the_feed_is_cut_by_the_events_own_centre_and_narrowed_by_type_and_centre(
    database: Database, operator: Actor, clock: Clock
) -> None:
    async with begin(database, operator, clock) as tx:
        for kind in ("visit.overdue", "alert.resolved"):
            for centre in ("lund", "umea", "uppsala"):
                tx.emit(an_event(kind, centre))

    async def heard(actor: Actor, types: frozenset[str] | None = None, centre: str | None = None) -> list[int]:
        async with begin(database, actor, clock, writing=False) as tx:
            return numbers((await feed.page(tx, 0, 100, types, centre))[1])

    assert await heard(operator) == [1, 2, 3, 4, 5, 6]
    assert await heard(nurse("lund")) == [1, 4]
    assert await heard(nurse("lund", "umea")) == [1, 2, 4, 5]
    assert await heard(nurse()) == []
    assert await heard(operator, frozenset({"alert.resolved"})) == [4, 5, 6]
    assert await heard(nurse("lund", "umea"), frozenset({"visit.overdue"}), "umea") == [2]
    assert await heard(nurse("lund"), None, "umea") == []
