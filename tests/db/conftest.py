from collections.abc import AsyncIterator

import pytest

from app.actor import Actor, Role
from app.clock import Clock
from app.db.columns import Keys
from app.db.engine import Database

KEYS = Keys({"k1": bytes(range(32))}, "k1", bytes(range(32, 64)))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A migrated and seeded database, opened."""
    opened = Database(database_url, KEYS)
    yield opened
    await opened.close()


@pytest.fixture
def operator() -> Actor:
    """Of every centre."""
    return Actor("operator:test", Role.OPERATOR, None, id="operator:test")


@pytest.fixture
def clock() -> Clock:
    return Clock()
