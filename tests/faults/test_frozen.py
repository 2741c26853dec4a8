"""A database that freezes: nobody waits for ever, nothing that was acknowledged is lost, and all goes on when it moves
again.

`FREEZE_SECONDS=60` freezes as long as that with the limits of production; without it 12 seconds with short ones.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.api.operations import READY_SECONDS
from app.http.middleware import DEADLINE_SECONDS
from tests.databases import _place
from tests.faults.forks import DONE, Forks
from tests.faults.freezing import Freezer
from tests.faults.given import infusion
from tests.faults.load import SWEPT, address, connected
from tests.faults.state import ask
from tests.invariants import check_invariants

FREEZE = float(os.environ.get("FREEZE_SECONDS", "12"))
LIMITS: dict[str, float] = {} if FREEZE >= 60 else {"patience": 1, "answer_seconds": 3}
WRITERS, FREEZES, WELL_AFTER = 8, 3, 5.0
# A call asks who calls, waits for a connection, then for its statements: each of these within the limit of the whole.
ANSWERED = (DEADLINE_SECONDS if FREEZE >= 60 else 3 * sum(LIMITS.values())) + 3
INFUSED = "2033-03-04"
pytestmark = pytest.mark.proof


@pytest.fixture
def freezer(forks: Forks) -> Iterator[Freezer]:
    made = Freezer(_place() / f"follow-up-freezer-{uuid4().hex[:8]}")
    try:
        forks.run("migrate", url=made.url)
        yield made
    finally:
        made.stop()


# ---- Processes end ---------------------------------------------------------------------------------------------------


def _ended_within(forks: Forks, child: Any, seconds: float) -> int:
    began = time.monotonic()
    code = forks.ended(child)
    assert time.monotonic() - began < seconds, child.log.read_text()
    return code


def _swept(log: Path, times: int) -> bool:
    return log.exists() and log.read_text().count("job.finished") >= times


def test_a_worker_whose_database_freezes_ends_with_one_after_two_intervals(forks: Forks, freezer: Freezer) -> None:
    worker = forks.start("work", url=freezer.url, day=SWEPT, seconds=1)
    _until(lambda: _swept(worker.log, 3))
    with freezer.frozen():
        # Two intervals, a look of the watch, the batch cut off, closing.
        assert _ended_within(forks, worker, 2 + 10 + 6 + 3) == 1


def test_a_worker_whose_database_freezes_ends_at_once_when_asked(forks: Forks, freezer: Freezer) -> None:
    worker = forks.start("work", url=freezer.url, day=SWEPT, seconds=1)
    _until(lambda: _swept(worker.log, 3))
    with freezer.frozen():
        _until(lambda: _in_a_job(freezer, worker.log))
        worker.ask_to_stop()
        assert _ended_within(forks, worker, 8) == DONE


def _in_a_job(freezer: Freezer, log: Path) -> bool:
    """A second after the last line, with an interval of one second, the next job has begun."""
    return time.time() - log.stat().st_mtime > 1.5


async def test_a_service_whose_database_freezes_ends_when_asked(forks: Forks, freezer: Freezer) -> None:
    service = forks.start("serve", url=freezer.url, day=SWEPT)
    async with connected(address(service)) as client:
        assert (await _poll(client)).status_code == 200
        with freezer.frozen():
            hanging = [asyncio.create_task(_poll(client)) for _ in range(4)]
            began = time.monotonic()
            assert (await client.get(address(service) + "/readyz")).status_code == 503
            assert time.monotonic() - began < READY_SECONDS + 1
            service.ask_to_stop()
            # The grace of answers under way, and closing.
            assert await asyncio.to_thread(_ended_within, forks, service, 10 + 5) == DONE
            await asyncio.gather(*hanging, return_exceptions=True)


async def _poll(client: httpx.AsyncClient) -> httpx.Response:
    return await client.get(
        "/alerts/events", params={"after": "0"}, headers={"Authorization": "Bearer demo-integration-all"}
    )


def _until(holds: Any) -> None:
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        os.sched_yield()


# ---- Writers ---------------------------------------------------------------------------------------------------------


@dataclass
class Call:
    """One call: when it began and ended (monotonic), and its status; 0: no answer came."""

    began: float
    ended: float
    status: int


@dataclass
class Writer:
    """Records patients and books their first visits, and sends each act again until it is acknowledged, as a system
    does."""

    client: httpx.AsyncClient
    nth: int
    over: asyncio.Event
    calls: list[Call] = field(default_factory=list)
    recorded: dict[str, str] = field(default_factory=dict)  # source id -> infusion
    booked: dict[str, int] = field(default_factory=dict)  # visit -> acknowledged bookings
    last: dict[str, str] = field(default_factory=dict)  # visit -> the day acknowledged last

    async def work(self) -> None:
        visit: Any = None
        for n in range(100_000):
            if self.over.is_set():
                return
            if n % 60 == 0:
                source = f"{self.nth}-{n}"
                told = await self._sent("/infusions", infusion(120 * self.nth + n // 60, INFUSED, source=source))
                self.recorded[source], visit = told["id"], told["visits"][-1]
                continue
            day = str(date.fromisoformat(visit["window_start"]) + timedelta(days=n % 28))
            visit = await self._sent(f"/visits/{visit['id']}/book", {"booked_on": day}, visit["version"])
            self.booked[visit["id"]] = self.booked.get(visit["id"], 0) + 1
            self.last[visit["id"]] = day
            with suppress(TimeoutError):
                await asyncio.wait_for(self.over.wait(), 0.02)

    async def _sent(self, path: str, body: Any, version: int | None = None) -> Any:
        headers = {"Authorization": "Bearer demo-nurse-lund"} | (
            {} if version is None else {"If-Match": f'"{version}"'}
        )
        while True:
            began = time.monotonic()
            answer = await self.client.post(path, json=body, headers=headers)
            self.calls.append(Call(began, time.monotonic(), answer.status_code))
            if answer.status_code in (200, 201):
                return answer.json()
            assert answer.status_code == 503, answer.text
            with suppress(TimeoutError):
                await asyncio.wait_for(self.over.wait(), 0.2)

    def is_well_since(self, moment: float) -> bool:
        return any(call.began > moment and call.status != 503 for call in self.calls)


async def _look(client: httpx.AsyncClient, over: asyncio.Event, calls: list[Call]) -> None:
    """A hospital that polls, and a nurse who reads the list."""
    while not over.is_set():
        for path in ("/alerts/events?after=0", "/visits"):
            began = time.monotonic()
            answer = await client.get(path, headers={"Authorization": "Bearer demo-integration-all"})
            calls.append(Call(began, time.monotonic(), answer.status_code))
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 0.05)


@pytest.fixture
async def service(forks: Forks, freezer: Freezer) -> AsyncIterator[httpx.AsyncClient]:
    with forks.running("serve", url=freezer.url, day=SWEPT, **LIMITS) as child:
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(base_url=f"{address(child)}/api/v1", timeout=120, limits=limits) as client:
            yield client


async def test_a_database_frozen_three_times_under_eight_writers_loses_no_acknowledgement(
    forks: Forks, freezer: Freezer, service: httpx.AsyncClient
) -> None:
    worker = forks.start("work", url=freezer.url, day=SWEPT, seconds=60)
    over, seen = asyncio.Event(), list[Call]()
    writers = [Writer(service, n, over) for n in range(WRITERS)]
    tasks = [
        *(asyncio.create_task(w.work()) for w in writers),
        *(asyncio.create_task(_look(service, over, seen)) for _ in range(2)),
    ]
    moved: list[float] = []
    for _ in range(FREEZES):
        await _all_well_since(writers, tasks, time.monotonic())
        with freezer.frozen():
            await asyncio.wait(tasks, timeout=FREEZE)
            frozen_at = time.monotonic() - FREEZE
        moved.append(time.monotonic())
        assert any(call.status == 503 and call.began > frozen_at for w in writers for call in w.calls), (
            "the freeze was noticed by nobody"
        )
        await _all_well_since(writers, tasks, moved[-1] + WELL_AFTER)
        assert (await service.get(str(service.base_url).replace("/api/v1/", "/readyz"))).status_code == 200
    over.set()
    await asyncio.gather(*tasks)
    worker.ask_to_stop()
    assert await asyncio.to_thread(forks.ended, worker) in (0, 1), "alive until asked, or ended for its supervisor"
    calls = [call for w in writers for call in w.calls] + seen
    assert max(call.ended - call.began for call in calls) < ANSWERED
    for moment in moved:  # from then on to the next freeze nobody is refused
        assert [
            c for c in calls if c.status == 503 and moment + WELL_AFTER < c.began and c.ended < moment + WELL_AFTER + 1
        ] == []
    _check_acknowledged(freezer.url, writers)
    forks.run("sweep", url=freezer.url, day=SWEPT)
    check_invariants(freezer.url, date.fromisoformat(SWEPT))


async def _all_well_since(writers: list[Writer], tasks: list[asyncio.Task[None]], moment: float) -> None:
    until = time.monotonic() + WELL_AFTER + 30
    while not all(w.is_well_since(moment) for w in writers):
        done, _ = await asyncio.wait(tasks, timeout=0.1)
        for task in done:
            task.result()
        assert time.monotonic() < until, "not well again"


def _check_acknowledged(url: str, writers: list[Writer]) -> None:
    stored = ask(url, "SELECT source_id, CAST(id AS text) FROM infusions")
    assert len({source for source, _ in stored}) == len(stored), "recorded twice"
    for writer in writers:
        assert writer.recorded.items() <= dict(stored).items()
        assert len(writer.recorded) > 0
    assert sorted(source for source, _ in stored) == sorted(source for w in writers for source in w.recorded)
    days = dict(ask(url, "SELECT CAST(id AS text), CAST(booked_on AS text) FROM visits WHERE booked_on IS NOT NULL"))
    told = dict(
        ask(url, "SELECT object_id, count(*) FROM history WHERE kind = 'visit' AND act = 'booked' GROUP BY object_id")
    )
    for writer in writers:
        assert {visit: days[visit] for visit in writer.last} == writer.last
        assert {visit: told[visit] for visit in writer.booked} == writer.booked, (
            "a booking was stored twice, or not at all"
        )
