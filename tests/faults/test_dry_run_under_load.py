"""A dry run of a large file beside ten nurses on one SQLite file: nobody is refused."""

import asyncio
from contextlib import AsyncExitStack
from datetime import date, timedelta

import httpx
import pytest

from tests.api.conftest import number_of
from tests.faults.conftest import Given
from tests.faults.forks import Forks
from tests.faults.given import SAMPLE
from tests.faults.load import SWEPT, Nurse, address, connected, overdue

NURSES, ROWS = 10, 3000
FIRST_BORN = date(1955, 1, 1)  # twenty persons a day


def a_large_file(rows: int) -> bytes:
    """Infusions of persons of their own, in Lund."""
    header = SAMPLE.read_text().splitlines()[0].split(",")
    told = {
        "centre": "lund",
        "product": "axicabtagene-ciloleucel",
        "context": "SOC",
        "infused_on": "2030-03-04",
        "source_system": "large",
    }
    people = (
        {"personnummer": number_of(FIRST_BORN + timedelta(days=n // 20), n), "name": f"Test {n}", "source_id": f"r-{n}"}
        for n in range(rows)
    )
    return "\n".join(
        [",".join(header), *(",".join((told | person).get(name, "") for name in header) for person in people)]
    ).encode()


async def dry_run(client: httpx.AsyncClient, data: bytes) -> dict[str, object]:
    """A dry run from its beginning to its end, as its owner sees it."""
    token = {"Authorization": "Bearer demo-coordinator-lund"}
    started = await client.post(
        "/imports", params={"dry_run": "true"}, content=data, headers=token | {"Content-Type": "text/csv"}
    )
    assert started.status_code == 202, started.text
    address = started.json()["id"]
    while True:
        told = (await client.get(f"/imports/{address}", headers=token)).raise_for_status().json()
        if told["state"] != "running":
            return told


@pytest.mark.proof
async def test_a_dry_run_of_three_thousand_rows_refuses_no_nurse(forks: Forks, given: Given) -> None:
    url = given.copy("many", "sqlite")
    forks.run("sweep", url=url, day=SWEPT)
    with forks.running("serve", url=url, day=SWEPT) as service:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connected(address(service))) for _ in range(NURSES + 1)]
            visits = await overdue(clients[0])
            nurses = [Nurse(client, visits[n::NURSES], n) for n, client in enumerate(clients[:NURSES])]
            told, *_ = await asyncio.gather(
                dry_run(clients[NURSES], a_large_file(ROWS)), *(nurse.work(60) for nurse in nurses)
            )
    assert [nurse.refused for nurse in nurses] == [[]] * NURSES
    assert (told["state"], told["accepted"]) == ("finished", ROWS)
