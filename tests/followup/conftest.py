"""Wards on each database."""

from collections.abc import AsyncIterator, Callable

import pytest

from app.db.columns import Keys
from app.db.engine import Database
from tests.databases import Kind
from tests.followup.ward import Ward


@pytest.fixture
async def make_ward(database_kind: Kind, make_database: Callable[..., str]) -> AsyncIterator[Callable[[], Ward]]:
    made: list[Database] = []

    def make() -> Ward:
        made.append(Database(make_database(database_kind), Keys.fresh()))
        return Ward(made[-1])

    yield make
    for db in made:
        await db.close()


@pytest.fixture
def ward(make_ward: Callable[[], Ward]) -> Ward:
    return make_ward()
