"""`/readyz`: asked by the road that calls take, on both databases."""

from collections.abc import AsyncIterator, Callable
from datetime import date

import httpx
import psycopg
import pytest

from app.actor import Actor, Role
from app.clock import Clock
from app.db.columns import Keys
from app.db.engine import Database
from app.db.transaction import begin
from app.main import AppContext, create_app
from app.settings import Settings
from tests.databases import Kind

OPERATOR = Actor("operator:test", Role.OPERATOR, None, id="operator:test")


async def _ready(database: Database) -> int:
    app = create_app(AppContext(database, Clock(fixed=date(2026, 11, 23)), Settings(database_url=database.url)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        return (await client.get("/readyz")).status_code


def _read_only(url: str) -> str:
    """The same database, as one finds it on a disk that was mounted anew, or on a standby."""
    if url.startswith("sqlite"):
        return f"sqlite:///file:{url.removeprefix('sqlite:///')}?mode=ro&uri=true"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{url.rpartition("/")[2]}" SET default_transaction_read_only = on'.encode())
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, Keys.fresh(), pool_size=1, patience=0.2)
    yield opened
    await opened.close()


async def test_it_is_ready_and_asking_changes_nothing(database: Database) -> None:
    before = await database.look_at_head(None)
    assert await _ready(database) == 200
    assert await database.look_at_head(None) == before


async def test_a_read_only_database_is_not_ready(database_url: str) -> None:
    database = Database(_read_only(database_url), Keys.fresh())
    assert await _ready(database) == 503
    await database.close()


async def test_a_database_that_is_not_migrated_is_not_ready(
    make_database: Callable[..., str], database_kind: Kind
) -> None:
    database = Database(make_database(database_kind, empty=True), Keys.fresh())
    assert await _ready(database) == 503
    await database.close()


async def test_without_a_connection_for_acts_it_is_not_ready(database: Database) -> None:
    async with begin(database, OPERATOR, Clock()):
        assert await _ready(database) == 503
    assert await _ready(database) == 200
