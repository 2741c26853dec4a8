"""The service as the demo puts it together (its own addresses too), over ASGI on a migrated SQLite file of the test's
own."""

from collections.abc import AsyncIterator

import pytest

from app.clock import Clock
from app.db.columns import Keys
from app.db.engine import Database
from app.main import AppContext
from app.settings import Settings
from tests.api.conftest import TODAY, Service


@pytest.fixture
async def house(sqlite_url: str) -> AsyncIterator[AppContext]:
    database = Database(sqlite_url, Keys.fresh())
    yield AppContext(
        database, Clock(fixed=TODAY), Settings(database_url=sqlite_url, rate_per_second=100_000), demo=True
    )
    await database.close()


@pytest.fixture
async def service(house: AppContext) -> AsyncIterator[Service]:
    made = Service(house)
    yield made
    await made.client.aclose()
