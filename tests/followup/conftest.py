"""A ward on each database."""

from collections.abc import AsyncIterator

import pytest

from app.db.columns import Keys
from app.db.engine import Database
from tests.followup.ward import Ward


@pytest.fixture
async def ward(database_url: str) -> AsyncIterator[Ward]:
    db = Database(database_url, Keys.fresh())
    yield Ward(db)
    await db.close()
