"""A call whose transaction PostgreSQL ended for another one's sake is answered as if nothing had been."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from app.clock import Clock
from app.db.columns import Keys
from app.db.engine import Database
from app.main import AppContext
from app.settings import Settings
from tests.api.conftest import TODAY, Service, infusion

# What PostgreSQL raises at a deadlock, at the first so many infusions that are stored; a sequence counts on through
# what is rolled back.
DEADLOCKS = (
    "CREATE SEQUENCE tries",
    """CREATE FUNCTION deadlocked() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('tries') <= {times} THEN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END IF;
    RETURN NEW;
END $$""",
    "CREATE TRIGGER deadlocked BEFORE INSERT ON infusions FOR EACH ROW EXECUTE FUNCTION deadlocked()",
)


@pytest.fixture
async def service_on_postgres(postgres_url: str) -> AsyncIterator[Service]:
    database = Database(postgres_url, Keys.fresh())
    settings = Settings(database_url=postgres_url, rate_per_second=100_000, demo_tokens=True)
    made = Service(AppContext(database, Clock(fixed=TODAY), settings))
    yield made
    await made.client.aclose()
    await database.close()


@pytest.mark.parametrize(("times", "status"), [(1, 201), (2, 503)])
async def test_a_call_is_tried_again_once_after_a_deadlock(
    service_on_postgres: Service, times: int, status: int
) -> None:
    service = service_on_postgres
    async with service.house.db.write.begin() as connection:
        for statement in DEADLOCKS:
            await connection.exec_driver_sql(statement.format(times=times))
    told = await service.post("/infusions", infusion())
    assert told.status_code == status, told.text
    async with service.house.db.read.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM infusions")) == (status == 201)
