"""What the children of `tests.faults.forks` do: the service's own commands, told what to do by the test, telling what
was promised."""

import asyncio
import itertools
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from signal import SIGKILL
from typing import Any

import apscheduler.schedulers.asyncio
import apscheduler.triggers.interval
import httpx
from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import OperationalError

from app import worker
from app.actor import Actor, Role
from app.clock import Clock
from app.db import transaction
from app.db.columns import Keys
from app.db.engine import Database
from app.db.migrate import migrate as to_newest
from app.errors import Unavailable
from app.followup import batches, imports, recording
from app.followup.infusion_fields import NewInfusion
from app.http import server
from app.main import AppContext, create_app
from app.planning.workdays import red_days
from app.settings import Settings

KEYS = Keys({"test": b"s" * 32}, "test", b"b" * 32)
COORDINATOR = Actor("coordinator", Role.COORDINATOR, None, unit="tests", id="coordinator")
# Before any fork; the worker imports them as it starts.
IMPORTED = (apscheduler.schedulers.asyncio, apscheduler.triggers.interval)
HOWS = ("kill-before", "kill-after", "fail-commit", "error")

for _year in range(2014, 2060):  # once, before any fork
    red_days(_year)


class Told:
    """The child's file of lines; a line is written whole, or never."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def __call__(self, what: Any) -> None:
        os.write(self._file, json.dumps(what, default=str).encode() + b"\n")


# ---- Faults ----------------------------------------------------------------------------------------------------------


@dataclass
class Fault:
    """Whether the process came as far as its fault."""

    met: bool = False


def arm(how: str, n: int) -> Fault:
    """Plants one fault in this process: the n-th COMMIT killed before or after, or failing, or the n-th statement
    failing."""
    fault, count = Fault(), itertools.count(1)
    plain = DefaultDialect.do_commit

    def fails(what: str) -> OperationalError:
        fault.met = True
        return OperationalError(what, None, Exception("planted"))

    def do_commit(dialect: DefaultDialect, connection: Any) -> None:
        hit = next(count) == n
        if hit and how == "kill-before":
            os.kill(os.getpid(), SIGKILL)
        if hit and how == "fail-commit":
            raise fails("COMMIT")
        plain(dialect, connection)
        if hit and how == "kill-after":
            os.kill(os.getpid(), SIGKILL)

    if how == "error":

        @event.listens_for(Engine, "before_cursor_execute")
        def _(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
            if next(count) == n:
                raise fails(statement)

    else:
        DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]
    return fault


# ---- Commands --------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def opened(url: str, day: str, **limits: float) -> AsyncIterator[tuple[Database, Clock]]:
    """The database, and a clock that stands on the day."""
    database = Database(url, KEYS, **limits)
    try:
        yield database, Clock(fixed=date.fromisoformat(day))
    finally:
        await database.close()


async def migrate(told: Told, url: str) -> None:
    """`follow-up migrate`."""
    await to_newest(url)
    told("migrated")


async def enter(told: Told, url: str, day: str, file: str) -> None:
    """`follow-up import`, then nothing: tells each verdict."""
    async with opened(url, day) as (database, clock):
        with open(file, "rb") as opened_file:  # noqa: ASYNC230 - nothing else runs here
            rows = await imports.read(opened_file)
        async with transaction.begin(database, COORDINATOR, clock) as tx:
            job = await imports.accept(tx, rows, dry_run=False)
        async for item in imports.work(database, COORDINATOR, clock, job):
            told(asdict(item))


async def sweep(told: Told, url: str, day: str) -> None:
    """The worker's rounds: plans without end grow, what is overdue is flagged."""
    async with opened(url, day) as (database, clock):
        grown = await batches.extend(database, clock)
        told([grown, await batches.sweep(database, clock)])


async def record(told: Told, url: str, day: str, bodies: Sequence[Any]) -> None:
    """What POST /infusions does, without HTTP around it: each a transaction, told as its answer would be."""
    async with opened(url, day) as (database, clock):
        for body in bodies:
            async with transaction.begin(database, COORDINATOR, clock) as tx:
                recorded = await recording.record(tx, NewInfusion.model_validate_json(json.dumps(body)))
            told([201 if recorded.created else 200, recorded.infusion])


async def requests(told: Told, url: str, day: str, bodies: Sequence[Any]) -> None:
    """POST /infusions in turn over the whole application, each answer told; a 503 ends them, another refusal is an
    error of the test."""
    async with opened(url, day) as (database, clock):
        house = AppContext(database, clock, Settings(database_url=url, demo_tokens=True, rate_per_second=100_000))
        transport = httpx.ASGITransport(create_app(house))
        token = {"Authorization": "Bearer demo-coordinator-lund"}
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=token) as client:
            for body in bodies:
                answer = await client.post("/api/v1/infusions", json=body)
                if answer.status_code == 503:
                    raise Unavailable
                assert answer.status_code in (200, 201), answer.text
                told([answer.status_code, answer.json()])


# ---- Processes that stay ---------------------------------------------------------------------------------------------


async def work(told: Told, url: str, day: str, seconds: int = 900) -> int:
    """`follow-up worker`: sweeps as it starts, then every quarter of an hour."""
    async with opened(url, day) as (database, clock):
        return await worker.run(database, clock, timedelta(seconds=seconds))


async def serve(told: Told, url: str, day: str, **limits: float) -> None:
    """`follow-up serve` on a free port: tells its address when it answers."""
    async with opened(url, day, **limits) as (database, clock):
        house = AppContext(database, clock, Settings(database_url=url, demo_tokens=True, rate_per_second=100_000))
        bound = server.bind("127.0.0.1", 0)
        await server.serve(create_app(house), bound, ready=lambda: told(server.address(bound)))


async def sweep_on(told: Told, url: str, day: str, until: str, step: int) -> None:
    """The worker's rounds, one day after another: `step` days further each time, and no further than `until`."""
    today, last = date.fromisoformat(day), date.fromisoformat(until)
    async with opened(url, day) as (database, clock):
        while today < last:
            today = clock.fixed = min(last, today + timedelta(days=step))
            await batches.extend(database, clock)
            await batches.sweep(database, clock)
            told(str(today))
            await asyncio.sleep(0)


TASKS: dict[str, Callable[..., Awaitable[int | None]]] = {
    task.__name__: task for task in (migrate, enter, sweep, record, requests, work, serve, sweep_on)
}
