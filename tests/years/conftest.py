"""The whole service in one process for random lives: a fresh database, its application over ASGI, a clock that the life
sets."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date
from typing import Any

import httpx
import pytest

from tests.databases import Kind, drop_database, fresh_database
from tests.years.choices import START
from tests.years.service import Service

Opener = Callable[..., AbstractAsyncContextManager[Service]]


@asynccontextmanager
async def opened_service(kind: Kind = "sqlite") -> AsyncIterator[Service]:
    """A service with nobody in it, on `START`."""
    from app.cli.desk import operator
    from app.clock import Clock
    from app.db.columns import Keys
    from app.db.engine import Database
    from app.followup import batches
    from app.main import AppContext, create_app
    from app.settings import Settings

    url = fresh_database(kind)
    database, clock = Database(url, Keys.fresh()), Clock(fixed=START)
    settings: dict[str, Any] = {"database_url": url, "demo_tokens": True, "rate_per_second": 1_000_000}
    app = create_app(AppContext(database, clock, Settings(**settings), demo=False))

    async def move_to_day(day: date) -> None:
        clock.fixed = day

    async def sweep() -> None:
        await batches.extend(database, clock)
        await batches.sweep(database, clock)

    async def recall() -> None:
        await batches.recall(database, clock, operator())

    try:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield Service(client, move_to_day, sweep, recall, url)
    finally:
        await database.close()
        drop_database(url)


@pytest.fixture
def open_service() -> Opener:
    return opened_service
