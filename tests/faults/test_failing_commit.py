"""A commit that fails has not said 201: the answer is an error, nothing is stored, and the same request works when the
fault has gone."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date

import httpx
import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from app.clock import Clock
from app.db.engine import Database
from app.main import AppContext, create_app
from app.settings import Settings
from tests.faults.given import DAY, infusion
from tests.faults.state import difference, infusions, state
from tests.faults.tasks import KEYS
from tests.invariants import check_invariants

BODY = infusion(1, "2026-09-03", source="only")
Fault = Callable[[Database], AbstractContextManager[None]]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, KEYS)
    yield opened
    await opened.close()


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(database_url=database.url, demo_tokens=True)
    app = create_app(AppContext(database, Clock(fixed=date.fromisoformat(DAY)), settings))
    token = {"Authorization": "Bearer demo-coordinator-lund"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", headers=token
    ) as made:
        yield made


@contextmanager
def _planted(database: Database, name: str, act: Callable[..., None]) -> Iterator[None]:
    engine = database.write.sync_engine
    event.listen(engine, name, act)
    try:
        yield
    finally:
        event.remove(engine, name, act)


def refused(database: Database) -> AbstractContextManager[None]:
    """The driver refuses the COMMIT, as it does when the disk is full."""

    def act(_: Connection) -> None:
        raise OperationalError("COMMIT", None, Exception("disk is full"))

    return _planted(database, "commit", act)


def cut_off(database: Database) -> AbstractContextManager[None]:
    """The transaction is gone after its last statement: PostgreSQL ends the session; SQLite rolls back by itself (as it
    does when it cannot write), and the driver's COMMIT of nothing then says nothing."""
    end = "SELECT pg_terminate_backend(pg_backend_pid())" if database.dialect == "postgresql" else "ROLLBACK"

    def act(connection: Connection, _: object, statement: str, *__: object) -> None:
        if statement.startswith("UPDATE feed_head"):
            connection.exec_driver_sql(end)

    return _planted(database, "after_cursor_execute", act)


def deferred(database: Database) -> AbstractContextManager[None]:
    """The database itself refuses at COMMIT: a foreign key that is checked only then names a row that is not there."""

    def act(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO hanging (seq) VALUES (-1)")

    return _planted(database, "commit", act)


@pytest.mark.parametrize(("fault", "status"), [(refused, 503), (cut_off, 503), (deferred, 500)])
async def test_a_commit_that_fails_has_not_said_201(
    database: Database, database_url: str, client: httpx.AsyncClient, fault: Fault, status: int
) -> None:
    async with database.write.begin() as connection:
        await connection.execute(
            text("CREATE TABLE hanging (seq bigint REFERENCES events (seq) DEFERRABLE INITIALLY DEFERRED)")
        )
    before = state(database_url)
    with fault(database):
        answer = await client.post("/api/v1/infusions", json=BODY)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("Retry-After" in answer.headers) is (status == 503)
    assert not difference(before, state(database_url))
    check_invariants(database_url, date.fromisoformat(DAY))

    again = await client.post("/api/v1/infusions", json=BODY)
    assert again.status_code == 201, again.text
    assert list(infusions(database_url)) == [again.json()["id"]]
    check_invariants(database_url, date.fromisoformat(DAY))
