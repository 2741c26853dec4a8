"""Services and workers at once, in processes of their own, under eight clients that write and four that poll."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from datetime import date

import pytest

from tests.faults.conftest import Given
from tests.faults.forks import DONE, Child, Forks
from tests.faults.load import SWEPT, UNTIL, Nurse, address, connected, overdue, poll
from tests.faults.state import ask
from tests.invariants import check_invariants

WRITERS, POLLERS = 8, 4
EVENTS = 2000


async def _ended(forks: Forks, worker: Child) -> None:
    """Waits until the worker has come to its last day."""
    assert await asyncio.to_thread(forks.ended, worker) == DONE, worker.log.read_text()


@pytest.mark.proof
async def test_four_pollers_of_two_services_miss_nothing_while_eight_write_and_a_worker_sweeps(
    forks: Forks, given: Given
) -> None:
    url = given.copy("many", "postgresql")
    forks.run("sweep", url=url, day=SWEPT)
    with forks.running("serve", url=url, day=SWEPT) as one, forks.running("serve", url=url, day=SWEPT) as other:
        async with connected(address(one)) as first, connected(address(other)) as second:
            clients, over = (first, second), asyncio.Event()
            visits = await overdue(first)
            nurses = [Nurse(clients[n % 2], visits[n::WRITERS], n) for n in range(WRITERS)]
            pollers = [asyncio.create_task(poll(clients[n % 2], 20 + 30 * n, over)) for n in range(POLLERS)]
            worker = forks.start("sweep_on", url=url, day=SWEPT, until=UNTIL, step=10)
            await asyncio.gather(*(nurse.work((EVENTS - 1000) // WRITERS) for nurse in nurses), _ended(forks, worker))
            # What the rounds left to the next one, because somebody was at work on it.
            forks.run("sweep", url=url, day=UNTIL)
            over.set()
            heard = await asyncio.gather(*pollers)
    assert [nurse.refused for nurse in nurses] == [[]] * WRITERS
    stored = [(seq, str(number)) for seq, number in ask(url, "SELECT seq, id FROM events ORDER BY seq")]
    assert len(stored) >= EVENTS
    for events, _ in heard:
        assert [event["seq"] for event in events] == list(range(1, len(stored) + 1)), "missed, twice, or out of order"
        assert [(event["seq"], event["id"]) for event in events] == stored
    # Each has come to the end of the feed, and been told so without a body.
    assert all(unchanged > 0 for _, unchanged in heard)
    check_invariants(url, date.fromisoformat(UNTIL))


@pytest.mark.proof
async def test_a_service_and_a_worker_write_one_sqlite_file_and_no_client_is_told_that_it_is_locked(
    forks: Forks, given: Given
) -> None:
    url = given.copy("many", "sqlite")
    forks.run("sweep", url=url, day=SWEPT)
    with forks.running("serve", url=url, day=SWEPT) as service:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connected(address(service))) for _ in range(WRITERS)]
            visits = await overdue(clients[0])
            nurses = [Nurse(client, visits[n::WRITERS], n) for n, client in enumerate(clients)]
            worker = forks.start("sweep_on", url=url, day=SWEPT, until=UNTIL, step=5)
            await asyncio.gather(*(nurse.work(40, recording=True) for nurse in nurses), _ended(forks, worker))
    forks.run("sweep", url=url, day=UNTIL)
    assert [nurse.refused for nurse in nurses] == [[]] * WRITERS
    assert sum((nurse.statuses for nurse in nurses), Counter())[201] == WRITERS * 10
    check_invariants(url, date.fromisoformat(UNTIL))
