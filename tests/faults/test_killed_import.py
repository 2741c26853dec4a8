"""An import whose process was killed: its report holds what is stored and says that it was interrupted, and the file
given again goes on."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from app.clock import Clock
from app.db import transaction
from app.db.engine import Database
from app.followup import imports
from tests.databases import Kind
from tests.faults.conftest import Given
from tests.faults.forks import Forks
from tests.faults.given import DAY, a_file
from tests.faults.state import ask
from tests.faults.tasks import COORDINATOR, KEYS

KILLED_AT = 5  # the report is opened by the first commit, and each row is one
ROWS = 6


class Later(Clock):
    """The same day, after the silence that a living import never keeps."""

    def now(self) -> datetime:
        return super().now() + imports.SILENT + timedelta(seconds=1)


async def report(url: str, clock: Clock) -> Any:
    (number,) = ask(url, "SELECT id FROM imports ORDER BY id LIMIT 1")[0]
    database = Database(url, KEYS)
    try:
        async with transaction.begin(database, COORDINATOR, clock, writing=False) as tx:
            return await imports.get(tx, UUID(str(number)))
    finally:
        await database.close()


async def test_a_killed_import_says_interrupted_and_its_file_given_again_goes_on(
    forks: Forks, given: Given, database_kind: Kind
) -> None:
    url, file = given.copy("seeded", database_kind), given.file("killed.csv", a_file(sample=ROWS))
    _, told = forks.run("enter", url=url, day=DAY, file=file, fault=["kill-after", KILLED_AT])
    assert (await report(url, Clock(date.fromisoformat(DAY))))["state"] == "running"
    died = await report(url, Later(date.fromisoformat(DAY)))
    assert (died["state"], died["total"], died["rows"]) == ("interrupted", ROWS, KILLED_AT - 1)
    # The last row was stored, and its line with it, though its verdict was never told.
    assert len(told) == KILLED_AT - 2
    assert died["accepted"] == len(ask(url, "SELECT id FROM infusions"))
    _, again = forks.run("enter", url=url, day=DAY, file=file)
    assert [line["verdict"] for line in again] == ["unchanged"] * (KILLED_AT - 1) + ["accepted"] * (
        ROWS - KILLED_AT + 1
    )
